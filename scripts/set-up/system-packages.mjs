/** What the system's package manager has to bring: SoftHSM2, a compiler for the native addons, openssl, NSS and PostgreSQL for tests. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { runWithProgress } from './progress.mjs';

/** The same as in src/token/softhsm.ts, which is not built yet. */
const softHsmModules = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib64/pkcs11/libsofthsm2.so',
  '/usr/local/lib/softhsm/libsofthsm2.so',
  '/opt/homebrew/lib/softhsm/libsofthsm2.so',
];

const softHsmElsewhere =
  'SoftHSM2 (in most other systems the package is "softhsm"), or set HSM_KMS_PKCS11_MODULE to the library of your token';

function isCommand(name) {
  return (process.env.PATH ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** What is missing, as apt names it and as people do. */
function missingPackages({ toCompile, toTest }) {
  const missing = [];
  const needsSoftHsm = toTest || !process.env.HSM_KMS_PKCS11_MODULE;
  if (needsSoftHsm && !softHsmModules.some((path) => existsSync(path))) {
    missing.push({ apt: 'softhsm2', elsewhere: softHsmElsewhere });
  }
  if (toCompile) {
    if (!process.env.CXX && !isCommand('c++') && !isCommand('g++')) {
      missing.push({ apt: 'g++', elsewhere: 'a C++ compiler (g++ or clang)' });
    }
    if (!isCommand('make')) missing.push({ apt: 'make', elsewhere: 'make' });
    if (!isCommand('python3')) missing.push({ apt: 'python3', elsewhere: 'python3' });
  }
  if (toTest && !isCommand('openssl')) missing.push({ apt: 'openssl', elsewhere: 'openssl' });
  // the second token of the tests; certutil brings libsoftokn3.so with it
  if (toTest && !isCommand('certutil')) missing.push({ apt: 'libnss3-tools', elsewhere: 'NSS with its certutil' });
  // the second database of the tests, which start a server of their own
  if (toTest && !hasPostgres()) missing.push({ apt: 'postgresql', elsewhere: "PostgreSQL's server programs" });
  return missing;
}

function hasPostgres() {
  const debian = '/usr/lib/postgresql';
  return isCommand('initdb') || (existsSync(debian) && readdirSync(debian).length > 0);
}

/**
 * @param toCompile native addons will be compiled
 * @param toTest the tests will be run
 * @throws Error that says what to install by hand
 */
export async function installSystemPackages(purpose) {
  const missing = missingPackages(purpose);
  if (missing.length === 0) return;
  if (!isCommand('apt-get')) {
    const list = missing.map(({ elsewhere }) => `  ${elsewhere}`).join('\n');
    throw new Error(`This system has no apt-get. Please install these, then run the same command again:\n${list}`);
  }
  const names = missing.map(({ apt }) => apt);
  const [command, ...before] = asRoot(names);
  const environment = ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get'];
  await runWithProgress('Reading the lists of system packages', command, [...before, ...environment, 'update']);
  const install = ['install', '--yes', '--no-install-recommends', ...names];
  await runWithProgress(`Installing ${names.join(', ')}`, command, [...before, ...environment, ...install]);
}

/** How to run a command as root: the words before it. @throws Error that says what to type as root */
function asRoot(names) {
  if (process.getuid() === 0) return ['env'];
  const byHand = `Please type this as root, then run the same command again:\n  apt-get install ${names.join(' ')}`;
  if (!isCommand('sudo')) throw new Error(`${names.join(', ')} must be installed, and there is no sudo. ${byHand}`);
  console.log(`sudo is asked to install: ${names.join(', ')}`);
  if (spawnSync('sudo', ['--validate'], { stdio: 'inherit' }).status !== 0) {
    throw new Error(`sudo did not agree. ${byHand}`);
  }
  return ['sudo', '--non-interactive'];
}
