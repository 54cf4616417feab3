import { BitString, ObjectIdentifier, Sequence } from 'asn1js';
import { encodeDer, plainView } from './der.js';

/** ML-DSA parameter sets: OID (RFC 9881, section 2) and length of a public key in bytes (FIPS 204, table 2). */
const parameterSets = {
  'ML-DSA-44': { oid: '2.16.840.1.101.3.4.3.17', bytes: 1312 },
  'ML-DSA-65': { oid: '2.16.840.1.101.3.4.3.18', bytes: 1952 },
  'ML-DSA-87': { oid: '2.16.840.1.101.3.4.3.19', bytes: 2592 },
} as const;

export type MlDsaName = keyof typeof parameterSets;

/**
 * SubjectPublicKeyInfo of an ML-DSA key (RFC 9881, section 4).
 *
 * @param publicKey pkEncode's output (FIPS 204, algorithm 22), as CKA_VALUE of the public key object has it
 * @throws RangeError when `publicKey` has another length
 */
export function mlDsaSpki(name: MlDsaName, publicKey: Buffer): Buffer {
  const { oid, bytes } = parameterSets[name];
  if (publicKey.length !== bytes) throw new RangeError(`An ${name} public key has ${bytes} bytes`);
  return encodeDer(
    new Sequence({
      value: [
        new Sequence({ value: [new ObjectIdentifier({ value: oid })] }),
        new BitString({ valueHex: plainView(publicKey) }),
      ],
    }),
  );
}
