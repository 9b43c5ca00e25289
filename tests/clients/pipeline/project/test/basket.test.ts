import { expect, test } from 'vitest';
import { Basket } from '../src/basket';

test('nothing costs nothing', () => {
  expect(new Basket().total()).toBe(0);
});

test('the same thing twice is one line', () => {
  const basket = new Basket().add('pencil', 120, 6).add('pencil', 120, 6);
  expect(basket.lines).toEqual([{ name: 'pencil', each: 120, count: 12 }]);
  expect(basket.total()).toBe(1296);
});
