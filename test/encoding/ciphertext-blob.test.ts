import {
  createCipheriv,
  createDecipheriv,
  generateKeyPairSync,
  publicEncrypt,
  randomBytes,
  randomUUID,
} from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  additionalData,
  assemble,
  encodeHeader,
  headerBytes,
  maxBlobBytes,
  parse,
} from '../../src/encoding/ciphertext-blob.js';
import { encodeEncryptionContext } from '../../src/encoding/encryption-context.js';

const digits = (bytes: number) =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((value) => Buffer.from(value).toString('hex'));
const keyId = fc.oneof(
  fc.uuid(),
  digits(16).map((hex) => hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')),
  digits(16).map((hex) => `mrk-${hex}`),
);
const bytes = (constraints: { minLength: number; maxLength: number }) =>
  fc.uint8Array(constraints).map((value) => Buffer.from(value));
const iv = bytes({ minLength: 12, maxLength: 12 });
const sealed = bytes({ minLength: 17, maxLength: 200 });

const materialId = 'ab'.repeat(32);
const exampleHeader = () => encodeHeader('00112233-4455-6677-8899-aabbccddeeff', materialId);

describe('the blob', () => {
  test('has this layout', () => {
    const blob = assemble(exampleHeader(), Buffer.alloc(12, 0x11), Buffer.alloc(17, 0x22));
    expect(blob.toString('hex')).toBe(
      `484b4d53010000112233445566778899aabbccddeeff${materialId}${'11'.repeat(12)}${'22'.repeat(17)}`,
    );
    const multiRegion = encodeHeader('mrk-00112233445566778899aabbccddeeff', materialId);
    expect(multiRegion.toString('hex')).toBe(`484b4d53010100112233445566778899aabbccddeeff${materialId}`);
  });

  test('is parsed into what it was assembled of', () => {
    fc.assert(
      fc.property(keyId, digits(32), iv, sealed, (id, material, initial, secret) => {
        const header = encodeHeader(id, material);
        expect(parse(assemble(header, initial, secret))).toEqual({
          keyId: id,
          keyMaterialId: material,
          header,
          iv: initial,
          sealed: secret,
        });
      }),
      { numRuns: 1000 },
    );
  });

  test('holds the largest plaintext of KMS within its limit', () => {
    const blob = assemble(exampleHeader(), Buffer.alloc(12), Buffer.alloc(4096 + 16));
    expect(blob).toHaveLength(4178);
    expect(parse(blob)?.sealed).toHaveLength(4112);
    expect(assemble(exampleHeader(), Buffer.alloc(12), Buffer.alloc(maxBlobBytes - 66))).toHaveLength(maxBlobBytes);
  });

  test.each<[string, Buffer, Buffer, Buffer]>([
    ['a short header', exampleHeader().subarray(1), Buffer.alloc(12), Buffer.alloc(17)],
    ['a long header', Buffer.concat([exampleHeader(), Buffer.of(0)]), Buffer.alloc(12), Buffer.alloc(17)],
    ['a short IV', exampleHeader(), Buffer.alloc(11), Buffer.alloc(17)],
    ['a long IV', exampleHeader(), Buffer.alloc(16), Buffer.alloc(17)],
    ['a tag only', exampleHeader(), Buffer.alloc(12), Buffer.alloc(16)],
    ['too much ciphertext', exampleHeader(), Buffer.alloc(12), Buffer.alloc(maxBlobBytes - 65)],
  ])('is not assembled of %s', (_, header, initial, secret) => {
    expect(() => assemble(header, initial, secret)).toThrow(RangeError);
  });
});

describe('encodeHeader', () => {
  test.each([
    [''],
    ['alias/a'],
    ['00112233445566778899aabbccddeeff'],
    ['00112233-4455-6677-8899-AABBCCDDEEFF'],
    ['00112233-4455-6677-8899-aabbccddeeff\n'],
    ['00112233-4455-6677-8899-aabbccddeef'],
    ['mrk-00112233-4455-6677-8899-aabbccddeeff'],
    ['mrk-00112233445566778899aabbccddeefg'],
    ['mrk-00112233445566778899aabbccddeeff0'],
    ['arn:aws:kms:us-east-1:000000000000:key/00112233-4455-6677-8899-aabbccddeeff'],
  ])('refuses the key id %j', (id) => {
    expect(() => encodeHeader(id, materialId)).toThrow(RangeError);
  });

  test.each([[''], ['ab'.repeat(31)], ['ab'.repeat(33)], ['AB'.repeat(32)], ['xy'.repeat(32)]])(
    'refuses the key material id %j',
    (id) => {
      expect(() => encodeHeader(randomUUID(), id)).toThrow(RangeError);
    },
  );
});

describe('parse', () => {
  const blob = assemble(exampleHeader(), Buffer.alloc(12), Buffer.alloc(17));
  const changed = (offset: number, byte: number) => {
    const copy = Buffer.from(blob);
    copy[offset] = byte;
    return copy;
  };

  test.each<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['the header only', exampleHeader()],
    ['no ciphertext', blob.subarray(0, -1)],
    ['too much', Buffer.concat([blob, Buffer.alloc(maxBlobBytes - blob.length + 1)])],
    ['version 0', changed(4, 0)],
    ['version 2', changed(4, 2)],
    ['an unknown form of key id', changed(5, 2)],
    ['zeros', Buffer.alloc(100)],
    ['the beginning of a blob of AWS', Buffer.concat([Buffer.from('AQICAHh', 'base64'), randomBytes(180)])],
    ['an RSA ciphertext', publicEncrypt(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey, Buffer.of(1))],
  ])('refuses %s', (_, candidate) => {
    expect(parse(candidate)).toBeUndefined();
  });

  test('notices every bit of the magic, the version and the form', () => {
    for (let bit = 0; bit < 6 * 8 - 1; bit++) {
      expect(parse(changed(bit >> 3, (blob[bit >> 3] as number) ^ (0x80 >> (bit & 7))))).toBeUndefined();
    }
  });

  test('never throws, and accepts nothing that it would not assemble', () => {
    const begun = fc
      .tuple(fc.nat({ max: blob.length }), bytes({ minLength: 0, maxLength: 100 }))
      .map(([keep, tail]) => Buffer.concat([blob.subarray(0, keep), tail]));
    fc.assert(
      fc.property(fc.oneof(begun, bytes({ minLength: 0, maxLength: 200 })), (candidate) => {
        const parts = parse(candidate);
        if (parts === undefined) return;
        expect(encodeHeader(parts.keyId, parts.keyMaterialId)).toEqual(parts.header);
        expect(assemble(parts.header, parts.iv, parts.sealed)).toEqual(candidate);
      }),
      { numRuns: 3000 },
    );
  });
});

describe('additionalData', () => {
  test('is header and context', () => {
    const context = encodeEncryptionContext({ a: 'b' });
    expect(additionalData(exampleHeader(), context)).toEqual(Buffer.concat([exampleHeader(), context]));
    expect(additionalData(exampleHeader(), encodeEncryptionContext(undefined))).toEqual(exampleHeader());
    expect(() => additionalData(Buffer.alloc(headerBytes - 1), context)).toThrow(RangeError);
    expect(() => additionalData(Buffer.alloc(headerBytes + 1), context)).toThrow(RangeError);
  });

  test('differs whenever key, material or context differ', () => {
    const context = fc.dictionary(fc.string({ maxLength: 2 }), fc.string({ maxLength: 2 }), { maxKeys: 2 });
    const few = fc.constantFrom('00112233-4455-6677-8899-aabbccddeeff', 'mrk-00112233445566778899aabbccddeeff');
    const material = fc.constantFrom('ab'.repeat(32), `${'ab'.repeat(31)}ac`);
    const input = fc.tuple(few, material, context);
    const dataOf = ([id, materialHex, map]: [string, string, Record<string, string>]) =>
      additionalData(encodeHeader(id, materialHex), encodeEncryptionContext(map)).toString('hex');
    const sorted = ([id, materialHex, map]: [string, string, Record<string, string>]) =>
      JSON.stringify([id, materialHex, Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1))]);
    fc.assert(
      fc.property(input, input, (one, other) => {
        expect(dataOf(one) === dataOf(other)).toBe(sorted(one) === sorted(other));
      }),
      { numRuns: 2000 },
    );
  });

  test('with it no bit of a blob can change, nor its context', () => {
    const key = randomBytes(32);
    const context = encodeEncryptionContext({ purpose: 'test' });
    const header = exampleHeader();
    const initial = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', key, initial).setAAD(additionalData(header, context));
    const secret = Buffer.concat([cipher.update('plaintext'), cipher.final(), cipher.getAuthTag()]);
    const blob = assemble(header, initial, secret);

    const decrypt = (candidate: Buffer, encodedContext: Buffer) => {
      const parts = parse(candidate);
      if (parts === undefined) throw new Error('not a blob');
      const decipher = createDecipheriv('aes-256-gcm', key, parts.iv, { authTagLength: 16 })
        .setAAD(additionalData(parts.header, encodedContext))
        .setAuthTag(parts.sealed.subarray(-16));
      return Buffer.concat([decipher.update(parts.sealed.subarray(0, -16)), decipher.final()]).toString();
    };
    expect(decrypt(blob, context)).toBe('plaintext');
    for (let bit = 0; bit < blob.length * 8; bit++) {
      const changed = Buffer.from(blob);
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (0x80 >> (bit & 7));
      expect(() => decrypt(changed, context)).toThrow();
    }
    expect(() => decrypt(blob, encodeEncryptionContext(undefined))).toThrow();
    expect(() => decrypt(blob, encodeEncryptionContext({ purpose: 'Test' }))).toThrow();
  });
});
