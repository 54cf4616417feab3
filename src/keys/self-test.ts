import { createPublicKey, diffieHellman, generateKeyPairSync, randomBytes } from 'node:crypto';
import { ed25519, namedCurves } from '../encoding/named-curves.js';
import { keyType } from '../token/attributes.js';
import type { Token } from '../token/token.js';
import type { EncryptionAlgorithm } from './algorithms/encryption.js';
import { agree, type KeyAgreementAlgorithm } from './algorithms/key-agreement.js';
import { type MacAlgorithm, mac } from './algorithms/mac.js';
import { type SigningAlgorithm, sign, verify } from './algorithms/signing.js';
import { currentMaterial, type KeyRecord } from './key-record.js';
import type { SupportedUsage } from './key-specs.js';

/** The token did not do what was asked of it; the message says what. */
export class SelfTestError extends Error {
  override readonly name = 'SelfTestError';
}

function expect(holds: boolean, what: string): void {
  if (!holds) throw new SelfTestError(what);
}

/** Something to try an algorithm with. Not secret, so not the token's randomness. */
const probe = () => randomBytes(32);

async function encryption(token: Token, key: KeyRecord, algorithm: EncryptionAlgorithm): Promise<void> {
  const plaintext = probe();
  const context = algorithm.selfDescribing ? { probe: 'yes' } : undefined;
  const ciphertext = await algorithm.encrypt(token, key, plaintext, context);
  const decrypted = await algorithm.decrypt(token, key, ciphertext, context);
  expect(decrypted?.plaintext.equals(plaintext) === true, 'what was encrypted does not decrypt to the same');
  expect(!ciphertext.includes(plaintext), 'the plaintext stands in the ciphertext');
  if (algorithm.selfDescribing) {
    const elsewhere = await algorithm.decrypt(token, key, ciphertext, { probe: 'no' });
    expect(elsewhere === undefined, 'the additional authenticated data is not checked');
  }
  const tampered = Buffer.from(ciphertext);
  tampered.writeUInt8(tampered.readUInt8(tampered.length - 1) ^ 1, tampered.length - 1);
  expect((await algorithm.decrypt(token, key, tampered, context)) === undefined, 'a changed ciphertext decrypts');
}

async function signing(token: Token, key: KeyRecord, algorithm: SigningAlgorithm): Promise<void> {
  if ('knownAnswer' in algorithm.proof) return knownSignature(token, algorithm, algorithm.proof.knownAnswer);
  const material = currentMaterial(key);
  const request = { material, algorithm, name: 'probe', message: probe(), messageType: 'RAW' } as const;
  const signature = await sign(token, request);
  if ('verifies' in algorithm.proof) {
    const publicKey = createPublicKey({ key: material.publicKey as Buffer, format: 'der', type: 'spki' });
    expect(algorithm.proof.verifies(publicKey, request.message, signature), 'the signature does not verify outside');
  }
  expect(await verify(token, request, signature), 'the signature does not verify in the token');
  expect(!(await verify(token, { ...request, message: probe() }, signature)), 'a signature of something else verifies');
}

/** Signs with a published private key, imported for the moment, and compares. */
async function knownSignature(
  token: Token,
  algorithm: SigningAlgorithm,
  answer: { readonly privateValue: Buffer; readonly message: Buffer; readonly signature: Buffer },
): Promise<void> {
  const id = randomBytes(16);
  token.probe.import(
    { id, class: 'private' },
    {
      CKA_KEY_TYPE: keyType.EC_EDWARDS,
      CKA_EC_PARAMS: ed25519.ecParams.oid,
      CKA_VALUE: answer.privateValue,
      CKA_SIGN: true,
    },
  );
  try {
    const call = { key: { id, class: 'private' }, mechanism: algorithm.mechanism, outputBytes: 64 } as const;
    const signature = await token.sign(call, answer.message);
    expect(signature.equals(answer.signature), 'the signature is not the published one');
  } finally {
    token.probe.forget(id);
  }
}

async function macs(token: Token, key: KeyRecord, algorithm: MacAlgorithm): Promise<void> {
  const message = probe();
  const first = await mac(token, key, algorithm, message);
  expect(first.length === algorithm.macBytes, 'the MAC has the wrong length');
  expect((await mac(token, key, algorithm, message)).equals(first), 'two MACs of one message differ');
  expect(!(await mac(token, key, algorithm, probe())).equals(first), 'two messages have the same MAC');
}

async function agreement(token: Token, key: KeyRecord, algorithm: KeyAgreementAlgorithm): Promise<void> {
  const material = currentMaterial(key);
  const peer = generateKeyPairSync('ec', { namedCurve: namedCurves[algorithm.curve].opensslName });
  const secret = await agree(token, material, algorithm, peer.publicKey.export({ format: 'der', type: 'spki' }));
  const publicKey = createPublicKey({ key: material.publicKey as Buffer, format: 'der', type: 'spki' });
  const expected = diffieHellman({ privateKey: peer.privateKey, publicKey });
  expect(secret?.equals(expected) === true, 'the two sides have different secrets');
}

/** What is tried, per usage. */
const tests = {
  ENCRYPT_DECRYPT: encryption,
  SIGN_VERIFY: signing,
  GENERATE_VERIFY_MAC: macs,
  KEY_AGREEMENT: agreement,
} as const;

/**
 * Uses a key once with an algorithm and has the result checked, where possible by node:crypto.
 *
 * @throws SelfTestError when the result is wrong; TokenError when the token refuses
 */
export async function selfTest(token: Token, key: KeyRecord, usage: SupportedUsage, algorithm: unknown): Promise<void> {
  const test = tests[usage] as (token: Token, key: KeyRecord, algorithm: unknown) => Promise<void>;
  await test(token, key, algorithm);
}
