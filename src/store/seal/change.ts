import type { Kysely, Transaction } from 'kysely';
import type { Row, Value } from '../rows.js';
import type { Schema } from '../schema.js';
import { BrokenSealError } from './broken-seal-error.js';
import { type PartRows, recordDigest } from './record-digest.js';
import { type RecordSet, recordSetName } from './record-set.js';
import { idOf, readRecord, recordName, sealOf } from './records.js';
import { ownerOf, type PartOf, type RowOf, type SealedTable, sealedTables } from './sealed-tables.js';
import type { MadeSeal, Seals } from './seals.js';

type AnyTables = Kysely<Record<string, Record<string, Value>>>;
/** A row without what the database fills in. */
type NewRow<T extends keyof Schema> = Omit<RowOf<T>, 'seal'>;
type NewPart<T extends keyof Schema> = Omit<RowOf<T>, 'encryptions_reserved'>;

/** Whether what is there must have been written by the service. */
type Trust = 'sealed' | 'whatever';

/**
 * A transaction on the store that changes records. A record is believed when its seal is good; it is sealed as this
 * process has changed it, and not as the database gives it back.
 */
export class Change {
  private readonly opened = new Map<string, ChangedRecord<SealedTable>>();
  /** What somebody else has written may have belonged elsewhere before. */
  private isDoubtful = false;

  constructor(
    /** For what is not sealed, and for looking. */
    readonly db: Transaction<Schema>,
    private readonly seals: Seals,
    private readonly set: RecordSet,
    /** The store's, once this is committed. */
    readonly revision: number,
  ) {}

  /** A record that may be changed. @throws BrokenSealError; the token's errors */
  find<T extends SealedTable>(table: T, id: string): Promise<ChangedRecord<T> | undefined> {
    return this.open(table, id, 'sealed');
  }

  /** A record that is taken as it is: to delete it, or to seal what was looked at. */
  async open<T extends SealedTable>(table: T, id: string, trust: Trust): Promise<ChangedRecord<T> | undefined> {
    const name = recordName(table, id);
    const open = this.opened.get(name);
    if (open) {
      if (trust === 'sealed' && open.trust === 'whatever') throw new Error(`${name} was opened without its seal`);
      return open.isDeleted ? undefined : (open as unknown as ChangedRecord<T>);
    }
    const moment = this.seals.moment();
    const read = await readRecord(this.tables, table, id);
    if (read === undefined) return undefined;
    const { row, parts } = read;
    try {
      await this.seals.expect(name, recordDigest(table, row, parts), sealOf(row), moment);
    } catch (error) {
      if (trust === 'sealed' || !(error instanceof BrokenSealError)) throw error;
      this.isDoubtful = true;
    }
    return this.opening(new ChangedRecord(this.tables, table, row, parts, trust));
  }

  /** Writes a record that is new. */
  async insert<T extends SealedTable>(table: T, row: NewRow<T>): Promise<ChangedRecord<T>> {
    await this.tables
      .insertInto(table)
      .values(row as Row)
      .execute();
    const record = new ChangedRecord<T>(this.tables, table, { ...(row as Row), seal: null }, {});
    record.touch();
    return this.opening(record);
  }

  /** Deletes a record, and those that go with it, whoever wrote them. @returns false when there is none */
  async delete(table: SealedTable, id: string): Promise<boolean> {
    const record = await this.open(table, id, 'whatever');
    if (record === undefined) return false;
    for (const owned of sealedTables[table].owned) {
      const { id: key } = sealedTables[owned.table];
      const rows = await this.tables.selectFrom(owned.table).select(key).where(owned.of, '=', id).execute();
      for (const row of rows) await this.delete(owned.table, String(row[key]));
    }
    if (record.seal) this.set.remove(record.name, record.seal);
    await record.delete();
    return true;
  }

  /** Names of the records that were changed, and of those that they belong or have belonged to; undefined for any. */
  touched(): ReadonlySet<string> | undefined {
    if (this.isDoubtful) return undefined;
    const changed = [...this.opened.values()].filter(({ isChanged }) => isChanged);
    return new Set(changed.flatMap(({ name, owners }) => [name, ...owners]));
  }

  /** Seals what was changed. @returns what is to be remembered when it is committed */
  async finish(): Promise<() => void> {
    const made: MadeSeal[] = [];
    const deleted: string[] = [];
    for (const [name, record] of this.opened) {
      if (record.isDeleted) deleted.push(name);
      if (record.isDeleted || !record.isChanged) continue;
      if (record.seal) this.set.remove(name, record.seal);
      const sealed = await this.seals.make(name, record.digest(), this.revision);
      await record.write(sealed.seal);
      this.set.add(name, sealed.seal);
      made.push(sealed);
    }
    const whole = await this.seals.make(recordSetName, this.set.digest(), this.revision);
    await this.db.updateTable('store_revision').set({ record_set: this.set.toBuffer(), seal: whole.seal }).execute();
    made.push(whole);
    return () => {
      for (const each of made) this.seals.remember(each);
      for (const name of deleted) this.seals.rememberDeleted(name, this.revision);
    };
  }

  private get tables(): AnyTables {
    return this.db as unknown as AnyTables;
  }

  private opening<T extends SealedTable>(record: ChangedRecord<T>): ChangedRecord<T> {
    // of one that was deleted and is made again
    for (const owner of this.opened.get(record.name)?.owners ?? []) record.owners.add(owner);
    this.opened.set(record.name, record as unknown as ChangedRecord<SealedTable>);
    return record;
  }
}

/** A record in a change: what is done to it here is written at once, and known here. */
export class ChangedRecord<T extends SealedTable> {
  readonly name: string;
  isChanged = false;
  isDeleted = false;
  /** Names of the records that it belongs to, or did before. */
  readonly owners = new Set<string>();
  private readonly id: string;
  private readonly tableName: string;
  private readonly parts: Record<string, readonly Row[]>;

  constructor(
    private readonly db: AnyTables,
    private readonly table: T,
    private content: Row,
    parts: PartRows,
    readonly trust: Trust = 'sealed',
  ) {
    this.tableName = table;
    this.id = idOf(table, content);
    this.name = recordName(table, this.id);
    this.parts = { ...parts };
    this.noteOwner();
  }

  get row(): RowOf<T> {
    return this.content as unknown as RowOf<T>;
  }

  /** The rows of a part, in no order. */
  part<P extends PartOf<T>>(part: P): readonly RowOf<P>[] {
    return (this.parts[part] ?? []) as unknown as readonly RowOf<P>[];
  }

  async set(values: Partial<NewRow<T>>): Promise<void> {
    this.content = { ...this.content, ...(values as Row) };
    this.noteOwner();
    this.isChanged = true;
    await this.db
      .updateTable(this.tableName)
      .set(values as Row)
      .where(sealedTables[this.table].id, '=', this.id)
      .execute();
  }

  /** Writes a row of a part: a new one, or in the place of the one with the same key. */
  async put<P extends PartOf<T>>(part: P, values: NewPart<P>): Promise<void> {
    const row = values as unknown as Row;
    const { keys } = this.rule(part);
    const same = (each: Row) => keys.every((key) => each[key] === row[key]);
    const rows = this.rows(part);
    const before = rows.find(same);
    this.parts[part] = [...rows.filter((each) => each !== before), { ...before, ...row }];
    this.isChanged = true;
    const table: string = part;
    if (before) await this.updating(part, row).set(this.sealedColumns(part, row)).execute();
    else await this.db.insertInto(table).values(row).execute();
  }

  /** @param key which row of the part. @returns false when there is none */
  async remove<P extends PartOf<T>>(part: P, key: Partial<RowOf<P>>): Promise<boolean> {
    const wanted = key as unknown as Row;
    const { of, keys } = this.rule(part);
    const rows = this.rows(part);
    const left = rows.filter((each) => !keys.every((name) => each[name] === wanted[name]));
    if (left.length === rows.length) return false;
    this.parts[part] = left;
    this.isChanged = true;
    const table: string = part;
    let query = this.db.deleteFrom(table).where(of, '=', this.id);
    for (const name of keys) query = query.where(name, '=', wanted[name] ?? null);
    await query.execute();
    return true;
  }

  async delete(): Promise<void> {
    this.isChanged = true;
    this.isDeleted = true;
    await this.db.deleteFrom(this.tableName).where(sealedTables[this.table].id, '=', this.id).execute();
  }

  /** Has it sealed, as it is. */
  touch(): void {
    this.isChanged = true;
  }

  get seal(): Buffer | null {
    return sealOf(this.content);
  }

  digest(): Buffer {
    return recordDigest(this.table, this.content, this.parts);
  }

  async write(seal: Buffer): Promise<void> {
    this.content = { ...this.content, seal };
    await this.db.updateTable(this.tableName).set({ seal }).where(sealedTables[this.table].id, '=', this.id).execute();
  }

  private noteOwner(): void {
    const owner = ownerOf[this.table];
    if (owner) this.owners.add(recordName(owner.table, String(this.content[owner.of])));
  }

  /** Others count in those that are not sealed: what was read of them may be old. */
  private sealedColumns(part: string, row: Row): Row {
    const { unsealed } = this.rule(part);
    return Object.fromEntries(Object.entries(row).filter(([name]) => !unsealed.includes(name)));
  }

  private rows(part: string): readonly Row[] {
    return this.parts[part] ?? [];
  }

  private rule(part: string) {
    const rule = sealedTables[this.table].parts.find(({ table }) => table === part);
    if (rule === undefined) throw new Error(`${part} is no part of ${this.table}`);
    return rule;
  }

  private updating(part: string, row: Row) {
    const { of, keys } = this.rule(part);
    let query = this.db.updateTable(part).where(of, '=', this.id);
    for (const name of keys) query = query.where(name, '=', row[name] ?? null);
    return query;
  }
}
