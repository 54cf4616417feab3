import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { softHsmModule } from '../../src/token/softhsm.js';
import { cleanEnvironment, serviceNode } from './service.js';
import { testedToken } from './tested-token.js';

const script = fileURLToPath(new URL('./token-process.mjs', import.meta.url));

/** Makes a token beside the service's own, in SoftHSM2. */
export async function makeToken(dataDir: string, label: string, pin: string): Promise<void> {
  await tokenProcess(dataDir, 'init', label, 'security-officer', pin);
}

/** C_SetPIN, behind the service's back. */
export async function setPin(dataDir: string, label: string, oldPin: string, newPin: string): Promise<void> {
  await tokenProcess(dataDir, 'set-pin', label, oldPin, newPin);
}

/** CKA_LABELs of the secret keys in a token: the service labels keys with their KMS key ids. */
export async function keyLabels(dataDir: string, label: string, pin: string): Promise<string[]> {
  return (await tokenProcess(dataDir, 'keys', label, pin)) as string[];
}

/** The same of the service's own token. */
export async function ownKeyLabels(dataDir: string): Promise<string[]> {
  return (await ownTokenProcess(dataDir, 'keys')) as string[];
}

/** Makes keys in the service's own token, behind its back. @param ids CKA_IDs by label, in hexadecimal digits */
export async function makeObjects(dataDir: string, ids: Readonly<Record<string, string>>): Promise<void> {
  await ownTokenProcess(dataDir, 'make', ...Object.entries(ids).flat());
}

/** Destroys the objects of a label in the service's own token, behind its back. @returns how many */
export function destroyObjects(dataDir: string, label: string): Promise<number> {
  return ownTokenProcess(dataDir, 'destroy', label) as Promise<number>;
}

/** Logs in to the service's own token and out again, all the time. @returns how often */
export function logInOftenToOwnToken(dataDir: string, milliseconds: number): Promise<number> {
  return ownTokenProcess(dataDir, 'logins', `${milliseconds}`) as Promise<number>;
}

function ownTokenProcess(dataDir: string, command: string, ...more: string[]): Promise<unknown> {
  const { module, parameters, label, pinFile } = testedToken.access(dataDir);
  const given = [module, command, label, readFileSync(pinFile, 'utf8').trim(), ...more];
  return run(dataDir, given, serviceNode(), parameters === undefined ? {} : { MODULE_PARAMETERS: parameters });
}

function tokenProcess(dataDir: string, ...parameters: string[]): Promise<unknown> {
  return run(dataDir, [softHsmModule(), ...parameters]);
}

async function run(dataDir: string, given: readonly string[], node = process.execPath, more = {}): Promise<unknown> {
  const { stdout } = await promisify(execFile)(node, [script, ...given], {
    env: { ...cleanEnvironment(), SOFTHSM2_CONF: join(dataDir, 'softhsm2.conf'), ...more },
  });
  return JSON.parse(stdout);
}
