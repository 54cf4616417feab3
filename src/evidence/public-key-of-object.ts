import { decodeEcPoint, decodeEd25519Point } from '../encoding/ec-point.js';
import { mlDsaSpki } from '../encoding/ml-dsa-spki.js';
import { type EcCurveName, namedCurves } from '../encoding/named-curves.js';
import { ecSpki, ed25519Spki, rsaSpki } from '../encoding/spki.js';
import type { ObjectEvidence } from './bundle.js';

type Bytes = (name: string) => Buffer;

const rsa = (bytes: Bytes) => rsaSpki({ modulus: bytes('CKA_MODULUS'), publicExponent: bytes('CKA_PUBLIC_EXPONENT') });
const ec = (curve: EcCurveName) => (bytes: Bytes) =>
  ecSpki(curve, decodeEcPoint(bytes('CKA_EC_POINT'), namedCurves[curve].fieldBytes));

/** Key spec -> DER SubjectPublicKeyInfo of what the attributes of its public key object say. */
const encodings: Readonly<Record<string, (bytes: Bytes) => Buffer>> = {
  RSA_2048: rsa,
  RSA_3072: rsa,
  RSA_4096: rsa,
  ECC_NIST_P256: ec('P-256'),
  ECC_NIST_P384: ec('P-384'),
  ECC_NIST_P521: ec('P-521'),
  ECC_SECG_P256K1: ec('secp256k1'),
  ECC_NIST_EDWARDS25519: (bytes) => ed25519Spki(decodeEd25519Point(bytes('CKA_EC_POINT'))),
  ML_DSA_44: (bytes) => mlDsaSpki('ML-DSA-44', bytes('CKA_VALUE')),
  ML_DSA_65: (bytes) => mlDsaSpki('ML-DSA-65', bytes('CKA_VALUE')),
  ML_DSA_87: (bytes) => mlDsaSpki('ML-DSA-87', bytes('CKA_VALUE')),
};

/** DER SubjectPublicKeyInfo of a public key object; undefined where its attributes do not say it. */
export function publicKeyOfObject(keySpec: string, { attributes }: ObjectEvidence): Buffer | undefined {
  const bytes: Bytes = (name) => {
    const reading = attributes[name];
    if (reading === undefined || !('value' in reading) || typeof reading.value !== 'string') {
      throw new RangeError(`there is no ${name}`);
    }
    return Buffer.from(reading.value, 'hex');
  };
  try {
    return Object.hasOwn(encodings, keySpec) ? encodings[keySpec]?.(bytes) : undefined;
  } catch {
    return undefined;
  }
}
