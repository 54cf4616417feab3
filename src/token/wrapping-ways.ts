import pkcs11 from 'pkcs11js';
import { type Attributes, keyType, objectClass } from './attributes.js';
import { aesGcm, gcmIvBytes, type Mechanism, rsaOaep } from './mechanisms.js';

/** A key that wraps others; who has the PIN can make it. */
export interface WrappingKey {
  readonly generation: Mechanism;
  /** Of the secret key, or of the public key of a pair, which wraps. */
  readonly attributes: Attributes;
  /** Of the private key of a pair. */
  readonly privateAttributes?: Attributes;
}

const uses = { CKA_TOKEN: false, CKA_WRAP: true, CKA_ENCRYPT: true } as const;
const secretKey = (mechanism: number, type: number, bytes?: number): WrappingKey => ({
  generation: { mechanism },
  attributes: {
    CKA_CLASS: objectClass.secret,
    CKA_KEY_TYPE: type,
    ...(bytes !== undefined && { CKA_VALUE_LEN: bytes }),
    ...uses,
    CKA_UNWRAP: true,
    CKA_DECRYPT: true,
  },
});

/** CKK_DES, CKK_DES3 (PKCS#11 v3.0, appendix B). */
const [des, des3] = [0x13, 0x15];

export const wrappingKeys = {
  AES_256: secretKey(0x1080, keyType.AES, 32),
  DES: secretKey(0x120, des),
  DES3: secretKey(0x131, des3),
  RSA_2048: {
    generation: { mechanism: 0 },
    // room for symmetric keys and the PKCS#8 of EC keys
    attributes: { CKA_MODULUS_BITS: 2048, CKA_PUBLIC_EXPONENT: Buffer.from([1, 0, 1]), ...uses },
    privateAttributes: { CKA_TOKEN: false, CKA_UNWRAP: true, CKA_DECRYPT: true },
  },
} as const satisfies Record<string, WrappingKey>;
export type WrappingKeyName = keyof typeof wrappingKeys;

/** One way to wrap a key. */
export interface WrappingWay {
  /** CKM_ name, with the hash of CKM_RSA_PKCS_OAEP. */
  readonly name: string;
  /** Its number: what C_GetMechanismList has. */
  readonly type: number;
  readonly by: WrappingKeyName;
  /** Made anew for each attempt: a token may write into it. */
  readonly mechanism: () => Mechanism;
}

const way = (name: string, type: number, by: WrappingKeyName, parameter?: () => Buffer): WrappingWay => ({
  name,
  type,
  by,
  mechanism: () => ({ mechanism: type, ...(parameter && { parameter: parameter() }) }),
});
const iv = (bytes: number) => () => Buffer.alloc(bytes);

/** CK_AES_CTR_PARAMS {ulCounterBits, cb[16]} (PKCS#11 v3.0, 2.11.3). */
function counter(): Buffer {
  const parameters = Buffer.alloc(24);
  parameters.writeBigUInt64LE(128n);
  return parameters;
}

/**
 * The mechanisms of PKCS#11 that wrap keys (v3.0, table 32; CKM_AES_KEY_WRAP_PKCS7 of v3.1), as far as their parameters
 * can be given here. CKM_RSA_AES_KEY_WRAP and the vendors' own cannot.
 */
export const wrappingWays: readonly WrappingWay[] = [
  way('CKM_AES_KEY_WRAP', 0x2109, 'AES_256'),
  way('CKM_AES_KEY_WRAP_PAD', 0x210a, 'AES_256'),
  way('CKM_AES_KEY_WRAP_KWP', 0x210b, 'AES_256'),
  way('CKM_AES_KEY_WRAP_PKCS7', 0x210c, 'AES_256'),
  way('CKM_AES_ECB', 0x1081, 'AES_256'),
  way('CKM_AES_CBC', 0x1082, 'AES_256', iv(16)),
  way('CKM_AES_CBC_PAD', 0x1085, 'AES_256', iv(16)),
  way('CKM_AES_CTR', 0x1086, 'AES_256', counter),
  way('CKM_AES_CTS', 0x1089, 'AES_256', iv(16)),
  {
    name: 'CKM_AES_GCM',
    type: 0x1087,
    by: 'AES_256',
    mechanism: () => aesGcm(Buffer.alloc(gcmIvBytes), Buffer.alloc(0)),
  },
  way('CKM_AES_OFB', 0x2104, 'AES_256', iv(16)),
  way('CKM_AES_CFB64', 0x2105, 'AES_256', iv(16)),
  way('CKM_AES_CFB8', 0x2106, 'AES_256', iv(16)),
  way('CKM_AES_CFB128', 0x2107, 'AES_256', iv(16)),
  way('CKM_DES_ECB', 0x121, 'DES'),
  way('CKM_DES_CBC', 0x122, 'DES', iv(8)),
  way('CKM_DES_CBC_PAD', 0x125, 'DES', iv(8)),
  way('CKM_DES3_ECB', 0x132, 'DES3'),
  way('CKM_DES3_CBC', 0x133, 'DES3', iv(8)),
  way('CKM_DES3_CBC_PAD', 0x136, 'DES3', iv(8)),
  way('CKM_RSA_PKCS', pkcs11.CKM_RSA_PKCS, 'RSA_2048'),
  way('CKM_RSA_X_509', pkcs11.CKM_RSA_X_509, 'RSA_2048'),
  ...(['sha1', 'sha256'] as const).map((hash) => ({
    name: `CKM_RSA_PKCS_OAEP (${hash === 'sha1' ? 'SHA-1' : 'SHA-256'})`,
    type: pkcs11.CKM_RSA_PKCS_OAEP,
    by: 'RSA_2048' as const,
    mechanism: () => rsaOaep(hash),
  })),
];
