import pkcs11 from 'pkcs11js';

/**
 * Mechanisms by name, built here and nowhere else: pkcs11js aborts the process on a malformed one.
 * Numbers: PKCS#11 v3.0, appendix B, and v3.2 for ML-DSA; pkcs11js 2.1.7 knows version 2.40.
 */
export const mechanismType = {
  RSA_PKCS_KEY_PAIR_GEN: 0x0000,
  RSA_PKCS: 0x0001,
  RSA_X_509: 0x0003,
  RSA_PKCS_OAEP: 0x0009,
  RSA_PKCS_PSS: 0x000d,
  ML_DSA_KEY_PAIR_GEN: 0x001c,
  ML_DSA: 0x001d,
  SHA_1: 0x0220,
  SHA256: 0x0250,
  SHA256_HMAC: 0x0251,
  SHA224_HMAC: 0x0256,
  SHA384: 0x0260,
  SHA384_HMAC: 0x0261,
  SHA512: 0x0270,
  SHA512_HMAC: 0x0271,
  GENERIC_SECRET_KEY_GEN: 0x0350,
  EC_KEY_PAIR_GEN: 0x1040,
  ECDSA: 0x1041,
  ECDH1_DERIVE: 0x1050,
  EC_EDWARDS_KEY_PAIR_GEN: 0x1055,
  EDDSA: 0x1057,
  AES_KEY_GEN: 0x1080,
  AES_GCM: 0x1087,
  AES_KEY_WRAP_PAD: 0x210a,
  AES_KEY_WRAP_KWP: 0x210b,
} as const;

export type MechanismName = keyof typeof mechanismType;
export type Mechanism = pkcs11.Mechanism;
export type HashName = 'sha1' | 'sha224' | 'sha256' | 'sha384' | 'sha512';

/** Hash -> its mechanism and its mask generation function (PKCS#11 v3.0, 2.1.7). */
const hashParameters = {
  sha1: { hashAlg: mechanismType.SHA_1, mgf: 1 },
  sha256: { hashAlg: mechanismType.SHA256, mgf: 2 },
  sha384: { hashAlg: mechanismType.SHA384, mgf: 3 },
  sha512: { hashAlg: mechanismType.SHA512, mgf: 4 },
} as const;
export type RsaHash = keyof typeof hashParameters;

/** A mechanism that takes no parameter. */
export function plain(name: MechanismName): Mechanism {
  return { mechanism: mechanismType[name] };
}

/** CKM_RSA_PKCS_OAEP with MGF1 over the same hash and an empty label, as KMS has it. */
export function rsaOaep(hash: RsaHash): Mechanism {
  return {
    mechanism: mechanismType.RSA_PKCS_OAEP,
    parameter: { type: pkcs11.CK_PARAMS_RSA_OAEP, ...hashParameters[hash], source: 1 } as pkcs11.RsaOAEP,
  };
}

/** CKM_RSA_PKCS_PSS with MGF1 over the same hash. @param saltBytes length of the salt; KMS uses the hash's length */
export function rsaPss(hash: Exclude<RsaHash, 'sha1'>, saltBytes: number): Mechanism {
  return {
    mechanism: mechanismType.RSA_PKCS_PSS,
    parameter: { type: pkcs11.CK_PARAMS_RSA_PSS, ...hashParameters[hash], saltLen: saltBytes } as pkcs11.RsaPSS,
  };
}

/** Length of an AES-GCM initialisation vector, in bytes (96 bits, NIST SP 800-38D, 8.2). */
export const gcmIvBytes = 12;
/** Length of an AES-GCM tag, in bytes. */
export const gcmTagBytes = 16;

/** CKM_AES_GCM. @param iv 12 bytes; a token that makes its own IV writes it there */
export function aesGcm(iv: Buffer, additionalData: Buffer): Mechanism {
  if (iv.length !== gcmIvBytes) throw new RangeError(`an AES-GCM IV has ${gcmIvBytes} bytes`);
  return {
    mechanism: mechanismType.AES_GCM,
    parameter: {
      type: pkcs11.CK_PARAMS_AES_GCM_v240,
      iv,
      ivBits: gcmIvBytes * 8,
      aad: additionalData,
      tagBits: gcmTagBytes * 8,
    } as pkcs11.AesGCM,
  };
}

/** CKM_ECDH1_DERIVE without a key derivation function. @param point the peer's point, uncompressed, not DER-wrapped */
export function ecdh1(point: Buffer): Mechanism {
  return {
    mechanism: mechanismType.ECDH1_DERIVE,
    parameter: { type: pkcs11.CK_PARAMS_EC_DH, kdf: 1, publicData: point } as pkcs11.ECDH1,
  };
}

/**
 * CKM_EDDSA with CK_EDDSA_PARAMS {phFlag, ulContextDataLen, pContextData} (PKCS#11 v3.0, 2.3.14): phFlag set, no
 * context. Without parameters CKM_EDDSA is pure Ed25519.
 */
export function ed25519ph(): Mechanism {
  const parameters = Buffer.alloc(24);
  parameters[0] = 1;
  return { mechanism: mechanismType.EDDSA, parameter: parameters };
}
