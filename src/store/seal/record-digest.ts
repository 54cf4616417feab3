import { createHash } from 'node:crypto';
import type { Row, Value } from '../rows.js';
import { type PartTable, type SealedTable, sealedTables } from './sealed-tables.js';

/** The rows of a record's parts. */
export type PartRows = Readonly<Partial<Record<PartTable, readonly Row[]>>>;

/**
 * SHA-256 of a record with all that belongs to it, 32 bytes: the same in every database. Columns without a value are left
 * out, so that a column which is added later changes no digest.
 */
export function recordDigest(table: SealedTable, row: Row, parts: PartRows): Buffer {
  const { unsealed, parts: rules } = sealedTables[table];
  const texts = rules.map((rule) => {
    const rows = (parts[rule.table] ?? []).map((each) => rowText(each, [...rule.unsealed, rule.of]));
    return [rule.table, rows.sort(byCodeUnits)];
  });
  const text = JSON.stringify([table, rowText(row, [...unsealed, 'seal']), texts]);
  return createHash('sha256').update(text).digest();
}

function rowText(row: Row, omitted: readonly string[]): string {
  const columns: [string, unknown][] = [];
  for (const name of Object.keys(row).sort(byCodeUnits)) {
    const value = row[name] ?? null;
    if (value !== null && !omitted.includes(name)) columns.push([name, shown(value)]);
  }
  return JSON.stringify(columns);
}

function shown(value: Exclude<Value, null>): unknown {
  return Buffer.isBuffer(value) ? { base64: value.toString('base64') } : value;
}

/** Whatever the locale. */
function byCodeUnits(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
