import { createHash } from 'node:crypto';
import { algorithmsOf, hashOf, type SignatureAlgorithmName } from '../../certificates/signature-algorithms.js';
import type { Signer } from '../../certificates/signed.js';
import type { KmsClient } from './kms-client.js';

/** What Sign takes as a message, in bytes. */
const longestMessage = 4096;

/**
 * A KMS key of the running service as a signer of certificates.
 *
 * @param key key id, key ARN, alias/NAME or alias ARN
 * @param wanted KMS's name of the algorithm; the usual one for such keys by default
 * @throws Error with a sentence for keys that sign no certificates, and with KMS's refusals
 */
export async function keySigner(client: KmsClient, key: string, wanted: string | undefined): Promise<Signer> {
  const { PublicKey, KeyUsage, KeyId, SigningAlgorithms } = await client.call('GetPublicKey', { KeyId: key });
  if (KeyUsage !== 'SIGN_VERIFY') {
    throw new Error(`${KeyId} is for ${KeyUsage}: only keys for SIGN_VERIFY sign requests and certificates.`);
  }
  const publicKey = Buffer.from(PublicKey as string, 'base64');
  const offered = algorithmsOf(publicKey).filter((name) => (SigningAlgorithms as string[]).includes(name));
  const algorithm = wanted === undefined ? offered[0] : offered.find((name) => name === wanted);
  if (algorithm === undefined) {
    const choice = offered.length === 0 ? 'no algorithm for certificates' : offered.join(', ');
    throw new Error(`${KeyId} does not sign${wanted === undefined ? '' : ` by ${wanted}`}: it has ${choice}.`);
  }
  const sign = async (toBeSigned: Buffer, name: SignatureAlgorithmName) => {
    const { Signature } = await client.call('Sign', {
      KeyId,
      SigningAlgorithm: name,
      ...messageOf(toBeSigned, hashOf(name)),
    });
    return Buffer.from(Signature as string, 'base64');
  };
  return { publicKey, algorithm, sign };
}

/** A digest wherever there is one: certificates may be longer than messages. */
function messageOf(toBeSigned: Buffer, hash: string | undefined): { MessageType: string; Message: string } {
  if (hash !== undefined) {
    return { MessageType: 'DIGEST', Message: createHash(hash).update(toBeSigned).digest('base64') };
  }
  if (toBeSigned.length > longestMessage) {
    throw new Error(
      `By Ed25519 KMS signs ${longestMessage} bytes at the most, and this has ${toBeSigned.length}: use fewer names.`,
    );
  }
  return { MessageType: 'RAW', Message: toBeSigned.toString('base64') };
}
