import { createHmac, hash } from 'node:crypto';
import { credentialScope } from './authorization-header.js';
import { deriveSigningKey } from './signing-key.js';

/** What a client signs with. */
export interface SigningCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of temporary credentials. */
  readonly sessionToken?: string | undefined;
}

/** A POST to the path / of an AWS service. */
export interface RequestToSign {
  readonly region: string;
  readonly service: string;
  /** To be sent and signed; names in lower case, `host` among them. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/**
 * The headers of a request with its date and signature (SigV4).
 *
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
export function signRequest(
  { region, service, headers, body }: RequestToSign,
  { accessKeyId, secretAccessKey, sessionToken }: SigningCredentials,
  now = new Date(),
): Record<string, string> {
  const timestamp = now.toISOString().replace(/[-:]|\.\d{3}/g, '');
  const day = timestamp.slice(0, 8);
  const all: Record<string, string> = {
    ...headers,
    'x-amz-date': timestamp,
    ...(sessionToken !== undefined && { 'x-amz-security-token': sessionToken }),
  };
  const names = Object.keys(all).sort();
  const lines = names.map((name) => `${name}:${all[name]}\n`).join('');
  const signedHeaders = names.join(';');
  const canonicalRequest = `POST\n/\n\n${lines}\n${signedHeaders}\n${hash('sha256', body)}`;
  const scope = credentialScope(day, region, service);
  const stringToSign = `AWS4-HMAC-SHA256\n${timestamp}\n${scope}\n${hash('sha256', canonicalRequest)}`;
  const key = deriveSigningKey(Buffer.from(secretAccessKey), day, region, service);
  const signature = createHmac('sha256', key).update(stringToSign).digest('hex');
  const credential = `${accessKeyId}/${scope}`;
  const authorization = `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${signedHeaders}, Signature=${signature}`;
  return { ...all, authorization };
}
