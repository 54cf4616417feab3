import pkcs11 from 'pkcs11js';
import { mechanismType } from './mechanisms.js';

/** Names that PKCS#11 3.0 and 3.2 have for mechanisms that tokens list, and pkcs11js (2.40) does not know. */
const newerMechanisms: Readonly<Record<string, number>> = {
  CKM_ML_KEM_KEY_PAIR_GEN: 0x0f,
  CKM_ML_KEM: 0x17,
  CKM_ML_DSA_KEY_PAIR_GEN: 0x1c,
  CKM_ML_DSA: 0x1d,
  CKM_HASH_ML_DSA: 0x1f,
  CKM_SHA512_224: 0x48,
  CKM_SHA512_224_HMAC: 0x49,
  CKM_SHA512_224_HMAC_GENERAL: 0x4a,
  CKM_SHA512_224_KEY_DERIVATION: 0x4b,
  CKM_SHA512_256: 0x4c,
  CKM_SHA512_256_HMAC: 0x4d,
  CKM_SHA512_256_HMAC_GENERAL: 0x4e,
  CKM_SHA512_256_KEY_DERIVATION: 0x4f,
  CKM_SHA3_256_RSA_PKCS: 0x60,
  CKM_SHA3_384_RSA_PKCS: 0x61,
  CKM_SHA3_512_RSA_PKCS: 0x62,
  CKM_SHA3_256_RSA_PKCS_PSS: 0x63,
  CKM_SHA3_384_RSA_PKCS_PSS: 0x64,
  CKM_SHA3_512_RSA_PKCS_PSS: 0x65,
  CKM_SHA3_224_RSA_PKCS: 0x66,
  CKM_SHA3_224_RSA_PKCS_PSS: 0x67,
  CKM_SHA3_256: 0x2b0,
  CKM_SHA3_256_HMAC: 0x2b1,
  CKM_SHA3_256_HMAC_GENERAL: 0x2b2,
  CKM_SHA3_256_KEY_GEN: 0x2b3,
  CKM_SHA3_224: 0x2b5,
  CKM_SHA3_224_HMAC: 0x2b6,
  CKM_SHA3_224_HMAC_GENERAL: 0x2b7,
  CKM_SHA3_224_KEY_GEN: 0x2b8,
  CKM_SHA3_384: 0x2c0,
  CKM_SHA3_384_HMAC: 0x2c1,
  CKM_SHA3_384_HMAC_GENERAL: 0x2c2,
  CKM_SHA3_384_KEY_GEN: 0x2c3,
  CKM_SHA3_512: 0x2d0,
  CKM_SHA3_512_HMAC: 0x2d1,
  CKM_SHA3_512_HMAC_GENERAL: 0x2d2,
  CKM_SHA3_512_KEY_GEN: 0x2d3,
  CKM_SHA3_256_KEY_DERIVATION: 0x397,
  CKM_SHA3_224_KEY_DERIVATION: 0x398,
  CKM_SHA3_384_KEY_DERIVATION: 0x399,
  CKM_SHA3_512_KEY_DERIVATION: 0x39a,
  CKM_ECDSA_SHA3_224: 0x1047,
  CKM_ECDSA_SHA3_256: 0x1048,
  CKM_ECDSA_SHA3_384: 0x1049,
  CKM_ECDSA_SHA3_512: 0x104a,
  CKM_ECDH_AES_KEY_WRAP: 0x1053,
  CKM_RSA_AES_KEY_WRAP: 0x1054,
  CKM_EC_MONTGOMERY_KEY_PAIR_GEN: 0x1056,
  CKM_AES_XTS: 0x1071,
  CKM_AES_XTS_KEY_GEN: 0x1072,
  CKM_AES_KEY_WRAP_PKCS7: 0x210c,
  CKM_SHA_1_KEY_GEN: 0x4003,
  CKM_SHA224_KEY_GEN: 0x4004,
  CKM_SHA256_KEY_GEN: 0x4005,
  CKM_SHA384_KEY_GEN: 0x4006,
  CKM_SHA512_KEY_GEN: 0x4007,
  CKM_SHA512_224_KEY_GEN: 0x4008,
  CKM_SHA512_256_KEY_GEN: 0x4009,
  CKM_CHACHA20_POLY1305: 0x4021,
  CKM_HKDF_DERIVE: 0x402a,
  CKM_HKDF_DATA: 0x402b,
  CKM_HKDF_KEY_GEN: 0x402c,
};

const names: ReadonlyMap<number, string> = new Map([
  ...Object.entries(pkcs11 as unknown as Record<string, unknown>).flatMap(([name, value]): [number, string][] =>
    name.startsWith('CKM_') && typeof value === 'number' ? [[value, name]] : [],
  ),
  ...Object.entries(newerMechanisms).map(([name, type]): [number, string] => [type, name]),
  // the names of this service go before older ones of the same number
  ...Object.entries(mechanismType).map(([name, type]): [number, string] => [type, `CKM_${name}`]),
]);

/** CKM_AES_GCM for its number; the number where PKCS#11 has no name, as for mechanisms of vendors. */
export function mechanismNameOf(type: number): string {
  return names.get(type) ?? `0x${type.toString(16).padStart(8, '0')}`;
}
