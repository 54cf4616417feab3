import { randomBytes, randomInt } from 'node:crypto';

/** What AWS's ids begin with. */
export type IdPrefix = 'AKIA' | 'ASIA' | 'AIDA' | 'AROA' | 'ANPA';

/** AWS's alphabet of ids: base32. */
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** An id as AWS makes them, of 20 characters: for access keys (ASIA: of sessions), users, roles, managed policies. */
export function uniqueId(prefix: IdPrefix): string {
  return prefix + Array.from({ length: 16 }, () => alphabet[randomInt(alphabet.length)]).join('');
}

/** A secret access key as AWS makes them: 40 characters, 240 random bits. */
export function newSecretAccessKey(): string {
  return randomBytes(30).toString('base64');
}
