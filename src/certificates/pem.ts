import { decodeDer } from '../encoding/der.js';

/** What stands between the dashes (RFC 7468 sections 5 and 7). */
type Label = 'CERTIFICATE' | 'CERTIFICATE REQUEST';

/** PEM of DER (RFC 7468). */
export function toPem(label: Label, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}

/**
 * The DER of the first block with that label in a text.
 *
 * @throws Error with a sentence when there is none
 */
export function fromPem(label: Label, text: string): Buffer {
  // openssl wrote NEW before it in former times
  const block = new RegExp(`-----BEGIN (?:NEW )?${label}-----([A-Za-z\\d+/=\\s]*)-----END (?:NEW )?${label}-----`);
  const der = Buffer.from(block.exec(text)?.[1] ?? '', 'base64');
  if (decodeDer(der) === undefined) throw new Error(`There is no ${label} in PEM in it.`);
  return der;
}
