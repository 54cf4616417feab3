import { type HashName, type Mechanism, type MechanismName, plain } from '../../token/mechanisms.js';
import type { Token } from '../../token/token.js';
import { currentMaterial, type KeyRecord } from '../key-record.js';

type MacHash = Extract<HashName, 'sha224' | 'sha256' | 'sha384' | 'sha512'>;

/** A MAC algorithm (RFC 2104). */
export interface MacAlgorithm {
  readonly mechanisms: readonly MechanismName[];
  readonly mechanism: Mechanism;
  /** Length of the MAC, in bytes. */
  readonly macBytes: number;
}

const rows: Record<MacHash, { name: MechanismName; bytes: number }> = {
  sha224: { name: 'SHA224_HMAC', bytes: 28 },
  sha256: { name: 'SHA256_HMAC', bytes: 32 },
  sha384: { name: 'SHA384_HMAC', bytes: 48 },
  sha512: { name: 'SHA512_HMAC', bytes: 64 },
};

export const hmac = (hash: MacHash): MacAlgorithm => ({
  mechanisms: [rows[hash].name],
  mechanism: plain(rows[hash].name),
  macBytes: rows[hash].bytes,
});

/** The MAC of a message. @throws TokenError */
export function mac(token: Token, key: KeyRecord, algorithm: MacAlgorithm, message: Buffer) {
  return token.sign(
    {
      key: currentMaterial(key).objects.secret,
      mechanism: algorithm.mechanism,
      outputBytes: algorithm.macBytes,
    },
    message,
  );
}
