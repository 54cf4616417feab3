import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** Permissions of who is not the owner. */
const ofGroup = 0o070;
const ofOthers = 0o007;

/**
 * A PIN in a file of its own, without the line end that editors leave. Nobody else may read the file.
 *
 * @throws Error that names the file and says what to do
 */
export function readPinFile(path: string): string {
  let pin: string;
  try {
    pin = readFileSync(path, 'utf8').replace(/(\r?\n)+$/, '');
  } catch (error) {
    throw new Error(
      `The PIN file ${path} cannot be read (${(error as NodeJS.ErrnoException).code}): HSM_KMS_TOKEN_PIN_FILE names a file with the token's user PIN that this user may read; without it, the data directory holds one.`,
      { cause: error },
    );
  }
  if (pin === '') throw new Error(`The file ${path} is empty; it must hold a PIN.`);
  if (/[\r\n]/.test(pin)) throw new Error(`The file ${path} holds several lines; it must hold a PIN and nothing else.`);
  if (isOpenToOthers(path)) {
    throw new Error(
      `Others than the service may read the PIN file ${path}: type chmod go= ${path}, or mount it with the mode 0400 and the service's user as its owner.`,
    );
  }
  return pin;
}

/**
 * What belongs to somebody else is read by its group's permission, as a Kubernetes secret is: that one is needed then.
 * The credentials of a systemd unit have a directory that only the unit enters; their own mode says nothing.
 */
function isOpenToOthers(path: string): boolean {
  const credentials = process.env.CREDENTIALS_DIRECTORY;
  if (credentials && dirname(resolve(path)) === resolve(credentials)) return false;
  const { mode, uid } = statSync(path);
  if ((mode & ofOthers) !== 0) return true;
  return uid === process.geteuid?.() && (mode & ofGroup) !== 0;
}
