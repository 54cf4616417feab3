import { createPublicKey, diffieHellman, generateKeyPairSync, randomBytes, verify } from 'node:crypto';
import {
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  GetPublicKeyCommand,
  SignCommand,
  VerifyMacCommand,
} from '@aws-sdk/client-kms';
import { rsaSigning, signing } from './signing-algorithms.mjs';

/**
 * @typedef {object} Context
 * @property {import('@aws-sdk/client-kms').KMSClient} kms
 * @property {string} keyId of the case's key; '' when it has none
 */

/** @typedef {Readonly<Record<string, unknown>>} Answer an answer's JSON */

/**
 * @typedef {object} Load
 * @property {object[]} inputs of the operation, sent in turn
 * @property {(answer: Answer, index: number) => boolean | Promise<boolean>} isRight looks at the answer to an input
 */

/**
 * An operation that is measured.
 *
 * @typedef {object} Case
 * @property {string} operation
 * @property {string} detail what else distinguishes it
 * @property {string} keySpec '' for none
 * @property {import('@aws-sdk/client-kms').CreateKeyCommandInput} [key] what its key is; made once for all that are the same
 * @property {(context: Context) => Load | Promise<Load>} prepare
 * @property {import('./direct-calls.mjs').DirectCall} [direct] the same without the service
 */

/** Different requests of a case, so that nothing profits from seeing the same one again and again. */
const variants = 32;
/** @template T @param {(index: number) => T} make */
const many = (make) => Array.from({ length: variants }, (_, index) => make(index));

/** @param {Answer} answer @param {string} member */
const bytes = (answer, member) => Buffer.from(String(answer[member]), 'base64');

/** What the service authenticates with each ciphertext: its header, and the encryption context (encoding/). */
const headerBytes = 54;
const context = { tenant: 'tenant-0042', purpose: 'backup' };
const contextBytes = 4 + Object.entries(context).flat().join('').length + 4 * 4;

/** @type {import('@aws-sdk/client-kms').CreateKeyCommandInput} */
const symmetric = { KeySpec: 'SYMMETRIC_DEFAULT', KeyUsage: 'ENCRYPT_DECRYPT' };

/** @param {string} detail @param {Record<string, string> | undefined} EncryptionContext @returns {Case} */
const encrypt = (detail, EncryptionContext) => ({
  operation: 'Encrypt',
  detail,
  keySpec: 'SYMMETRIC_DEFAULT',
  key: symmetric,
  prepare({ kms, keyId }) {
    const plaintexts = many(() => randomBytes(32));
    return {
      inputs: plaintexts.map((Plaintext) => ({ KeyId: keyId, Plaintext, EncryptionContext })),
      async isRight(answer, index) {
        const CiphertextBlob = bytes(answer, 'CiphertextBlob');
        const { Plaintext } = await kms.send(new DecryptCommand({ CiphertextBlob, EncryptionContext }));
        return plaintexts[index]?.equals(Plaintext ?? Buffer.of()) ?? false;
      },
    };
  },
  direct: { call: 'encrypt', additionalBytes: headerBytes + (EncryptionContext ? contextBytes : 0) },
});

/** @type {Case} */
const decrypt = {
  operation: 'Decrypt',
  detail: '32 bytes',
  keySpec: 'SYMMETRIC_DEFAULT',
  key: symmetric,
  async prepare({ kms, keyId }) {
    const plaintexts = many(() => randomBytes(32));
    const blobs = await Promise.all(
      plaintexts.map((Plaintext) => kms.send(new EncryptCommand({ KeyId: keyId, Plaintext }))),
    );
    return {
      inputs: blobs.map(({ CiphertextBlob }) => ({ CiphertextBlob })),
      isRight: (answer, index) => plaintexts[index]?.equals(bytes(answer, 'Plaintext')) ?? false,
    };
  },
  direct: { call: 'decrypt', additionalBytes: headerBytes },
};

/** @type {Case} */
const generateDataKey = {
  operation: 'GenerateDataKey',
  detail: 'AES_256',
  keySpec: 'SYMMETRIC_DEFAULT',
  key: symmetric,
  prepare: ({ kms, keyId }) => ({
    inputs: many(() => ({ KeyId: keyId, KeySpec: 'AES_256' })),
    async isRight(answer) {
      const { Plaintext } = await kms.send(new DecryptCommand({ CiphertextBlob: bytes(answer, 'CiphertextBlob') }));
      return Plaintext?.length === 32 && bytes(answer, 'Plaintext').equals(Plaintext);
    },
  }),
  direct: { call: 'generateDataKey', additionalBytes: headerBytes },
};

/** @type {Case} */
const generateRandom = {
  operation: 'GenerateRandom',
  detail: '32 bytes',
  keySpec: '',
  prepare() {
    const seen = new Set();
    return {
      inputs: many(() => ({ NumberOfBytes: 32 })),
      isRight(answer) {
        const isNew = !seen.has(answer.Plaintext);
        seen.add(answer.Plaintext);
        return isNew && bytes(answer, 'Plaintext').length === 32;
      },
    };
  },
  direct: { call: 'random' },
};

/** @type {Case} */
const generateMac = {
  operation: 'GenerateMac',
  detail: 'HMAC_SHA_256',
  keySpec: 'HMAC_256',
  key: { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' },
  prepare({ kms, keyId }) {
    const inputs = many(() => ({
      KeyId: keyId,
      Message: randomBytes(32),
      MacAlgorithm: /** @type {const} */ ('HMAC_SHA_256'),
    }));
    return {
      inputs,
      async isRight(answer, index) {
        const input = /** @type {(typeof inputs)[number]} */ (inputs[index]);
        const { MacValid } = await kms.send(new VerifyMacCommand({ ...input, Mac: bytes(answer, 'Mac') }));
        return MacValid === true;
      },
    };
  },
  direct: { call: 'mac' },
};

/**
 * Sign and Verify with one algorithm.
 *
 * @param {import('@aws-sdk/client-kms').KeySpec} keySpec
 * @param {import('./signing-algorithms.mjs').SigningAlgorithm} algorithm
 * @returns {{ sign: Case, verify: Case }}
 */
function signAndVerify(keySpec, algorithm) {
  const { name, nodeHash, nodeOptions, pkcs11 } = algorithm;
  const common = { detail: name, keySpec, key: /** @type {const} */ ({ KeySpec: keySpec, KeyUsage: 'SIGN_VERIFY' }) };
  const inputs = (/** @type {string} */ KeyId) =>
    many(() => ({
      KeyId,
      Message: randomBytes(32),
      MessageType: /** @type {const} */ ('RAW'),
      SigningAlgorithm: name,
    }));
  const data = pkcs11.input(randomBytes(32));
  return {
    sign: {
      ...common,
      operation: 'Sign',
      async prepare({ kms, keyId }) {
        const signed = inputs(keyId);
        const { PublicKey = Buffer.of() } = await kms.send(new GetPublicKeyCommand({ KeyId: keyId }));
        const key = createPublicKey({ key: Buffer.from(PublicKey), format: 'der', type: 'spki' });
        return {
          inputs: signed,
          isRight: (answer, index) =>
            verify(
              nodeHash,
              signed[index]?.Message ?? Buffer.of(),
              { key, ...nodeOptions },
              bytes(answer, 'Signature'),
            ),
        };
      },
      direct: { call: 'sign', mechanism: pkcs11.mechanism, data, elsewhere: keySpec.startsWith('RSA') },
    },
    verify: {
      ...common,
      operation: 'Verify',
      async prepare({ kms, keyId }) {
        const signed = await Promise.all(
          inputs(keyId).map(async (input) => {
            const { Signature } = await kms.send(new SignCommand(input));
            return { ...input, Signature };
          }),
        );
        return {
          inputs: signed,
          isRight: (answer) => answer.SignatureValid === true,
        };
      },
      direct: { call: 'verify', mechanism: pkcs11.mechanism, data },
    },
  };
}

/** @type {Case} */
const describeKey = {
  operation: 'DescribeKey',
  detail: '',
  keySpec: 'SYMMETRIC_DEFAULT',
  key: symmetric,
  prepare: ({ keyId }) => ({
    inputs: many(() => ({ KeyId: keyId })),
    isRight: ({ KeyMetadata }) => /** @type {{ KeyId?: string }} */ (KeyMetadata).KeyId === keyId,
  }),
};

/** @type {Case} */
const deriveSharedSecret = {
  operation: 'DeriveSharedSecret',
  detail: 'ECDH',
  keySpec: 'ECC_NIST_P256',
  key: { KeySpec: 'ECC_NIST_P256', KeyUsage: 'KEY_AGREEMENT' },
  async prepare({ kms, keyId }) {
    const { PublicKey = Buffer.of() } = await kms.send(new GetPublicKeyCommand({ KeyId: keyId }));
    const publicKey = createPublicKey({ key: Buffer.from(PublicKey), format: 'der', type: 'spki' });
    const peers = many(() => generateKeyPairSync('ec', { namedCurve: 'P-256' }));
    return {
      inputs: peers.map((peer) => ({
        KeyId: keyId,
        KeyAgreementAlgorithm: 'ECDH',
        PublicKey: peer.publicKey.export({ format: 'der', type: 'spki' }),
      })),
      isRight(answer, index) {
        const peer = peers[index];
        const expected = peer && diffieHellman({ privateKey: peer.privateKey, publicKey });
        return expected?.equals(bytes(answer, 'SharedSecret')) ?? false;
      },
    };
  },
  direct: { call: 'derive' },
};

/** @param {'SYMMETRIC_DEFAULT' | 'ECC_NIST_P256'} keySpec @param {import('./direct-calls.mjs').DirectCall} direct @returns {Case} */
const createKey = (keySpec, direct) => ({
  operation: 'CreateKey',
  detail: '',
  keySpec,
  prepare: ({ kms }) => ({
    inputs: many(() => ({
      KeySpec: keySpec,
      KeyUsage: keySpec === 'SYMMETRIC_DEFAULT' ? 'ENCRYPT_DECRYPT' : 'SIGN_VERIFY',
    })),
    async isRight({ KeyMetadata }) {
      const { KeyId } = /** @type {{ KeyId: string }} */ (KeyMetadata);
      const described = await kms.send(new DescribeKeyCommand({ KeyId }));
      return described.KeyMetadata?.KeyState === 'Enabled' && described.KeyMetadata.KeySpec === keySpec;
    },
  }),
  direct,
});

const pss = signAndVerify('RSA_2048', rsaSigning('PSS'));
const pkcs1 = signAndVerify('RSA_2048', rsaSigning('PKCS1_V1_5'));
const rsa4096 = signAndVerify('RSA_4096', rsaSigning('PSS'));
const p256 = signAndVerify('ECC_NIST_P256', signing.ECDSA_SHA_256);
const p384 = signAndVerify('ECC_NIST_P384', signing.ECDSA_SHA_384);
const ed25519 = signAndVerify('ECC_NIST_EDWARDS25519', signing.ED25519_SHA_512);

/**
 * Everything that is measured, in this order. What makes keys stands last: it leaves them behind.
 *
 * @type {readonly Case[]}
 */
export const cases = [
  encrypt('32 bytes', undefined),
  encrypt('32 bytes, context of 2 pairs', context),
  decrypt,
  generateDataKey,
  generateRandom,
  generateMac,
  pss.sign,
  pss.verify,
  pkcs1.sign,
  pkcs1.verify,
  rsa4096.sign,
  p256.sign,
  p256.verify,
  p384.sign,
  p384.verify,
  ed25519.sign,
  ed25519.verify,
  deriveSharedSecret,
  describeKey,
  createKey('SYMMETRIC_DEFAULT', { call: 'createSecretKey' }),
  createKey('ECC_NIST_P256', { call: 'createKeyPair' }),
];

/** @param {Case} each */
export const nameOf = ({ operation, keySpec, detail }) => [operation, keySpec, detail].filter(Boolean).join(' ');

/** @param {string} name as nameOf gives it @returns {Case} */
export function caseNamed(name) {
  const found = cases.find((each) => nameOf(each) === name);
  if (found === undefined) throw new Error(`there is no case ${name}`);
  return found;
}
