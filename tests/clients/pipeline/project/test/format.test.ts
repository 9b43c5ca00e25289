import { expect, test } from 'vitest';
import { format } from '../src/format';

test.each([[0, '0.00'], [5, '0.05'], [-1296, '-12.96']])(
  '%i cents are %s', (cents, text) => {
    expect(format(cents)).toBe(text);
  });
