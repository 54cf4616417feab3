import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Directory of a newer Debian, which set-up.mjs has made. @throws Error where it has not */
export function sidRoot(): string {
  const root = process.env.HSM_KMS_TEST_SID;
  if (root === undefined)
    throw new Error('the tests over NSS of Debian sid are started with HSM_KMS_TEST_TOKEN=nss-sid');
  return root;
}

/** This machine's Node.js over sid's libraries. */
export const sidNode = () => join(sidRoot(), 'node');

/** Runs a program of sid, which sees this machine's files. @returns what it prints. @throws Error when it fails */
export function runOfSid(program: string, ...parameters: string[]): string {
  const root = sidRoot();
  const libraries = join(root, 'usr/lib', onlyOne(join(root, 'usr/lib'), /-linux-gnu$/));
  const loader = join(libraries, onlyOne(libraries, /^ld-linux-.+\.so\.\d$/));
  return execFileSync(loader, ['--library-path', libraries, join(root, 'usr/bin', program), ...parameters], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function onlyOne(directory: string, name: RegExp): string {
  const found = readdirSync(directory).filter((each) => name.test(each));
  if (found.length !== 1) throw new Error(`${directory} has ${found.length} of ${name}`);
  return found[0] as string;
}
