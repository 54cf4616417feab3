import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Copies the data directory of a service that does not run, so that a test can spoil it. */
export function copyOfData(original: string, copy: string): void {
  cpSync(original, copy, { recursive: true });
  const configuration = join(copy, 'softhsm2.conf');
  writeFileSync(configuration, readFileSync(configuration, 'utf8').replace(original, copy));
}
