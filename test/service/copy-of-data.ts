import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { testedDatabase } from './tested-database.js';
import { testedToken } from './tested-token.js';

/** Copies the data directory of a service that does not run, so that a test can spoil it. */
export function copyOfData(original: string, copy: string): void {
  cpSync(original, copy, { recursive: true });
  const configuration = join(copy, 'softhsm2.conf');
  writeFileSync(configuration, readFileSync(configuration, 'utf8').replace(original, copy));
}

/**
 * Fills a data directory, and its database, as `hsm-kms init` does, which takes a second: it runs for the first one of a
 * run of jest only (set-up.mjs).
 */
export async function copyInitialised(dataDir: string, initialise: (dataDir: string) => Promise<void>): Promise<void> {
  const ofRun = process.env.HSM_KMS_TEST_INITIALISED;
  if (ofRun === undefined) return initialise(dataDir);
  const initialised = join(ofRun, `${testedToken.title}, ${testedDatabase.title}`);
  if (!existsSync(initialised)) {
    const made = mkdtempSync(join(ofRun, 'data-'));
    await initialise(made);
    // a rename: another worker of jest may do the same
    symlinkSync(made, `${made}-link`);
    renameSync(`${made}-link`, initialised);
  }
  const original = realpathSync(initialised);
  copyOfData(original, dataDir);
  testedDatabase.copy(original, dataDir);
}
