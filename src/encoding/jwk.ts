import { createPublicKey, type JsonWebKey } from 'node:crypto';

/** What JOSE calls a kind of key's one signature algorithm; undefined where it has several (RFC 7518, 8037, 8812, 9864). */
const algorithms: Readonly<Record<string, string | undefined>> = {
  RSA: undefined,
  'P-256': 'ES256',
  'P-384': 'ES384',
  'P-521': 'ES512',
  secp256k1: 'ES256K',
  // EdDSA, and Ed25519 since RFC 9864
  Ed25519: undefined,
};

/** A public key that verifies signatures, as a JSON Web Key (RFC 7517). */
export interface SignatureJwk extends JsonWebKey {
  readonly kid: string;
  readonly use: 'sig';
  readonly alg?: string;
}

/**
 * The JSON Web Key of a public key.
 *
 * @param spki DER SubjectPublicKeyInfo
 * @param kid what tokens name it by
 * @returns undefined where JOSE has no such keys
 */
export function signatureJwk(spki: Buffer, kid: string): SignatureJwk | undefined {
  let key: JsonWebKey;
  try {
    key = createPublicKey({ key: spki, format: 'der', type: 'spki' }).export({ format: 'jwk' });
  } catch {
    // ML-DSA, which OpenSSL 3.0 does not know
    return undefined;
  }
  const kind = key.crv ?? key.kty ?? '';
  if (!(kind in algorithms)) return undefined;
  const alg = algorithms[kind];
  return { kid, use: 'sig', ...(alg !== undefined && { alg }), ...key };
}
