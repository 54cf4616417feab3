import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Store } from '../../src/store/store.js';

/** A store in a directory of its own, empty or with the schema. */
export class TestStore {
  readonly directory = mkdtempSync(join(tmpdir(), 'hsm-kms-store-'));
  readonly file = join(this.directory, 'test.db');
  readonly store = Store.open(this.file);

  async end(): Promise<void> {
    await this.store.close();
    rmSync(this.directory, { recursive: true });
  }
}
