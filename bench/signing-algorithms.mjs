import { constants, hash } from 'node:crypto';

/**
 * A signing algorithm three times: as KMS names it, as node:crypto verifies it, as PKCS#11 does it.
 *
 * @typedef {object} SigningAlgorithm
 * @property {import('@aws-sdk/client-kms').SigningAlgorithmSpec} name
 * @property {string | null} nodeHash
 * @property {{ padding?: number, saltLength?: number }} nodeOptions
 * @property {{ mechanism: 'RSA_PKCS_PSS' | 'RSA_PKCS' | 'ECDSA' | 'EDDSA', input: (message: Buffer) => Buffer }} pkcs11
 *   the mechanism, and what it is given of a message
 */

const digest = (/** @type {string} */ algorithm) => (/** @type {Buffer} */ message) =>
  hash(algorithm, message, 'buffer');

/** DigestInfo of SHA-256 without the digest (RFC 8017, 9.2, note 1). */
const sha256DigestInfo = Buffer.from('3031300d060960864801650304020105000420', 'hex');

/** @param {'PSS' | 'PKCS1_V1_5'} padding @returns {SigningAlgorithm} */
export const rsaSigning = (padding) =>
  padding === 'PSS'
    ? {
        name: 'RSASSA_PSS_SHA_256',
        nodeHash: 'sha256',
        nodeOptions: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 },
        pkcs11: { mechanism: 'RSA_PKCS_PSS', input: digest('sha256') },
      }
    : {
        name: 'RSASSA_PKCS1_V1_5_SHA_256',
        nodeHash: 'sha256',
        nodeOptions: { padding: constants.RSA_PKCS1_PADDING },
        pkcs11: {
          mechanism: 'RSA_PKCS',
          input: (message) => Buffer.concat([sha256DigestInfo, hash('sha256', message, 'buffer')]),
        },
      };

/** @param {'sha256' | 'sha384'} nodeHash @param {'ECDSA_SHA_256' | 'ECDSA_SHA_384'} name @returns {SigningAlgorithm} */
const ecdsa = (nodeHash, name) => ({
  name,
  nodeHash,
  nodeOptions: {},
  pkcs11: { mechanism: 'ECDSA', input: digest(nodeHash) },
});

export const signing = {
  ECDSA_SHA_256: ecdsa('sha256', 'ECDSA_SHA_256'),
  ECDSA_SHA_384: ecdsa('sha384', 'ECDSA_SHA_384'),
  /** @type {SigningAlgorithm} */
  ED25519_SHA_512: {
    name: 'ED25519_SHA_512',
    nodeHash: null,
    nodeOptions: {},
    pkcs11: { mechanism: 'EDDSA', input: (message) => message },
  },
};
