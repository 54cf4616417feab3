import { isIP } from 'node:net';
import { z } from 'zod';
import { parsedJson } from './json-setting.js';

/** Exactly one of these tells which certificate is meant; several tell it together. */
const namesOfCertificate = ['fingerprint', 'commonName', 'subjectAltName'] as const;

/** Which client certificate may act for which principals, and from where. */
const tlsClient = z
  .strictObject({
    /** SHA-256 of the certificate, as `openssl x509 -fingerprint -sha256` prints it; colons and case do not matter. */
    fingerprint: z
      .string()
      .transform((text) => text.replaceAll(':', '').toLowerCase())
      .pipe(z.string().regex(/^[0-9a-f]{64}$/, 'fingerprint is not a SHA-256 fingerprint: 64 hexadecimal digits'))
      .optional(),
    /** CN of the subject: the whole of it. */
    commonName: z.string().min(1).optional(),
    /** One of the subject's alternative names, as openssl prints it: DNS:app.example.com, URI:spiffe://..., email:... */
    subjectAltName: z
      .string()
      .regex(
        /^(DNS|URI|email|IP Address|DirName|Registered ID):./,
        'subjectAltName is not of the form DNS:NAME or URI:...',
      )
      .optional(),
    /** ARNs, in which `*` and `?` are wildcards. A role's ARN means its sessions too. */
    principals: z.array(z.string().regex(/^(\*$|arn:)/, 'principals are ARNs')).min(1),
    /** CIDR ranges, or single addresses. Anywhere, when it is left out. */
    sourceAddresses: z
      .array(z.string().refine(isRange, 'sourceAddresses are CIDR ranges, as in 10.0.0.0/8'))
      .min(1)
      .optional(),
  })
  .refine(
    (client) => namesOfCertificate.some((name) => client[name] !== undefined),
    `a rule names its certificate by ${namesOfCertificate.join(', ')}`,
  );

export type TlsClient = z.output<typeof tlsClient>;

/** The list: as such in the YAML file, as JSON text in the environment and on the command line. */
export const tlsClientsSetting = z
  .preprocess(
    (value) => (typeof value === 'string' ? parsedJson(value) : value),
    z.array(tlsClient, 'is not a list, as in [{"commonName": "app", "principals": ["arn:aws:iam::..."]}]'),
  )
  .default([]);

function isRange(text: string): boolean {
  const [address = '', length, ...more] = text.split('/');
  const bits = { 4: 32, 6: 128 }[isIP(address)];
  if (bits === undefined || address.includes('%') || more.length > 0) return false;
  return length === undefined || (/^(0|[1-9]\d{0,2})$/.test(length) && Number(length) <= bits);
}
