/**
 * Removes the leading zero bytes of an unsigned big-endian integer (PKCS#11's data type "Big integer", which
 * may carry any number of them). Zero is left with one byte.
 *
 * @param bytes unsigned, big-endian, at least one byte
 * @returns a view of `bytes`, not a copy
 * @throws RangeError when `bytes` is empty
 */
export function withoutLeadingZeros(bytes: Buffer): Buffer {
  if (bytes.length === 0) throw new RangeError('An integer has at least one byte');
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  return bytes.subarray(start);
}

/**
 * An unsigned big-endian integer at a fixed width (I2OSP, RFC 8017 section 4.1).
 *
 * @param bytes unsigned, big-endian, with or without leading zeros
 * @param width bytes of the result
 * @returns a copy, always: the caller may zero it without touching `bytes`
 * @throws RangeError when the integer needs more than `width` bytes or `bytes` is empty
 */
export function toFixedWidth(bytes: Buffer, width: number): Buffer {
  const significant = withoutLeadingZeros(bytes);
  if (significant.length > width) throw new RangeError(`The integer does not fit into ${width} bytes`);
  const fixed = Buffer.alloc(width);
  significant.copy(fixed, width - significant.length);
  return fixed;
}

/**
 * How many bytes the contents of a DER INTEGER (X.690 section 8.3) take for an unsigned integer without leading zeros:
 * one more than its own when its top bit is set, since DER integers are signed.
 */
export function derIntegerLength(significant: Buffer): number {
  return significant.length + ((significant[0] ?? 0) >> 7);
}
