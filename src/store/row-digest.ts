import { createHash } from 'node:crypto';
import type { Row, Value } from './rows.js';

/** A row as JSON, its columns by their names: the same for the same row, whatever database it was in. */
export function rowText(table: string, row: Row): string {
  const columns = Object.keys(row)
    .sort()
    .map((name) => [name, shown(row[name] ?? null)] as const);
  return JSON.stringify([table, Object.fromEntries(columns)]);
}

function shown(value: Value): unknown {
  return Buffer.isBuffer(value) ? { base64: value.toString('base64') } : value;
}

/** Tells whether two databases hold the same rows, in whatever order they give them. */
export class RowDigest {
  private sum = 0n;
  rows = 0;

  add(table: string, row: Row): void {
    this.rows += 1;
    const hash = createHash('sha256').update(rowText(table, row)).digest('hex');
    this.sum = BigInt.asUintN(256, this.sum + BigInt(`0x${hash}`));
  }

  /** 64 hexadecimal digits: the sum of the rows' SHA-256. */
  toString(): string {
    return this.sum.toString(16).padStart(64, '0');
  }
}
