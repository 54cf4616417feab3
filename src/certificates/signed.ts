import { BitString } from 'asn1js';
import type { Certificate, CertificationRequest } from 'pkijs';
import { encodeDer, plainView } from '../encoding/der.js';
import { isSignedBy, type SignatureAlgorithmName, signatureIdentifier } from './signature-algorithms.js';

/** A key that signs: where it is, and how it is asked, is its own business. */
export interface Signer {
  /** DER SubjectPublicKeyInfo. */
  readonly publicKey: Buffer;
  /** One of `algorithmsOf` its public key. */
  readonly algorithm: SignatureAlgorithmName;
  /**
   * @param toBeSigned DER, of any length; to be hashed as the algorithm has it
   * @returns the signature in KMS's form, which is X.509's: ECDSA as DER ECDSA-Sig-Value
   */
  sign(toBeSigned: Buffer, algorithm: SignatureAlgorithmName): Promise<Buffer>;
}

/**
 * Has a certificate or a request signed, and looks whether the signature is good before anybody gets it.
 *
 * @returns its DER
 * @throws Error with a sentence; what `sign` throws
 */
export async function signed(structure: Certificate | CertificationRequest, signer: Signer): Promise<Buffer> {
  const { publicKey, algorithm } = signer;
  const identifier = signatureIdentifier(algorithm);
  structure.signatureAlgorithm = identifier;
  if ('signature' in structure) structure.signature = identifier;
  // the first element of the whole is what is signed; pkijs does not let it be had otherwise of both
  const toBeSigned = encodeDer(structure.toSchema(true).valueBlock.value[0] as BitString);
  const signature = await signer.sign(toBeSigned, algorithm);
  if (!isSignedBy(publicKey, algorithm, toBeSigned, signature)) {
    throw new Error(
      `The ${algorithm} signature does not fit the key's public key: the certificate would be worthless.`,
    );
  }
  structure.signatureValue = new BitString({ valueHex: plainView(signature) });
  return encodeDer(structure.toSchema(true));
}
