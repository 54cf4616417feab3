import { basename, resolve } from 'node:path';
import { z } from 'zod';
import { Pkcs11UriError, parsePkcs11Uri, type TokenAttributes } from './pkcs11-uri.js';

/** What a person writes to say which token is meant. */
export interface TokenDeclaration {
  readonly tokenLabel?: string | undefined;
  readonly tokenSerial?: string | undefined;
  readonly tokenUri?: string | undefined;
  readonly pkcs11Module?: string | undefined;
}

/** Which token is meant. */
export interface TokenChoice {
  /** All that is named must be so. */
  readonly selector: TokenAttributes;
  /** Path of the module; with a name, perhaps of its directory; neither for SoftHSM2 where the system has it. */
  readonly modulePath?: string | undefined;
  /** Name of the module without its path, `lib` and `.so`. */
  readonly moduleName?: string | undefined;
  /** File with the PIN, as the URI names it. */
  readonly pinFile?: string | undefined;
}

/** Label of the service's token where nothing else is said of it. */
export const usualTokenLabel = 'hsm-kms';

/** The settings that say which token is meant: of the service's own, and of each key store. */
export const tokenChoiceSettings = {
  // sizes of CK_TOKEN_INFO (PKCS#11 v3.0, 3.2)
  tokenLabel: z.string().min(1).max(32).optional(),
  tokenSerial: z.coerce.string().min(1).max(16).optional(),
  tokenUri: z
    .string()
    .superRefine((text, context) => {
      try {
        parsePkcs11Uri(text);
      } catch (error) {
        if (!(error instanceof Pkcs11UriError)) throw error;
        context.addIssue({ code: 'custom', message: error.message });
      }
    })
    .optional(),
} as const;

/**
 * Why a declaration does not say which token is meant, in one sentence.
 *
 * @param spelled a setting's name as the person has to write it
 */
export function whyUnclear(
  declaration: TokenDeclaration,
  spelled: (name: keyof TokenDeclaration) => string,
): string | undefined {
  const { tokenLabel, tokenSerial, tokenUri, pkcs11Module } = declaration;
  if (tokenUri === undefined) return undefined;
  const beside = (
    [
      ['tokenLabel', tokenLabel],
      ['tokenSerial', tokenSerial],
    ] as const
  ).find(([, value]) => value !== undefined)?.[0];
  if (beside !== undefined) {
    return `${spelled('tokenUri')} says which token it is: leave out ${spelled(beside)}, or put it into the URI.`;
  }
  const { modulePath, moduleName } = parsePkcs11Uri(tokenUri);
  if (pkcs11Module === undefined) return undefined;
  const isAnother =
    (modulePath !== undefined && !isWithin(pkcs11Module, modulePath, moduleName)) ||
    (moduleName !== undefined && !moduleFileNames(moduleName).includes(basename(pkcs11Module)));
  return isAnother
    ? `${spelled('tokenUri')} names another module than ${spelled('pkcs11Module')}, ${pkcs11Module}: leave out one of them.`
    : undefined;
}

function isWithin(module: string, path: string, name: string | undefined): boolean {
  return resolve(module) === resolve(path) || (name !== undefined && resolve(module, '..') === resolve(path));
}

/** What a module of that name may be called on disk. */
export function moduleFileNames(name: string): string[] {
  const ending = process.platform === 'darwin' ? 'dylib' : 'so';
  return [`${name}.${ending}`, `lib${name}.${ending}`, name];
}

/** @param usualLabel names the token when nothing else does */
export function tokenChoice(declaration: TokenDeclaration, usualLabel?: string): TokenChoice {
  const { tokenLabel, tokenSerial, tokenUri, pkcs11Module } = declaration;
  if (tokenUri !== undefined) {
    const { token, modulePath, moduleName, pinFile } = parsePkcs11Uri(tokenUri);
    return { selector: token, modulePath: pkcs11Module ?? modulePath, moduleName, pinFile };
  }
  const label = tokenLabel ?? (tokenSerial === undefined ? usualLabel : undefined);
  const selector = {
    ...(label !== undefined && { label }),
    ...(tokenSerial !== undefined && { serialNumber: tokenSerial }),
  };
  return { selector, modulePath: pkcs11Module };
}
