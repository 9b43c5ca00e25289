import { expect, test } from 'vitest';
import { price } from '../src/price';

test('a few cost their price each', () => {
  expect(price(120, 11)).toBe(1320);
});

test('a dozen is cheaper by a tenth', () => {
  expect(price(120, 12)).toBe(1296);
});
