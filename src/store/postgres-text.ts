/*
 * PostgreSQL's text holds no U+0000, and KMS's descriptions and tags may. It is written as two characters, the first of
 * them one that stands for nothing in Unicode; that one, where it comes itself, as two others.
 */
const sign = '\uffff';
const escaped = /[\0\uffff]/g;
const written = /\uffff([01])/g;

/** A parameter as PostgreSQL takes it. */
export function toPostgres(value: unknown): unknown {
  if (typeof value !== 'string' || !(value.includes('\0') || value.includes(sign))) return value;
  return value.replace(escaped, (character) => `${sign}${character === '\0' ? '0' : '1'}`);
}

/** A column's value as it was before `toPostgres`. */
export function fromPostgres(value: unknown): unknown {
  if (typeof value !== 'string' || !value.includes(sign)) return value;
  return value.replace(written, (_pair, which) => (which === '0' ? '\0' : sign));
}

/** The same for all columns of some rows, in their place. */
export function rowsFromPostgres(rows: Record<string, unknown>[]): void {
  for (const row of rows) {
    for (const name in row) row[name] = fromPostgres(row[name]);
  }
}
