import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { softHsmModule } from '../../src/token/softhsm.js';
import { cleanEnvironment } from './service.js';

const script = fileURLToPath(new URL('./token-process.mjs', import.meta.url));

/** Makes a token beside the service's own, in the same SoftHSM2. */
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
export function ownKeyLabels(dataDir: string): Promise<string[]> {
  return keyLabels(dataDir, 'hsm-kms', ownPin(dataDir));
}

/** Logs in to the service's own token and out again, all the time. @returns how often */
export function logInOftenToOwnToken(dataDir: string, milliseconds: number): Promise<number> {
  return tokenProcess(dataDir, 'logins', 'hsm-kms', ownPin(dataDir), `${milliseconds}`) as Promise<number>;
}

function ownPin(dataDir: string): string {
  return readFileSync(join(dataDir, 'token-user-pin'), 'utf8').trim();
}

async function tokenProcess(dataDir: string, ...parameters: string[]): Promise<unknown> {
  const { stdout } = await promisify(execFile)(process.execPath, [script, softHsmModule(), ...parameters], {
    env: { ...cleanEnvironment(), SOFTHSM2_CONF: join(dataDir, 'softhsm2.conf') },
  });
  return JSON.parse(stdout);
}
