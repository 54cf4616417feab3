import { constants, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { hashOf, type SignatureAlgorithmName } from '../../src/certificates/signature-algorithms.js';
import type { Signer } from '../../src/certificates/signed.js';

/** A key of node:crypto for each algorithm, as a signer: what a token does with one is tested in test/e2e. */
export function softwareSigner(algorithm: SignatureAlgorithmName): Signer {
  const { publicKey, privateKey } = pairFor(algorithm);
  return {
    publicKey: publicKey.export({ type: 'spki', format: 'der' }),
    algorithm,
    sign: async (data, name) => sign(hashOf(name), data, { key: privateKey, ...paddingOf(name) }),
  };
}

const curves: { readonly [N in SignatureAlgorithmName]?: string } = {
  ECDSA_SHA_256: 'P-256',
  ECDSA_SHA_384: 'P-384',
  ECDSA_SHA_512: 'P-521',
};

function pairFor(algorithm: SignatureAlgorithmName): { publicKey: KeyObject; privateKey: KeyObject } {
  if (algorithm === 'ED25519_SHA_512') return generateKeyPairSync('ed25519');
  const namedCurve = curves[algorithm];
  if (namedCurve) return generateKeyPairSync('ec', { namedCurve });
  return generateKeyPairSync('rsa', { modulusLength: 2048 });
}

function paddingOf(name: SignatureAlgorithmName) {
  if (!name.startsWith('RSASSA_PSS')) return {};
  return { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: Number(name.slice(-3)) / 8 };
}
