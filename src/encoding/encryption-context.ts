/*
 * The bytes of an encryption context:
 *
 *   empty or absent   no bytes
 *   otherwise         u32 number of pairs, then per pair  u32 length, key, u32 length, value
 *
 * All integers big-endian, lengths in bytes, text in UTF-8, pairs in the order of their keys' UTF-8 bytes. Every length
 * stands before what it measures, so two different contexts never have the same bytes.
 */

/** Zero bytes cannot be written to: sharing it is safe. */
const empty = Buffer.alloc(0);

/**
 * An encryption context in one unambiguous form, whatever the order of its keys: part of the additional authenticated
 * data of a symmetric ciphertext.
 *
 * @param context any map of well-formed strings, also with a null prototype and keys such as `__proto__`
 * @returns the bytes described above; the same for an absent context and for one without pairs
 * @throws RangeError when a key or value holds a lone surrogate: UTF-8 has no bytes for it, and the customary
 *   replacement by U+FFFD would make different contexts equal
 */
export function encodeEncryptionContext(context: Readonly<Record<string, string>> | undefined): Buffer {
  if (context === undefined) return empty;
  const keys = Object.keys(context);
  if (keys.length === 0) return empty;
  if (keys.length > 1) keys.sort(compareUtf8);

  // A UTF-16 code unit takes at most three bytes in UTF-8.
  let capacity = 4;
  for (const key of keys) capacity += 8 + 3 * (key.length + (context[key] as string).length);
  const bytes = Buffer.allocUnsafe(capacity);
  let end = writeUint32(bytes, 0, keys.length);
  for (const key of keys) {
    end = writeText(bytes, end, key);
    end = writeText(bytes, end, context[key] as string);
  }
  return bytes.subarray(0, end);
}

/** Writes length and text at `offset`; returns the offset behind them. */
function writeText(bytes: Buffer, offset: number, text: string): number {
  const start = offset + 4;
  const { length } = text;
  // Short ASCII text, which nearly all is, costs less here than a call out of JavaScript.
  if (length <= 64) {
    let index = 0;
    for (; index < length; index++) {
      const unit = text.charCodeAt(index);
      if (unit > 0x7f) break;
      bytes[start + index] = unit;
    }
    if (index === length) return writeUint32(bytes, offset, length) + length;
  }
  if (!text.isWellFormed()) throw new RangeError('An encryption context holds a lone surrogate');
  const written = bytes.write(text, start, 'utf8');
  return writeUint32(bytes, offset, written) + written;
}

/** Writes `value` at `offset`; returns the offset behind it. */
function writeUint32(bytes: Buffer, offset: number, value: number): number {
  bytes[offset] = value >>> 24;
  bytes[offset + 1] = value >>> 16;
  bytes[offset + 2] = value >>> 8;
  bytes[offset + 3] = value;
  return offset + 4;
}

/**
 * Orders well-formed strings as their UTF-8 bytes do, which is by code point. JavaScript compares UTF-16 code units,
 * where surrogates (U+10000 and above) come before U+E000..U+FFFF: those two are exchanged.
 */
function compareUtf8(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  for (let index = 0; index < shorter; index++) {
    const left = a.charCodeAt(index);
    const right = b.charCodeAt(index);
    if (left !== right) {
      return left < 0xd800 || right < 0xd800 ? left - right : surrogatesLast(left) - surrogatesLast(right);
    }
  }
  return a.length - b.length;
}

/** For code units from 0xD800 on: lifts surrogates above U+FFFF. */
function surrogatesLast(unit: number): number {
  return unit < 0xe000 ? unit + 0x2800 : unit;
}
