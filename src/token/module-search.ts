import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { moduleFileNames } from '../config/token-choice.js';
import { softHsmModule } from './softhsm.js';

/** Where distributions put PKCS#11 modules. */
const moduleDirectories = [
  '/usr/lib/pkcs11',
  '/usr/lib64/pkcs11',
  '/usr/lib/x86_64-linux-gnu/pkcs11',
  '/usr/lib/aarch64-linux-gnu/pkcs11',
  '/usr/local/lib/pkcs11',
  '/usr/lib/softhsm',
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu',
  '/usr/lib64',
  '/usr/lib',
  '/usr/local/lib',
];

/**
 * The file of a PKCS#11 module.
 *
 * @param choice its path; or its name, and perhaps its directory (RFC 7512: module-path, module-name); nothing of it for
 * SoftHSM2's
 * @throws Error that says where it was looked for
 */
export function modulePathOf({
  modulePath,
  moduleName,
}: {
  readonly modulePath?: string | undefined;
  readonly moduleName?: string | undefined;
}): string {
  if (moduleName === undefined) return modulePath ?? softHsmModule();
  if (modulePath !== undefined && !isDirectory(modulePath)) return modulePath;
  const directories = modulePath === undefined ? moduleDirectories : [modulePath];
  const files = directories.flatMap((directory) => moduleFileNames(moduleName).map((name) => join(directory, name)));
  const found = files.find((file) => existsSync(file));
  if (found === undefined) {
    throw new Error(
      `The PKCS#11 module ${moduleName} is not in ${directories.join(', ')}: name its file by HSM_KMS_PKCS11_MODULE, or by module-path in the URI.`,
    );
  }
  return found;
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
