import * as asn1 from 'asn1js';

/**
 * asn1js calls `slice()` and `.buffer` on what it is given: a Buffer would hand it the whole pool that it lives in.
 *
 * @returns a plain Uint8Array over the same memory
 */
export function plainView(bytes: Buffer): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
}

/** DER of an asn1js value, in memory of its own (not Node's shared pool), so that it can be zeroed. */
export function encodeDer(block: asn1.AsnType): Buffer {
  return Buffer.from(block.toBER());
}

/**
 * Parses exactly one DER value. asn1js reads BER; what DER forbids in tags and lengths is refused here (indefinite and
 * needlessly long lengths, trailing bytes). The contents of primitive values are the caller's to judge.
 *
 * Nothing is copied: all values in the result are views of `der`, so zeroing `der` leaves no trace of private parts.
 *
 * @returns undefined when `der` is anything else; never throws
 */
export function decodeDer(der: Buffer): asn1.AsnType | undefined {
  try {
    const { offset, result } = asn1.fromBER(plainView(der), {
      copyInput: false,
      parseEmbedded: false,
      maxDepth: 12,
      maxNodes: 200,
    });
    return offset === der.length && hasDerLengths(result) ? result : undefined;
  } catch {
    return undefined;
  }
}

function hasDerLengths(block: asn1.AsnType): boolean {
  const { error, lenBlock } = block;
  // asn1js reports a needlessly long length as a warning of the length block.
  if (error !== '' || lenBlock.isIndefiniteForm || lenBlock.warnings.length > 0) return false;
  return !(block instanceof asn1.Constructed) || block.valueBlock.value.every(hasDerLengths);
}

/** The elements of a SEQUENCE; undefined when `block` is something else. */
export function elementsOf(block: asn1.AsnType | undefined): asn1.AsnType[] | undefined {
  return block instanceof asn1.Sequence ? block.valueBlock.value : undefined;
}

/** The contents of a primitive OCTET STRING, as a view; undefined when `block` is something else. */
export function octetsOf(block: asn1.AsnType | undefined): Buffer | undefined {
  if (!(block instanceof asn1.OctetString) || block.idBlock.isConstructed) return undefined;
  return bufferOver(block.valueBlock.valueHexView);
}

/** The contents of a primitive BIT STRING of whole bytes, as a view; undefined when `block` is something else. */
export function bitsOf(block: asn1.AsnType | undefined): Buffer | undefined {
  if (!(block instanceof asn1.BitString) || block.idBlock.isConstructed) return undefined;
  return block.valueBlock.unusedBits === 0 ? bufferOver(block.valueBlock.valueHexView) : undefined;
}

/** A positive, minimally encoded INTEGER without its sign byte, as a view; undefined when `block` is something else. */
export function positiveIntegerOf(block: asn1.AsnType | undefined): Buffer | undefined {
  if (!(block instanceof asn1.Integer)) return undefined;
  const contents = bufferOver(block.valueBlock.valueHexView);
  const [first, second] = contents;
  if (first === undefined || first > 0x7f) return undefined;
  if (first > 0) return contents;
  return second !== undefined && second > 0x7f ? contents.subarray(1) : undefined;
}

/** The dotted form of an OBJECT IDENTIFIER; undefined when `block` is something else. */
export function oidOf(block: asn1.AsnType | undefined): string | undefined {
  return block instanceof asn1.ObjectIdentifier ? block.getValue() : undefined;
}

/** Whether `block` is a NULL, which in DER has no contents. */
export function isNull(block: asn1.AsnType | undefined): boolean {
  return block instanceof asn1.Null && block.lenBlock.length === 0;
}

/** A Buffer over the same memory. */
export function bufferOver(view: Uint8Array): Buffer {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength);
}
