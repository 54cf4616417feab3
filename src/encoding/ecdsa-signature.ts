/*
 * ECDSA-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER }   (RFC 3279 section 2.2.3)
 *
 * By hand and not with asn1js because each Sign passes here: asn1js takes 11 us to write one, this well under 1 us.
 */
import { derIntegerLength, withoutLeadingZeros } from './unsigned-integer.js';

const sequenceTag = 0x30;
const integerTag = 0x02;
/** First byte of a length that takes one further byte (X.690 section 8.1.3.5). */
const lengthInOneByte = 0x81;

/**
 * From the form of PKCS#11 (CKM_ECDSA, v2.40 section 2.3.1) to that of KMS.
 *
 * @param rs r||s, unsigned big-endian, equal halves of at most 66 bytes (P-521)
 * @returns DER ECDSA-Sig-Value
 * @throws RangeError when the halves cannot be those of a signature: odd or excessive length, or a zero r or s
 */
export function toDer(rs: Buffer): Buffer {
  const half = rs.length / 2;
  if (!Number.isInteger(half) || half === 0 || half > 66) throw new RangeError('r||s has an impossible length');
  const r = withoutLeadingZeros(rs.subarray(0, half));
  const s = withoutLeadingZeros(rs.subarray(half));
  if (r[0] === 0 || s[0] === 0) throw new RangeError('r and s are never zero in a signature');

  const rLength = derIntegerLength(r);
  const sLength = derIntegerLength(s);
  const contentLength = 4 + rLength + sLength;
  const headerLength = contentLength < 0x80 ? 2 : 3;
  const der = Buffer.allocUnsafe(headerLength + contentLength);
  der[0] = sequenceTag;
  if (headerLength === 3) der[1] = lengthInOneByte;
  der[headerLength - 1] = contentLength;
  const next = writeInteger(der, headerLength, r, rLength);
  writeInteger(der, next, s, sLength);
  return der;
}

function writeInteger(der: Buffer, offset: number, significant: Buffer, length: number): number {
  der[offset] = integerTag;
  der[offset + 1] = length;
  // Overwritten by the first byte where no sign byte is needed.
  der[offset + 2] = 0;
  const end = offset + 2 + length;
  der.set(significant, end - significant.length);
  return end;
}

/**
 * From the form of KMS to that of PKCS#11. Strict DER, so that a signature has one encoding only: trailing bytes,
 * long lengths where short ones do, negative, padded, zero and oversize integers are all refused.
 *
 * That r and s are smaller than the group order is left to the token's verification.
 *
 * @param der DER ECDSA-Sig-Value, untrusted
 * @param fieldBytes width of r and of s: the bytes of the group order
 * @returns r||s of 2 * `fieldBytes` bytes, or undefined when `der` is no signature of this size; never throws on bytes
 */
export function fromDer(der: Buffer, fieldBytes: number): Buffer | undefined {
  if (der[0] !== sequenceTag) return undefined;
  const isLong = der[1] === lengthInOneByte;
  const contentLength = der[isLong ? 2 : 1];
  const start = isLong ? 3 : 2;
  if (contentLength === undefined || contentLength < 0x80 === isLong) return undefined;
  if (der.length !== start + contentLength) return undefined;

  const rs = Buffer.alloc(2 * fieldBytes);
  const middle = readInteger(der, start, rs.subarray(0, fieldBytes));
  const end = middle === undefined ? undefined : readInteger(der, middle, rs.subarray(fieldBytes));
  return end === der.length ? rs : undefined;
}

/** Reads one positive INTEGER at `offset` into `target`, right-aligned; returns the offset behind it. */
function readInteger(der: Buffer, offset: number, target: Buffer): number | undefined {
  const length = der[offset + 1];
  const first = der[offset + 2];
  if (der[offset] !== integerTag || length === undefined || length === 0 || length > 0x7f) return undefined;
  const end = offset + 2 + length;
  if (end > der.length || first === undefined || first > 0x7f) return undefined;

  let start = offset + 2;
  if (first === 0) {
    // A zero byte may only stand before a byte that would read as negative without it; alone it is the number zero.
    if (length === 1 || (der[start + 1] ?? 0) < 0x80) return undefined;
    start++;
  }
  if (end - start > target.length) return undefined;
  der.copy(target, target.length - (end - start), start, end);
  return end;
}
