import { constants, createHash, generateKeyPairSync, privateDecrypt, publicEncrypt, randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { oaepDecode, oaepEncode } from '../../src/encoding/oaep.js';

const { RSA_NO_PADDING, RSA_PKCS1_OAEP_PADDING } = constants;

const keys = ([2048, 3072] as const).map((bits) => ({
  k: bits / 8,
  ...generateKeyPairSync('rsa', { modulusLength: bits }),
}));
const hashes = [
  { hash: 'sha1', hashLength: 20 },
  { hash: 'sha256', hashLength: 32 },
] as const;
const cases = keys.flatMap((key) => hashes.map((hash) => ({ ...key, ...hash, name: `${hash.hash}, ${key.k} bytes` })));

/** MGF1 of RFC 8017 section B.2.1, once more and independent of the source. */
function mgf1(hash: string, seed: Buffer, length: number): Buffer {
  const blocks: Buffer[] = [];
  for (let counter = 0; blocks.length * 20 < length; counter++) {
    blocks.push(
      createHash(hash)
        .update(Buffer.concat([seed, Buffer.of(0, 0, 0, counter)]))
        .digest(),
    );
  }
  return Buffer.concat(blocks).subarray(0, length);
}

describe.each(cases)('OAEP with $name', ({ hash, hashLength, k, privateKey, publicKey }) => {
  const longest = k - 2 * hashLength - 2;
  const lengths = [0, 1, 2, 32, longest - 1, longest];
  const rawDecrypt = (ciphertext: Buffer) => privateDecrypt({ key: privateKey, padding: RSA_NO_PADDING }, ciphertext);
  const encode = (message: Buffer) => oaepEncode(message, hash, k, randomBytes(hashLength));

  test.each(lengths)('decodes what OpenSSL encrypts, %i bytes', (length) => {
    const message = randomBytes(length);
    const ciphertext = publicEncrypt({ key: publicKey, padding: RSA_PKCS1_OAEP_PADDING, oaepHash: hash }, message);
    const em = rawDecrypt(ciphertext);
    expect(oaepDecode(em, hash, k)).toEqual(message);
    // The first byte is zero: a token that strips leading zeros gives less.
    expect(oaepDecode(em.subarray(1), hash, k)).toEqual(message);
  });

  test.each(lengths)('encodes what OpenSSL decrypts, %i bytes', (length) => {
    const message = randomBytes(length);
    const ciphertext = publicEncrypt({ key: publicKey, padding: RSA_NO_PADDING }, encode(message));
    expect(privateDecrypt({ key: privateKey, padding: RSA_PKCS1_OAEP_PADDING, oaepHash: hash }, ciphertext)).toEqual(
      message,
    );
  });

  test('decodes blocks that begin with several zeros, stripped or not', () => {
    const message = randomBytes(20);
    for (let tries = 0; ; tries++) {
      expect(tries).toBeLessThan(10_000);
      const em = encode(message);
      if (em[1] !== 0) continue;
      expect(oaepDecode(em, hash, k)).toEqual(message);
      expect(oaepDecode(em.subarray(1), hash, k)).toEqual(message);
      expect(oaepDecode(em.subarray(2), hash, k)).toEqual(message);
      return;
    }
  });

  test('messages of zeros and ones keep them', () => {
    for (const message of [
      Buffer.alloc(10),
      Buffer.alloc(10, 1),
      Buffer.from('00010001', 'hex'),
      Buffer.alloc(longest, 1),
    ]) {
      expect(oaepDecode(encode(message), hash, k)).toEqual(message);
    }
  });

  test('round trip', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: longest }), (bytes) => {
        expect(oaepDecode(encode(Buffer.from(bytes)), hash, k)).toEqual(Buffer.from(bytes));
      }),
      { numRuns: 50 },
    );
  });

  test('refuses a block with any byte changed', () => {
    const em = encode(randomBytes(20));
    for (let position = 0; position < k; position++) {
      const changed = Buffer.from(em);
      changed[position] = (changed[position] as number) ^ (1 + (position % 255));
      // One byte of the masked seed or of masked DB changes the seed, and with it all of DB.
      expect(oaepDecode(changed, hash, k)).toBeUndefined();
    }
  });

  /** The encoding of an arbitrary DB: both masks are taken from what oaepEncode makes with the same seed. */
  function encodeDb(change: (db: Buffer) => void): Buffer {
    const seed = randomBytes(hashLength);
    const message = Buffer.alloc(10, 0x42);
    const dbLength = k - hashLength - 1;
    const em = oaepEncode(message, hash, k, seed);
    const db = em.subarray(1 + hashLength);
    // DB xor its change, under the same mask; then the seed's mask anew, since it depends on masked DB.
    const plain = Buffer.alloc(dbLength);
    createHash(hash).digest().copy(plain);
    plain[dbLength - 11] = 1;
    message.copy(plain, dbLength - 10);
    const before = Buffer.from(plain);
    change(plain);
    for (let index = 0; index < dbLength; index++) {
      db[index] = (db[index] as number) ^ (before[index] as number) ^ (plain[index] as number);
    }
    const seedMask = mgf1(hash, db, hashLength);
    for (let index = 0; index < hashLength; index++)
      em[1 + index] = (seed[index] as number) ^ (seedMask[index] as number);
    return em;
  }

  test('refuses each wrong byte of lHash, PS and the separator, and nothing of the message', () => {
    const dbLength = k - hashLength - 1;
    const message = Buffer.alloc(10, 0x42);
    expect(
      oaepDecode(
        encodeDb(() => {}),
        hash,
        k,
      ),
    ).toEqual(message);
    for (let position = 0; position < dbLength; position++) {
      for (const flip of [0x02, 0x80, 0xff]) {
        const em = encodeDb((db) => {
          db[position] = (db[position] as number) ^ flip;
        });
        const decoded = oaepDecode(em, hash, k);
        if (position < dbLength - 10) {
          expect(decoded).toBeUndefined();
        } else {
          const expected = Buffer.from(message);
          expected[position - (dbLength - 10)] = 0x42 ^ flip;
          expect(decoded).toEqual(expected);
        }
      }
    }
  });

  test('a separator further in front makes the message longer, and its absence refuses', () => {
    const dbLength = k - hashLength - 1;
    for (const position of [hashLength, hashLength + 1, dbLength - 12]) {
      const em = encodeDb((db) => {
        db[position] = 1;
      });
      expect(oaepDecode(em, hash, k)).toHaveLength(dbLength - position - 1);
    }
    const zeros = encodeDb((db) => db.fill(0, hashLength));
    expect(oaepDecode(zeros, hash, k)).toBeUndefined();
    const last = encodeDb((db) => {
      db.fill(0, hashLength);
      db[dbLength - 1] = 1;
    });
    expect(oaepDecode(last, hash, k)).toEqual(Buffer.alloc(0));
  });

  test('refuses a first byte other than zero, though all else is right', () => {
    const em = encode(randomBytes(20));
    for (let byte = 1; byte < 256; byte++) {
      em[0] = byte;
      expect(oaepDecode(em, hash, k)).toBeUndefined();
    }
  });

  test('refuses the other hash, empty blocks and random ones', () => {
    const other = hash === 'sha1' ? 'sha256' : 'sha1';
    expect(oaepDecode(encode(randomBytes(5)), other, k)).toBeUndefined();
    expect(oaepDecode(Buffer.alloc(0), hash, k)).toBeUndefined();
    expect(oaepDecode(Buffer.alloc(k), hash, k)).toBeUndefined();
    for (let round = 0; round < 100; round++) {
      expect(oaepDecode(Buffer.concat([Buffer.of(0), randomBytes(k - 1)]), hash, k)).toBeUndefined();
    }
  });

  test('a label other than the empty one is refused', () => {
    const oaepLabel = Buffer.from('label');
    const ciphertext = publicEncrypt(
      { key: publicKey, padding: RSA_PKCS1_OAEP_PADDING, oaepHash: hash, oaepLabel },
      Buffer.from('message'),
    );
    expect(oaepDecode(rawDecrypt(ciphertext), hash, k)).toBeUndefined();
  });

  test('leaves its input as it is, and its result apart from it', () => {
    const em = encode(Buffer.from('message'));
    const before = Buffer.from(em);
    const message = oaepDecode(em, hash, k);
    em.fill(0xff);
    expect(message?.toString()).toBe('message');
    const seed = randomBytes(hashLength);
    const input = Buffer.from('message');
    const seedBefore = Buffer.from(seed);
    oaepEncode(input, hash, k, seed);
    expect(seed).toEqual(seedBefore);
    expect(input.toString()).toBe('message');
    expect(oaepDecode(before, hash, k)?.toString()).toBe('message');
  });

  test('throws on a wrong call only', () => {
    expect(() => oaepDecode(Buffer.alloc(k + 1), hash, k)).toThrow(RangeError);
    expect(() => oaepDecode(Buffer.alloc(1), hash, 2 * hashLength + 1)).toThrow(RangeError);
    expect(() => encode(Buffer.alloc(longest + 1))).toThrow(RangeError);
    expect(() => oaepEncode(Buffer.alloc(1), hash, k, Buffer.alloc(hashLength - 1))).toThrow(RangeError);
    expect(() => oaepEncode(Buffer.alloc(0), hash, 2 * hashLength + 1, Buffer.alloc(hashLength))).toThrow(RangeError);
  });
});
