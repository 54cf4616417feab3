import { constants } from 'node:fs';
import { access, readFile, stat, statfs } from 'node:fs/promises';
import type { Logger } from 'pino';
import type { Settings } from '../config/settings.js';
import { auditDirectory, dataDirectory } from './data-directory.js';
import { usesOwnSoftHsm } from './token-settings.js';

/** Between two looks, in milliseconds. */
const lookMilliseconds = 2_000;
/** Less room than this is soon none, in bytes. */
const littleRoom = 64 * 2 ** 20;
/** Less than this is none: a new key, a new page of the database. */
const noRoom = 2 ** 17;

export type DiskState = 'well' | 'low' | 'full' | 'read-only';

/** What the log says when a disk has come to a state. */
const sayings: Readonly<Record<DiskState, (log: Logger, directory: string) => void>> = {
  well: (log, directory) => log.info({ directory }, 'the disk can be written to, and has room'),
  low: (log, directory) => log.warn({ directory }, 'the disk has less than 64 MiB left: make room'),
  full: (log, directory) =>
    log.error({ directory }, 'the disk is full: keys are used, but nothing is made or changed before there is room'),
  'read-only': (log, directory) =>
    log.error(
      { directory },
      'the disk is read-only: keys are used, but nothing is made or changed. Check it (a file system that finds an error makes itself read-only), mount it writable, and restart the service',
    ),
};

/**
 * Tells the log when the disk of the database, or of the service's own SoftHSM2 token, gets full or read-only, and when
 * it is well again: a token does not say why it cannot make a key.
 *
 * @param tell is told the same
 * @returns what ends it
 */
export function watchDisks(
  settings: Settings,
  log: Logger,
  tell: (directory: string, state: DiskState) => void = () => {},
): () => void {
  const directory = dataDirectory(settings);
  const directories = [
    directory.path,
    ...(usesOwnSoftHsm(settings) ? [directory.softHsm.tokens] : []),
    ...(settings.auditDirectory === undefined || settings.auditMode === 'off' ? [] : [auditDirectory(settings)]),
  ];
  const states = new Map<string, DiskState>(directories.map((each) => [each, 'well']));
  const look = async () => {
    for (const [each, before] of states) {
      const now = await stateOf(each);
      if (now === undefined || now === before) continue;
      states.set(each, now);
      sayings[now](log, each);
      tell(each, now);
    }
  };
  void look();
  const looking = setInterval(look, lookMilliseconds);
  looking.unref();
  return () => clearInterval(looking);
}

/** Undefined for a directory that cannot be looked at: others say what is wrong with it. */
async function stateOf(directory: string): Promise<DiskState | undefined> {
  try {
    await access(directory, constants.W_OK);
    if (await hasFailed(directory)) return 'read-only';
    const { bavail, bsize } = await statfs(directory);
    const room = bavail * bsize;
    return room < noRoom ? 'full' : room < littleRoom ? 'low' : 'well';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EROFS' ? 'read-only' : undefined;
  }
}

/** A file system that has found an error: newer Linux does not call it read-only to who only asks. */
async function hasFailed(directory: string): Promise<boolean> {
  const { dev } = await stat(directory);
  // as gnu_dev_major and gnu_dev_minor take it apart
  const device = `${(dev >>> 8) & 0xfff}:${(dev & 0xff) | ((dev >>> 12) & 0xfff00)}`;
  const mounts = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  return mounts.split('\n').some((line) => line.split(' ')[2] === device && line.includes('emergency_ro'));
}
