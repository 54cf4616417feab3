import { recordName } from './seal/records.js';
import type { SealedTable } from './seal/sealed-tables.js';
import type { Store } from './store.js';

/** Which changes make what is kept untrue. */
export interface Dependence {
  /** Each value is of one record of this table, by whose id it is got: it goes when that is changed. */
  readonly of?: SealedTable;
  /** All values go when a record of these tables is changed. */
  readonly on?: readonly SealedTable[];
}

/** How often changes are looked up before a value is loaded without being kept. */
const attempts = 3;

/**
 * Values that were loaded from the store. They are forgotten when what they are of was changed, by whichever process; all
 * of them when it is not known what was.
 */
export class RevisionCache<V> {
  /** By id, where there is one of it; with many ids, a map more for each would cost a request a microsecond. */
  private readonly values = new Map<string, V>();
  /** By id and variant. */
  private readonly variants = new Map<string, Map<string, V>>();
  private variantCount = 0;
  /** What all values are true of. */
  private revision: number | undefined;
  private following: Promise<void> | undefined;
  private readonly uses = { hits: 0, misses: 0 };

  /** @param limit how many values are kept at the most; @param name for who counts its uses */
  constructor(
    private readonly store: Store,
    private readonly limit: number,
    name: string,
    private readonly dependence: Dependence,
  ) {
    store.cacheUses.set(name, this.uses);
  }

  /**
   * The value, loaded when it is not kept. A value of undefined is not kept.
   *
   * @param id of the record that it is of
   * @param variant which value of that record, where there are several
   */
  get(id: string, load: () => Promise<V | undefined>, variant?: string): V | Promise<V | undefined> {
    const revision = this.store.revisionOfTurn();
    // while nobody knows what has changed, everything is read from the store
    if (revision === undefined) return this.loadUnkept(load);
    if (revision !== this.revision) return this.follow(revision, id, load, variant);
    return this.kept(id, variant) ?? this.load(revision, id, load, variant);
  }

  private kept(id: string, variant: string | undefined): V | undefined {
    const value = variant === undefined ? this.values.get(id) : this.variants.get(id)?.get(variant);
    if (value !== undefined) this.uses.hits += 1;
    return value;
  }

  /** Looks up what was changed, and forgets that. */
  private async follow(
    revision: number,
    id: string,
    load: () => Promise<V | undefined>,
    variant: string | undefined,
  ): Promise<V | undefined> {
    for (let attempt = 0; attempt < attempts && this.revision !== revision; attempt++) {
      this.following ??= this.forgetChanged(revision).finally(() => {
        this.following = undefined;
      });
      await this.following;
      if (this.revision === undefined) break;
    }
    if (this.revision !== revision) return this.loadUnkept(load);
    return this.kept(id, variant) ?? this.load(revision, id, load, variant);
  }

  private async forgetChanged(revision: number): Promise<void> {
    const { of, on = [] } = this.dependence;
    const { isReal, records: changed } = await this.store.changesBetween(this.revision, revision);
    const isOf = (table: SealedTable) => (name: string) => name.startsWith(recordName(table, ''));
    if (changed === undefined || on.some((table) => changed.some(isOf(table)))) {
      this.clear();
    } else if (of !== undefined) {
      for (const name of changed.filter(isOf(of))) this.forget(name.slice(recordName(of, '').length));
    }
    // a number that anybody can have written will be a change's one day, and what is kept must be true of that
    this.revision = isReal ? revision : undefined;
  }

  /** @param revision of this turn: what is loaded by the help of other caches is true of that, and may be of no later one */
  private async load(
    revision: number,
    id: string,
    load: () => Promise<V | undefined>,
    variant: string | undefined,
  ): Promise<V | undefined> {
    const value = await this.loadUnkept(load);
    // a change while loading leaves it open which state was read: give it to this caller, do not keep it
    if (value !== undefined && this.store.revision() === revision && this.revision === revision) {
      this.keep(id, variant, value);
    }
    return value;
  }

  private loadUnkept(load: () => Promise<V | undefined>): Promise<V | undefined> {
    this.uses.misses += 1;
    return load();
  }

  private keep(id: string, variant: string | undefined, value: V): void {
    if (this.values.size + this.variantCount >= this.limit) this.clear();
    if (variant === undefined) {
      this.values.set(id, value);
      return;
    }
    const variants = this.variants.get(id) ?? new Map<string, V>();
    this.variants.set(id, variants);
    if (!variants.has(variant)) this.variantCount += 1;
    variants.set(variant, value);
  }

  private forget(id: string): void {
    this.values.delete(id);
    this.variantCount -= this.variants.get(id)?.size ?? 0;
    this.variants.delete(id);
  }

  private clear(): void {
    this.values.clear();
    this.variants.clear();
    this.variantCount = 0;
  }
}
