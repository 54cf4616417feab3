import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import { builtModules } from './built-service.js';
import { type Answer, send } from './http.js';
import { accountId, type Credentials, region, type Service, serviceEnvironment, serviceNode } from './service.js';

export const formType = 'application/x-www-form-urlencoded; charset=utf-8';

export interface Signing {
  readonly service?: string;
  readonly region?: string;
  readonly type?: string;
  readonly headers?: Record<string, string>;
  readonly credentials?: Credentials;
  readonly at?: Date;
}

/** Sends a form, signed by AWS's own signer. */
export async function post(to: Service, body: string, signing: Signing = {}): Promise<Answer> {
  const { hostname, host } = new URL(to.url);
  const signer = new SignatureV4({
    service: signing.service ?? 'sts',
    region: signing.region ?? region,
    credentials: signing.credentials ?? to.credentials,
    sha256: Sha256,
  });
  const headers = { host, 'content-type': signing.type ?? formType, ...signing.headers };
  const request = { method: 'POST', protocol: 'http:', hostname, path: '/', query: {}, headers, body };
  const signed = await signer.sign(request, { signingDate: signing.at ?? new Date() });
  return send(to, { headers: signed.headers, body });
}

/** The text of an element that has no other in it. */
export const element = (xml: string, name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1];

export const roleArn = (name: string) => `arn:aws:iam::${accountId}:role/${name}`;
export const sessionArn = (role: string, session: string) =>
  `arn:aws:sts::${accountId}:assumed-role/${role}/${session}`;

/** An action of STS. */
export function sts(
  service: Service,
  action: string,
  parameters: Readonly<Record<string, string>>,
  credentials?: Credentials,
): Promise<Answer> {
  const body = new URLSearchParams({ Action: action, Version: '2011-06-15', ...parameters }).toString();
  return post(service, body, credentials && { credentials });
}

/** Assumes a role by its name. */
export function assumeRole(
  service: Service,
  role: string,
  credentials: Credentials,
  parameters: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  return sts(service, 'AssumeRole', { RoleArn: roleArn(role), RoleSessionName: 'test', ...parameters }, credentials);
}

/** The credentials of a session. @throws Error with the answer when there are none */
export async function sessionOf(
  service: Service,
  role: string,
  credentials: Credentials,
  parameters: Readonly<Record<string, string>> = {},
): Promise<Required<Credentials>> {
  const { status, body } = await assumeRole(service, role, credentials, parameters);
  if (status !== 200) throw new Error(body);
  const text = (name: string) => element(body, name) as string;
  return {
    accessKeyId: text('AccessKeyId'),
    secretAccessKey: text('SecretAccessKey'),
    sessionToken: text('SessionToken'),
  };
}

/** Code and message of an error. */
export function stsError({ body }: Answer): { code: string | undefined; message: string | undefined } {
  return { code: element(body, 'Code'), message: element(body, 'Message') };
}

/**
 * Makes a session by the service's token, in a process of its own: one of another time than AssumeRole would give it.
 *
 * @param session instants as ISO 8601
 */
export async function issueSession(service: Service, session: object): Promise<Required<Credentials>> {
  const program = fileURLToPath(new URL('issue-session.mjs', import.meta.url));
  const { stdout } = await promisify(execFile)(
    serviceNode(),
    [program, builtModules, service.dataDir, JSON.stringify(session)],
    { env: serviceEnvironment(service.dataDir) },
  );
  return JSON.parse(stdout);
}
