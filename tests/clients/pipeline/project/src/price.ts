/* In cents; a dozen or more is cheaper by a tenth. */
export function price(each: number, count: number): number {
  const all = each * count;
  return count >= 12 ? Math.round(all * 0.9) : all;
}
