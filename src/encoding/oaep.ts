/*
 * EME-OAEP of RFC 8017 section 7.1 with an empty label and MGF1 over the same hash: what stands around a raw RSA
 * operation (CKM_RSA_X_509) in a token that has no OAEP with SHA-256.
 */
import { createHash } from 'node:crypto';

/** Bytes of the digests; names as in node:crypto. */
const digestBytes = { sha1: 20, sha256: 32 } as const;

export type OaepHash = keyof typeof digestBytes;

const labelHashes: Readonly<Record<OaepHash, Buffer>> = {
  sha1: createHash('sha1').digest(),
  sha256: createHash('sha256').digest(),
};

/**
 * EME-OAEP encoding (RFC 8017 section 7.1.1, step 2).
 *
 * @param message at most k - 2 * digest bytes - 2 bytes
 * @param k bytes of the RSA modulus
 * @param seed fresh random bytes from the token, as many as the hash gives; not changed
 * @returns the encoded message EM of `k` bytes: as secret as `message`, the caller zeroes it
 * @throws RangeError when `message` is too long for `k`, or `seed` has another length
 */
export function oaepEncode(message: Buffer, hash: OaepHash, k: number, seed: Buffer): Buffer {
  const hashLength = digestBytes[hash];
  if (seed.length !== hashLength) throw new RangeError(`The seed has ${hashLength} bytes with ${hash}`);
  if (message.length > k - 2 * hashLength - 2) throw new RangeError('The message is too long for the modulus');

  const em = Buffer.alloc(k);
  const maskedSeed = em.subarray(1, 1 + hashLength);
  const db = em.subarray(1 + hashLength);
  seed.copy(maskedSeed);
  labelHashes[hash].copy(db);
  db[db.length - message.length - 1] = 0x01;
  message.copy(db, db.length - message.length);
  applyMgf1(db, seed, hash);
  applyMgf1(maskedSeed, db, hash);
  return em;
}

/**
 * EME-OAEP decoding (RFC 8017 section 7.1.2, step 3) in constant time: all checks run over the whole block, whatever
 * they find, and only their sum is decided upon, once. Who learns *which* check failed, or how far it got, decrypts any
 * ciphertext with some thousand questions (Manger, CRYPTO 2001). As far as JavaScript can promise it: no branch and no
 * index depends on a secret byte; what the engine and the memory make of that is theirs.
 *
 * @param em the block as it came from the raw RSA decryption; up to `k` bytes, since some tokens strip leading zeros.
 *   It is not changed: as secret as the message, the caller zeroes it
 * @param k bytes of the RSA modulus
 * @returns the message, or undefined when the block is no encoding of one, for whatever reason
 * @throws RangeError for what is wrong with the call and not with the ciphertext: `k` too small, `em` longer than `k`
 */
export function oaepDecode(em: Buffer, hash: OaepHash, k: number): Buffer | undefined {
  const hashLength = digestBytes[hash];
  if (k < 2 * hashLength + 2) throw new RangeError(`OAEP with ${hash} does not fit into ${k} bytes`);
  if (em.length > k) throw new RangeError(`The block is longer than ${k} bytes`);

  const block = Buffer.alloc(k);
  // Not a loop over `em`: one copy takes the same time for k and for k - 1 bytes, which is all that is ever valid.
  em.copy(block, k - em.length);
  const seed = block.subarray(1, 1 + hashLength);
  const db = block.subarray(1 + hashLength);
  applyMgf1(seed, db, hash);
  applyMgf1(db, seed, hash);

  // 0 as long as nothing is wrong. Masks below are 0 or -1 (all bits).
  let wrong = block[0] as number;
  const labelHash = labelHashes[hash];
  for (let index = 0; index < hashLength; index++) {
    wrong |= (db[index] as number) ^ (labelHash[index] as number);
  }
  let separatorSeen = 0;
  let messageStart = 0;
  for (let index = hashLength; index < db.length; index++) {
    const byte = db[index] as number;
    const isZero = (byte - 1) >> 31;
    const isOne = ((byte ^ 0x01) - 1) >> 31;
    // Before the separator 0x01 there are only zeros.
    wrong |= ~separatorSeen & ~isOne & ~isZero;
    messageStart |= ~separatorSeen & isOne & (index + 1);
    separatorSeen |= isOne;
  }
  wrong |= ~separatorSeen;

  const message = wrong === 0 ? Buffer.from(db.subarray(messageStart)) : undefined;
  block.fill(0);
  return message;
}

/** XORs the mask MGF1(seed, target.length) of RFC 8017 section B.2.1 onto `target`. */
function applyMgf1(target: Buffer, seed: Buffer, hash: OaepHash): void {
  const counter = Buffer.alloc(4);
  for (let offset = 0, block = 0; offset < target.length; block++) {
    counter.writeUInt32BE(block);
    const mask = createHash(hash).update(seed).update(counter).digest();
    for (let index = 0; index < mask.length && offset < target.length; index++, offset++) {
      target[offset] = (target[offset] as number) ^ (mask[index] as number);
    }
    mask.fill(0);
  }
}
