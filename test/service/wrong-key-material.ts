import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { AlgorithmSpec, KeySpec, KeyUsageType } from '@aws-sdk/client-kms';
import { encryptFor, keyWrap, newPair, type Parameters, pkcs8, spki } from './byok.js';
import { whyLacking } from './tested-token.js';

/** A copy with one bit changed. @param index of the byte; negative from the end */
export const flipped = (bytes: Uint8Array, index: number) => {
  const changed = Buffer.from(bytes);
  const at = index < 0 ? changed.length + index : index;
  changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
  return changed;
};

const made = new Map<KeySpec, ReturnType<typeof newPair>>();
/** One key pair per key spec: RSA ones take long. */
function pairOf(spec: KeySpec): ReturnType<typeof newPair> {
  const pair = made.get(spec) ?? newPair(spec);
  made.set(spec, pair);
  return pair;
}

export type Refused = 'InvalidCiphertextException' | 'IncorrectKeyMaterialException';
/** What is wrong, what it is refused with, and how it is made. */
export type Case = [what: string, Refused, (parameters: Parameters) => Buffer];

/** What is wrong with a ciphertext, whatever the key spec. */
const badDirect = (hash: string, otherHash: string): Case[] => [
  ['random bytes', 'InvalidCiphertextException', () => randomBytes(256)],
  ['zeros', 'InvalidCiphertextException', () => Buffer.alloc(256)],
  ['a number above the modulus', 'InvalidCiphertextException', () => Buffer.alloc(256, 0xff)],
  ['a short ciphertext', 'InvalidCiphertextException', (p) => encryptFor(p, hash, randomBytes(32)).subarray(1)],
  [
    'a long ciphertext',
    'InvalidCiphertextException',
    (p) => Buffer.concat([encryptFor(p, hash, randomBytes(32)), Buffer.alloc(1)]),
  ],
  ['one byte', 'InvalidCiphertextException', () => Buffer.alloc(1)],
  ['6144 bytes', 'InvalidCiphertextException', () => randomBytes(6144)],
  ['another hash', 'InvalidCiphertextException', (p) => encryptFor(p, otherHash, randomBytes(32))],
  ['a changed ciphertext', 'InvalidCiphertextException', (p) => flipped(encryptFor(p, hash, randomBytes(32)), 100)],
  [
    'another wrapping key',
    'InvalidCiphertextException',
    () => encryptFor({ PublicKey: spki(pairOf('RSA_2048').publicKey) }, hash, randomBytes(32)),
  ],
];
const lengths = (hash: string, bytes: number[]): Case[] =>
  bytes.map((length) => [
    `${length} bytes`,
    'IncorrectKeyMaterialException',
    (p) => encryptFor(p, hash, randomBytes(length)),
  ]);

const hybrid = (p: Parameters, hash: string, material: Buffer, aesBytes = 32) => {
  const aesKey = randomBytes(aesBytes);
  return Buffer.concat([encryptFor(p, hash, aesKey), keyWrap(aesKey, material)]);
};
export const p256 = () => pkcs8(pairOf('ECC_NIST_P256').privateKey);
const badHybrid = (hash: string, otherHash: string, good: () => Buffer): Case[] => [
  ['random bytes', 'InvalidCiphertextException', () => randomBytes(256 + 160)],
  ['no key material', 'InvalidCiphertextException', (p) => encryptFor(p, hash, randomBytes(32))],
  ['one byte too few', 'InvalidCiphertextException', (p) => hybrid(p, hash, good()).subarray(0, -1)],
  ['a block too few', 'InvalidCiphertextException', (p) => hybrid(p, hash, good()).subarray(0, -8)],
  ['a changed AES key', 'InvalidCiphertextException', (p) => flipped(hybrid(p, hash, good()), 9)],
  ['changed key material', 'InvalidCiphertextException', (p) => flipped(hybrid(p, hash, good()), -9)],
  ['another hash', 'InvalidCiphertextException', (p) => hybrid(p, otherHash, good())],
  [
    'an AES key of 20 bytes',
    'InvalidCiphertextException',
    (p) => Buffer.concat([encryptFor(p, hash, randomBytes(20)), keyWrap(randomBytes(32), good())]),
  ],
  ['no private key', 'IncorrectKeyMaterialException', (p) => hybrid(p, hash, randomBytes(150))],
  ['a private key without its end', 'IncorrectKeyMaterialException', (p) => hybrid(p, hash, good().subarray(0, -20))],
  ['a public key', 'IncorrectKeyMaterialException', (p) => hybrid(p, hash, spki(pairOf('ECC_NIST_P256').publicKey))],
  [
    'SEC 1',
    'IncorrectKeyMaterialException',
    (p) => hybrid(p, hash, pairOf('ECC_NIST_P256').privateKey.export({ type: 'sec1', format: 'der' })),
  ],
  [
    'another curve',
    'IncorrectKeyMaterialException',
    (p) => hybrid(p, hash, pkcs8(pairOf('ECC_SECG_P256K1').privateKey)),
  ],
  [
    'a larger curve',
    'IncorrectKeyMaterialException',
    (p) => hybrid(p, hash, pkcs8(pairOf('ECC_NIST_P384').privateKey)),
  ],
  [
    'Ed25519',
    'IncorrectKeyMaterialException',
    (p) => hybrid(p, hash, pkcs8(pairOf('ECC_NIST_EDWARDS25519').privateKey)),
  ],
  ['X25519', 'IncorrectKeyMaterialException', (p) => hybrid(p, hash, pkcs8(generateKeyPairSync('x25519').privateKey))],
];

/** An EC private key with the number in its place: no private value of the curve. */
function p256With(number: Buffer): Buffer {
  const { privateKey } = pairOf('ECC_NIST_P256');
  const der = pkcs8(privateKey);
  const value = Buffer.from(privateKey.export({ format: 'jwk' }).d as string, 'base64url');
  number.copy(der, der.indexOf(value));
  return der;
}

/** An RSA private key with the modulus of another. */
function mixedRsa(): Buffer {
  const [one, other] = [pairOf('RSA_2048'), newPair('RSA_2048')];
  const der = pkcs8(one.privateKey);
  const modulus = (key: typeof one) => Buffer.from(key.publicKey.export({ format: 'jwk' }).n as string, 'base64url');
  modulus(other).copy(der, der.indexOf(modulus(one)));
  return der;
}

const curveOrder = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex');
const badCurve = (send: (p: Parameters, material: Buffer) => Buffer): Case[] => [
  ['a private value of zero', 'IncorrectKeyMaterialException', (p) => send(p, p256With(Buffer.alloc(32)))],
  ['a private value of the order', 'IncorrectKeyMaterialException', (p) => send(p, p256With(curveOrder))],
];

/** What key material is refused with, in fact: a token need not tell why it does not unwrap it. */
export function refusalInToken(spec: KeySpec, expected: string, told: string): string {
  const isUntold = spec.startsWith('RSA') && whyLacking('generic secrets as long as RSA keys') !== undefined;
  return isUntold && told === 'InvalidCiphertextException' ? told : expected;
}

/** Wrong key material, by key spec, usage and wrapping algorithm, all for a wrapping key of 2048 bits. */
export const wrongMaterial: [KeySpec, KeyUsageType, AlgorithmSpec, Case[]][] = [
  [
    'SYMMETRIC_DEFAULT',
    'ENCRYPT_DECRYPT',
    'RSAES_OAEP_SHA_256',
    [...badDirect('sha256', 'sha1'), ...lengths('sha256', [0, 1, 16, 24, 31, 33, 64, 190])],
  ],
  [
    'SYMMETRIC_DEFAULT',
    'ENCRYPT_DECRYPT',
    'RSAES_OAEP_SHA_1',
    [...badDirect('sha1', 'sha256'), ...lengths('sha1', [0, 1, 16, 24, 31, 33, 64, 214])],
  ],
  ['HMAC_224', 'GENERATE_VERIFY_MAC', 'RSAES_OAEP_SHA_256', lengths('sha256', [0, 27, 65])],
  ['HMAC_512', 'GENERATE_VERIFY_MAC', 'RSAES_OAEP_SHA_1', lengths('sha1', [0, 63, 129])],
  [
    'ECC_NIST_P256',
    'SIGN_VERIFY',
    'RSAES_OAEP_SHA_1',
    [...badDirect('sha1', 'sha256'), ...lengths('sha1', [32]), ...badCurve((p, m) => encryptFor(p, 'sha1', m))],
  ],
  [
    'ECC_NIST_P256',
    'SIGN_VERIFY',
    'RSAES_OAEP_SHA_256',
    [...badDirect('sha256', 'sha1'), ...lengths('sha256', [32]), ...badCurve((p, m) => encryptFor(p, 'sha256', m))],
  ],
  [
    'ECC_NIST_P256',
    'KEY_AGREEMENT',
    'RSA_AES_KEY_WRAP_SHA_1',
    [...badHybrid('sha1', 'sha256', p256), ...badCurve((p, m) => hybrid(p, 'sha1', m))],
  ],
  [
    'ECC_NIST_P256',
    'SIGN_VERIFY',
    'RSA_AES_KEY_WRAP_SHA_256',
    [...badHybrid('sha256', 'sha1', p256), ...badCurve((p, m) => hybrid(p, 'sha256', m))],
  ],
  [
    'ECC_NIST_EDWARDS25519',
    'SIGN_VERIFY',
    'RSA_AES_KEY_WRAP_SHA_256',
    [
      ['a key of a NIST curve', 'IncorrectKeyMaterialException', (p) => hybrid(p, 'sha256', p256())],
      ['a seed without PKCS#8', 'IncorrectKeyMaterialException', (p) => hybrid(p, 'sha256', randomBytes(32))],
    ],
  ],
  ...(['RSA_AES_KEY_WRAP_SHA_1', 'RSA_AES_KEY_WRAP_SHA_256'] as const).flatMap((algorithm) => {
    const hash = algorithm.endsWith('_1') ? 'sha1' : 'sha256';
    return (['SIGN_VERIFY', 'ENCRYPT_DECRYPT'] as const).map(
      (usage): [KeySpec, KeyUsageType, AlgorithmSpec, Case[]] => [
        'RSA_2048',
        usage,
        algorithm,
        [
          [
            'another size',
            'IncorrectKeyMaterialException',
            (p) => hybrid(p, hash, pkcs8(pairOf('RSA_3072').privateKey)),
          ],
          ['an EC key', 'IncorrectKeyMaterialException', (p) => hybrid(p, hash, p256())],
          [
            'PKCS#1',
            'IncorrectKeyMaterialException',
            (p) => hybrid(p, hash, pairOf('RSA_2048').privateKey.export({ type: 'pkcs1', format: 'der' })),
          ],
          ['numbers that do not belong together', 'IncorrectKeyMaterialException', (p) => hybrid(p, hash, mixedRsa())],
        ],
      ],
    );
  }),
];
