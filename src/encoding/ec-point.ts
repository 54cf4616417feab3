const octetStringTag = 0x04;
const uncompressedForm = 0x04;

/**
 * The point in a CKA_EC_POINT, which PKCS#11 v2.40 (mechanisms, section 2.3.3) wants wrapped in a DER OCTET STRING and
 * some tokens give bare. Both begin with 0x04; the length tells them apart.
 *
 * That the point lies on the curve is not checked: it comes from the token that made it.
 *
 * @param attribute value of CKA_EC_POINT
 * @param fieldBytes bytes of one coordinate
 * @returns the uncompressed point 04||X||Y (SEC 1 section 2.3.3), as a view of `attribute`
 * @throws RangeError on anything else, a compressed point included
 */
export function decodeEcPoint(attribute: Buffer, fieldBytes: number): Buffer {
  const point = unwrap(attribute, 1 + 2 * fieldBytes);
  if (point?.[0] !== uncompressedForm) {
    throw new RangeError(`CKA_EC_POINT is not an uncompressed point with coordinates of ${fieldBytes} bytes`);
  }
  return point;
}

/**
 * The Ed25519 public key in a CKA_EC_POINT: bare (PKCS#11 v3.0) or in a DER OCTET STRING, as SoftHSM2
 * gives it.
 *
 * @returns the 32-byte point of RFC 8032 section 5.1.2, as a view of `attribute`
 * @throws RangeError on anything else
 */
export function decodeEd25519Point(attribute: Buffer): Buffer {
  const point = unwrap(attribute, 32);
  if (point === undefined) throw new RangeError('CKA_EC_POINT is not an Ed25519 point');
  return point;
}

/**
 * CKA_EC_POINT of a public key that is to be put into a token: the point in a DER OCTET STRING (PKCS#11 v2.40
 * mechanisms, section 2.3.3).
 *
 * @param point 04||X||Y, or the 32 bytes of Ed25519
 */
export function encodeEcPoint(point: Buffer): Buffer {
  return Buffer.concat([octetStringHeader(point.length), point]);
}

/** DER tag and length of an OCTET STRING of less than 256 bytes. */
function octetStringHeader(contentLength: number): Buffer {
  return Buffer.from(contentLength < 0x80 ? [octetStringTag, contentLength] : [octetStringTag, 0x81, contentLength]);
}

/** `contentLength` bytes, bare or as the contents of a DER OCTET STRING. */
function unwrap(attribute: Buffer, contentLength: number): Buffer | undefined {
  if (attribute.length === contentLength) return attribute;
  const header = octetStringHeader(contentLength);
  if (attribute.length !== header.length + contentLength) return undefined;
  return header.every((byte, index) => attribute[index] === byte) ? attribute.subarray(header.length) : undefined;
}
