import { price } from './price';

export interface Line {
  readonly name: string;
  readonly each: number;
  readonly count: number;
}

export class Basket {
  readonly lines: Line[] = [];

  add(name: string, each: number, count = 1): this {
    const at = this.lines.findIndex((line) => line.name === name);
    const before = at < 0 ? 0 : this.lines[at].count;
    const line = { name, each, count: before + count };
    this.lines.splice(at < 0 ? this.lines.length : at, 1, line);
    return this;
  }

  total(): number {
    return this.lines.reduce((sum, line) => sum + price(line.each, line.count),
      0);
  }
}
