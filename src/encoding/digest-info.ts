/** DER of DigestInfo up to the digest itself, and the digest's bytes: RFC 8017 section 9.2, note 1. */
const digestInfos = {
  sha256: { prefix: Buffer.from('3031300d060960864801650304020105000420', 'hex'), digestBytes: 32 },
  sha384: { prefix: Buffer.from('3041300d060960864801650304020205000430', 'hex'), digestBytes: 48 },
  sha512: { prefix: Buffer.from('3051300d060960864801650304020305000440', 'hex'), digestBytes: 64 },
} as const;

export type DigestInfoHash = keyof typeof digestInfos;

/**
 * DigestInfo of EMSA-PKCS1-v1_5: what CKM_RSA_PKCS (PKCS#11 v2.40 section 2.1.6) is given to sign when the message has
 * been hashed outside the token.
 *
 * @param hash name as in node:crypto
 * @param digest the hash's output
 * @throws RangeError when `digest` has not the length of the hash
 */
export function digestInfo(hash: DigestInfoHash, digest: Buffer): Buffer {
  const { prefix, digestBytes } = digestInfos[hash];
  if (digest.length !== digestBytes) throw new RangeError(`A ${hash} digest has ${digestBytes} bytes`);
  return Buffer.concat([prefix, digest]);
}
