import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** SQLite's index of its log: made anew by whoever looks. */
const isIndexOfLog = (path: string) => path.endsWith('-shm');

/** Every file of a directory by its path in it: permissions, and a hash of what is in it. */
export function directoryBytes(directory: string, isLeftOut: (path: string) => boolean = () => false) {
  const paths = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter(
    (path) => !isIndexOfLog(path) && !isLeftOut(path),
  );
  return Object.fromEntries(
    paths.sort().map((path) => {
      const facts = lstatSync(join(directory, path));
      const content = facts.isFile() ? readFileSync(join(directory, path)) : '';
      return [path, `${facts.mode.toString(8)} ${createHash('sha256').update(content).digest('hex')}`];
    }),
  );
}

/** What any start of the service writes to: its locks, and what a login to SoftHSM2 writes down. */
export const isOfEveryStart = (path: string) => /\.lock$|\/token\.object|\/generation$/.test(path);
/** And what a service writes down that is about to end with a refusal. */
export const isOfEveryService = (path: string) => isOfEveryStart(path) || /^audit(\/|$)/.test(path);
