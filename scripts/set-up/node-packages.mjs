/** node_modules as package-lock.json has it, with the native addons compiled for the Node in use. */
import { existsSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { runWithProgress } from './progress.mjs';

/** Which Node the addons were compiled for. */
const builtForFile = 'node_modules/.built-for';
const thisNode = `${process.platform} ${process.arch} ${process.versions.modules}\n`;

/** npm writes its own lock file into node_modules when an installation has come to its end, and not before. */
const installedLockFile = 'node_modules/.package-lock.json';

/** @returns the packages of a lock file by their place; undefined when there is no such file */
function packagesOf(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).packages : undefined;
}

/** True also after an `npm install` by hand. */
export function nodePackagesAreInstalled() {
  const installed = packagesOf(installedLockFile);
  if (installed === undefined) return false;
  if (existsSync(builtForFile) && readFileSync(builtForFile, 'utf8') !== thisNode) return false;
  return Object.entries(packagesOf('package-lock.json')).every(
    ([place, { version, optional }]) => place === '' || optional || installed[place]?.version === version,
  );
}

/** @throws Error that shows the end of what npm printed */
export async function installNodePackages() {
  if (!nodePackagesAreInstalled()) {
    // the build, the tests and the addons' compilation are needed whatever this user's npm is set to
    const args = ['ci', '--include=dev', '--ignore-scripts=false', '--no-audit', '--no-fund'];
    await runWithProgress('Installing npm packages and compiling two of them (some two minutes)', 'npm', args, {
      environment: compileAgainstOwnHeaders(),
    });
  }
  if (!existsSync(builtForFile)) writeFileSync(builtForFile, thisNode);
}

/**
 * Where the headers of the running Node lie beside it, the addons are compiled from what the lock file vouches for, and
 * nothing but the npm registry is asked for anything: no headers, no compiled binaries.
 */
function compileAgainstOwnHeaders() {
  const prefix = dirname(dirname(realpathSync(process.execPath)));
  const header = join(prefix, 'include', 'node', 'node_version.h');
  if (!existsSync(header)) return {};
  const text = readFileSync(header, 'utf8');
  const [major, minor, patch] = ['MAJOR', 'MINOR', 'PATCH'].map(
    (part) => text.match(new RegExp(`#define NODE_${part}_VERSION (\\d+)`))?.[1],
  );
  if (`${major}.${minor}.${patch}` !== process.versions.node) return {};
  return { npm_config_nodedir: prefix, npm_config_build_from_source: 'true' };
}
