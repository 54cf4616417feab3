/*
 * The ciphertext blob of symmetric KMS keys (AES-256-GCM). Offsets and lengths in bytes:
 *
 *    0   4  magic, ASCII "HKMS"
 *    4   1  format version, 1
 *    5   1  form of the key id: 0 a UUID, 1 "mrk-" and 32 hexadecimal digits
 *    6  16  key id: its 32 hexadecimal digits
 *   22  32  key material id
 *   54  12  IV
 *   66   n  ciphertext, as long as the plaintext (1 byte at least)
 *  66+n 16  GCM tag
 *
 * The first 54 bytes are the header. It is the same for all ciphertexts of one key material and is authenticated as the
 * beginning of the additional data; the IV and the tag are authenticated by GCM itself. Ciphertext and tag lie together
 * because CKM_AES_GCM gives and takes them so (PKCS#11 mechanisms, "AES-GCM authenticated encryption").
 *
 * The whole is 82 bytes longer than the plaintext: 4,178 bytes for KMS's largest, 4,096.
 */

const magic = Buffer.from('HKMS', 'latin1');
const formatVersion = 1;
const keyIdForms = { uuid: 0, multiRegion: 1 } as const;

const offsets = { version: 4, keyIdForm: 5, keyId: 6, keyMaterialId: 22, iv: 54, sealed: 66 } as const;

/** Bytes of the header. */
export const headerBytes = offsets.iv;
/** Bytes of the initialization vector. */
export const ivBytes = 12;
/** Bytes of the GCM tag at the end of `sealed`. */
export const tagBytes = 16;
/** KMS's limit for a CiphertextBlob, in bytes. */
export const maxBlobBytes = 6144;

const uuidPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const multiRegionPattern = /^mrk-[0-9a-f]{32}$/;
const keyMaterialIdPattern = /^[0-9a-f]{64}$/;

/**
 * The header of every ciphertext made with one key material: worth keeping beside the key.
 *
 * @param keyId a UUID or `mrk-` and 32 hexadecimal digits, lower case
 * @param keyMaterialId 64 hexadecimal digits, lower case
 * @throws RangeError when either has another form
 */
export function encodeHeader(keyId: string, keyMaterialId: string): Buffer {
  const isMultiRegion = multiRegionPattern.test(keyId);
  if (!isMultiRegion && !uuidPattern.test(keyId)) throw new RangeError('Not a key id');
  if (!keyMaterialIdPattern.test(keyMaterialId)) throw new RangeError('Not a key material id');
  const header = Buffer.allocUnsafe(headerBytes);
  magic.copy(header);
  header[offsets.version] = formatVersion;
  header[offsets.keyIdForm] = isMultiRegion ? keyIdForms.multiRegion : keyIdForms.uuid;
  header.write(isMultiRegion ? keyId.slice('mrk-'.length) : keyId.replaceAll('-', ''), offsets.keyId, 'hex');
  header.write(keyMaterialId, offsets.keyMaterialId, 'hex');
  return header;
}

/**
 * The additional authenticated data of a ciphertext: header and encryption context. The header has a fixed length, so
 * no two pairs of them give the same bytes.
 *
 * @param header as `encodeHeader` or `parse` returns it
 * @param encodedContext as `encodeEncryptionContext` returns it
 * @returns `header` itself when the context is empty: not to be written to
 * @throws RangeError when `header` has another length
 */
export function additionalData(header: Buffer, encodedContext: Buffer): Buffer {
  if (header.length !== headerBytes) throw new RangeError('Not a ciphertext header');
  if (encodedContext.length === 0) return header;
  const data = Buffer.allocUnsafe(headerBytes + encodedContext.length);
  data.set(header, 0);
  data.set(encodedContext, headerBytes);
  return data;
}

/**
 * The blob, in one allocation.
 *
 * @param header as `encodeHeader` returns it
 * @param iv 12 bytes
 * @param sealed ciphertext||tag, as CKM_AES_GCM returns it
 * @throws RangeError when a part has an impossible length, or the blob would exceed KMS's 6,144 bytes
 */
export function assemble(header: Buffer, iv: Buffer, sealed: Buffer): Buffer {
  const length = offsets.sealed + sealed.length;
  if (header.length !== headerBytes || iv.length !== ivBytes || sealed.length <= tagBytes || length > maxBlobBytes) {
    throw new RangeError('A part of the ciphertext has an impossible length');
  }
  const blob = Buffer.allocUnsafe(length);
  blob.set(header, 0);
  blob.set(iv, offsets.iv);
  blob.set(sealed, offsets.sealed);
  return blob;
}

/** A blob taken apart. The Buffers are views of it. */
export interface CiphertextBlob {
  readonly keyId: string;
  /** 64 hexadecimal digits. */
  readonly keyMaterialId: string;
  /** For `additionalData`. */
  readonly header: Buffer;
  readonly iv: Buffer;
  /** ciphertext||tag, as CKM_AES_GCM takes it. */
  readonly sealed: Buffer;
}

/**
 * Takes a blob apart. Nothing of it is authentic until it has been decrypted with its `additionalData`.
 *
 * @returns undefined when the bytes are not in this format (RSA ciphertexts, AWS's own blobs, garbage); never throws
 */
export function parse(blob: Buffer): CiphertextBlob | undefined {
  const keyIdForm = blob[offsets.keyIdForm];
  if (
    blob.length <= offsets.sealed + tagBytes ||
    blob.length > maxBlobBytes ||
    blob.compare(magic, 0, magic.length, 0, magic.length) !== 0 ||
    blob[offsets.version] !== formatVersion ||
    (keyIdForm !== keyIdForms.uuid && keyIdForm !== keyIdForms.multiRegion)
  ) {
    return undefined;
  }
  const digits = blob.toString('hex', offsets.keyId, offsets.keyMaterialId);
  return {
    keyId: keyIdForm === keyIdForms.uuid ? hyphenated(digits) : `mrk-${digits}`,
    keyMaterialId: blob.toString('hex', offsets.keyMaterialId, offsets.iv),
    header: blob.subarray(0, headerBytes),
    iv: blob.subarray(offsets.iv, offsets.sealed),
    sealed: blob.subarray(offsets.sealed),
  };
}

function hyphenated(digits: string): string {
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-${digits.slice(12, 16)}-${digits.slice(16, 20)}-${digits.slice(20)}`;
}
