import { chmodSync, lstatSync, readdirSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import type { DataDirectory } from '../data-directory.js';
import { checkDataDirectory } from '../data-directory-use.js';
import { type Check, error, type Finding, orWell, some, warning } from './finding.js';

/** Permissions of who is not the owner. */
const ofOthers = 0o077;

/** What only the owner of the data directory may get at. */
function privateFiles({ path, database, credentials, softHsm }: DataDirectory): string[] {
  return [
    path,
    ...['', '-wal', '-shm'].map((ending) => database + ending),
    credentials,
    softHsm.securityOfficerPin,
    softHsm.userPin,
    softHsm.tokens,
    ...contentOf(softHsm.tokens),
  ];
}

export const files: Check = {
  name: 'files',
  examine({ directory }) {
    const { path } = directory;
    const facts = statSync(path, { throwIfNoEntry: false });
    if (facts === undefined)
      return [error(`There is no data directory ${path}.`, 'hsm-kms init, with the same settings')];
    // another user must not change modes, nor can
    checkDataDirectory(directory);
    const present = privateFiles(directory).flatMap((file) => {
      const found = lstatSync(file, { throwIfNoEntry: false });
      return found === undefined || found.isSymbolicLink() ? [] : [{ file, facts: found }];
    });
    return orWell(
      [...openFiles(present), ...filesOfOthers(present, facts.uid)],
      `${path} and what is secret in it are for its owner only.`,
    );
  },
};

type Present = { readonly file: string; readonly facts: Stats };

function openFiles(present: readonly Present[]): Finding[] {
  const open = present.filter(({ facts }) => (facts.mode & ofOthers) !== 0);
  if (open.length === 0) return [];
  const names = open.map(({ file }) => file);
  const repair = async () =>
    open.map(({ file, facts }) => {
      chmodSync(file, facts.mode & 0o7700);
      return `took the permissions of others from ${file}`;
    });
  return [error(`Others than the owner may get at ${some(names)}.`, `chmod go= ${some(names, 1)}`, repair)];
}

function filesOfOthers(present: readonly Present[], owner: number): Finding[] {
  const foreign = present.filter(({ facts }) => facts.uid !== owner).map(({ file }) => file);
  if (foreign.length === 0) return [];
  return [
    warning(`The data directory's owner does not own ${some(foreign)}.`, `chown ${owner} ${foreign[0]}, as root`),
  ];
}

function contentOf(directory: string): string[] {
  try {
    return readdirSync(directory, { recursive: true, encoding: 'utf8' }).map((name) => join(directory, name));
  } catch {
    // none, as with a token of hardware
    return [];
  }
}
