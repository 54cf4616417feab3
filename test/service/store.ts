import { createHmac, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Seals } from '../../src/store/seal/seals.js';
import { Store } from '../../src/store/store.js';
import { testedDatabase } from './tested-database.js';

/** In the place of a token's: units that use a store need none. */
const sealingKey = randomBytes(32);
export const newSeals = () =>
  new Seals({ mac: (message) => createHmac('sha256', sealingKey).update(message).digest() });

/** A store in a directory of its own, empty or with the schema. */
export class TestStore {
  readonly directory = mkdtempSync(join(tmpdir(), 'hsm-kms-store-'));
  /** The database's file, where it is in one. */
  readonly file = join(this.directory, 'hsm-kms.db');
  readonly store: Store;

  constructor() {
    testedDatabase.make(this.directory);
    this.store = this.another();
  }

  /** The same store, as another process has it open. */
  another(): Store {
    const store = Store.open(testedDatabase.location(this.directory));
    store.seals = newSeals();
    return store;
  }

  /** The schema, and the seals. */
  async migrate(): Promise<void> {
    await this.store.migrate();
    await this.store.sealAll(async () => true);
  }

  /** Until a process that has the store open has heard of all that was changed. */
  async untilHeard(by: Store = this.store): Promise<void> {
    const { revision } = await by.db.selectFrom('store_revision').select('revision').executeTakeFirstOrThrow();
    // revisions of the connections before have other high bits
    while ((by.revision() ?? 0) % 2 ** 40 < revision) await new Promise((resolve) => setTimeout(resolve, 5));
    // and a turn in which nothing was seen yet
    await new Promise((resolve) => setImmediate(resolve));
  }

  async end(): Promise<void> {
    await this.store.close();
    rmSync(this.directory, { recursive: true });
  }
}
