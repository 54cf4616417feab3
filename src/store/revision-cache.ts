import type { Store } from './store.js';

/** Values by name, all forgotten when anything in the store has changed, by whichever process. */
export class RevisionCache<V> {
  private readonly values = new Map<string, V>();
  private revision: number | undefined;

  private readonly uses = { hits: 0, misses: 0 };

  /** @param limit how many values are kept at the most; @param name for who counts its uses */
  constructor(
    private readonly store: Store,
    private readonly limit: number,
    name = '',
  ) {
    store.cacheUses.set(name, this.uses);
  }

  /** The value, loaded when it is not cached. A value of undefined is not kept. */
  get(name: string, load: (name: string) => Promise<V | undefined>): V | Promise<V | undefined> {
    const revision = this.store.revisionOfTurn();
    // while nobody knows what has changed, everything is read from the store
    if (revision === undefined) {
      this.uses.misses += 1;
      return load(name);
    }
    if (revision !== this.revision) {
      this.values.clear();
      this.revision = revision;
    }
    const value = this.values.get(name);
    if (value === undefined) {
      this.uses.misses += 1;
      return this.load(name, load);
    }
    this.uses.hits += 1;
    return value;
  }

  private async load(name: string, load: (name: string) => Promise<V | undefined>): Promise<V | undefined> {
    const revision = this.store.revision();
    const value = await load(name);
    // a change while loading leaves it open which state was read: give it to this caller, do not keep it
    if (value !== undefined && this.store.revision() === revision && this.revision === revision) {
      if (this.values.size >= this.limit) this.values.clear();
      this.values.set(name, value);
    }
    return value;
  }
}
