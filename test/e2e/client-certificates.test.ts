import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import tls from 'node:tls';
import { Sha256 } from '@aws-crypto/sha256-js';
import { KMS } from '@aws-sdk/client-kms';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { SignatureV4 } from '@smithy/signature-v4';
import { CertificateAuthority, type CertificateFiles, fingerprintOf, selfSigned } from '../service/certificates.js';
import { signedHeaders } from '../service/http.js';
import { accountId, region, Service } from '../service/service.js';

const administrator = `arn:aws:iam::${accountId}:user/administrator`;
const somebody = `arn:aws:iam::${accountId}:user/somebody`;
const names = 'DNS:localhost,IP:127.0.0.1';

let directory: string;
let authority: CertificateAuthority;
let own: CertificateFiles;
/** By what they are called in the tables below. */
let certificates: Record<string, CertificateFiles | undefined>;
const opened: Agent[] = [];

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hsm-kms-mtls-'));
  authority = new CertificateAuthority(directory, 'authority');
  const stranger = new CertificateAuthority(directory, 'stranger');
  own = authority.issue('own', '/CN=own', { names });
  certificates = {
    none: undefined,
    'by name': authority.issue('named', '/CN=named'),
    'by alternative name': authority.issue('alternative', '/CN=x', {
      names: 'DNS:app.example.com,URI:spiffe://x/admin',
    }),
    'by fingerprint': authority.issue('fingerprint', '/CN=y'),
    'not named': authority.issue('other', '/CN=other'),
    "somebody else's": authority.issue('somebody', '/CN=somebody'),
    'for another address': authority.issue('elsewhere', '/CN=elsewhere'),
    'right name, of another CA': stranger.issue('forged', '/CN=named'),
    'right name, signed by itself': selfSigned(directory, 'self', '/CN=named'),
    expired: authority.issue('expired', '/CN=named', { days: -1 }),
  };
});
afterEach(() => {
  for (const agent of opened.splice(0)) agent.destroy();
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function start(required: 'optional' | 'required', tlsClients: readonly object[]): Promise<Service> {
  return Service.start({
    flags: [
      ...['--tls-certificate-file', own.certificate, '--tls-key-file', own.key],
      ...['--tls-client-ca-file', authority.certificate, '--tls-client-certificates', required],
      ...['--tls-clients', JSON.stringify(tlsClients)],
    ],
  });
}

/** What a TLS client presents, and whom it trusts. */
function tlsOptions(presented: CertificateFiles | undefined) {
  return {
    ca: readFileSync(authority.certificate),
    ...(presented && { cert: readFileSync(presented.certificate), key: readFileSync(presented.key) }),
  };
}

function agentWith(presented: CertificateFiles | undefined): Agent {
  const agent = new Agent({ ...tlsOptions(presented), keepAlive: false });
  opened.push(agent);
  return agent;
}

/** Asks for a list of keys as the administrator. @returns the error's name, if any */
async function listKeys(service: Service, certificate: string): Promise<string | undefined> {
  const httpsAgent = agentWith(certificates[certificate]);
  const { url: endpoint, credentials } = service;
  const kms = new KMS({ endpoint, region, credentials, maxAttempts: 1, requestHandler: { httpsAgent } });
  try {
    await kms.listKeys({});
    return undefined;
  } catch (error) {
    return (error as Error).name;
  } finally {
    kms.destroy();
  }
}

describe('rules that name the administrator', () => {
  let service: Service;
  beforeAll(async () => {
    const principals = [administrator];
    service = await start('optional', [
      { commonName: 'named', principals, sourceAddresses: ['127.0.0.0/8'] },
      { subjectAltName: 'URI:spiffe://x/admin', principals },
      { fingerprint: fingerprintOf(certificates['by fingerprint'] as CertificateFiles), principals },
      { commonName: 'elsewhere', principals, sourceAddresses: ['10.0.0.0/8', '::/0'] },
      { commonName: 'somebody', principals: [somebody] },
    ]);
  });
  afterAll(() => service?.end());

  test.each([
    ['by name', undefined],
    ['by alternative name', undefined],
    ['by fingerprint', undefined],
    ['none', 'AccessDeniedException'],
    ['not named', 'AccessDeniedException'],
    ["somebody else's", 'AccessDeniedException'],
    ['for another address', 'AccessDeniedException'],
    ['right name, of another CA', 'AccessDeniedException'],
    ['right name, signed by itself', 'AccessDeniedException'],
    ['expired', 'AccessDeniedException'],
  ])('certificate %s: %s', async (certificate, expected) => {
    expect(await listKeys(service, certificate)).toBe(expected);
  });

  /** One signed request over a connection that is made with these options. */
  async function send(options: tls.ConnectionOptions, headers: Record<string, string>, body: string) {
    const { hostname, port } = new URL(service.url);
    const socket = tls.connect({ host: hostname, port: Number(port), ...options });
    await once(socket, 'secureConnect');
    const outgoing = request({ createConnection: () => socket, method: 'POST', path: '/', headers });
    outgoing.end(body);
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    const answer = { status: response.statusCode, body: await text(response), resumed: socket.isSessionReused() };
    socket.destroy();
    return answer;
  }

  test('the refusal tells neither rules nor certificates, and who does not sign is told of neither', async () => {
    const options = tlsOptions(certificates['not named']);
    const refused = await send(options, await signedHeaders(service, 'ListKeys', '{}'), '{}');
    expect(refused.status).toBe(400);
    expect(JSON.parse(refused.body)).toEqual({
      __type: 'AccessDeniedException',
      Message: `User: ${administrator} is not authorized to use this connection: its client certificate and source address do not allow it`,
    });
    const wrongSecret = { ...service.credentials, secretAccessKey: 'wrong' };
    const unknown = await send(options, await signedHeaders(service, 'ListKeys', '{}', {}, wrongSecret), '{}');
    expect(JSON.parse(unknown.body).__type).toBe('InvalidSignatureException');
  });

  test('requests to STS are bound in the same way', async () => {
    const { host, hostname } = new URL(service.url);
    const body = 'Action=GetCallerIdentity&Version=2011-06-15';
    const signer = new SignatureV4({ service: 'sts', region, credentials: service.credentials, sha256: Sha256 });
    const headers = { host, 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };
    const message = { method: 'POST', protocol: 'https:', hostname, path: '/', query: {}, headers, body };
    const signed = await signer.sign(message);
    expect(await send(tlsOptions(certificates['by name']), signed.headers, body)).toMatchObject({ status: 200 });
    const refused = await send(tlsOptions(undefined), signed.headers, body);
    expect(refused.status).toBeGreaterThanOrEqual(400);
    expect(refused.body).toContain('AccessDenied');
  });

  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'a session that is resumed has the certificate that it began with: %s',
    async (version) => {
      const sessionOf = async (presented: CertificateFiles | undefined) => {
        const { hostname, port } = new URL(service.url);
        const options = { ...tlsOptions(presented), minVersion: version, maxVersion: version };
        const socket = tls.connect({ host: hostname, port: Number(port), ...options });
        const [session] = await once(socket, 'session');
        socket.destroy();
        return { ...options, session };
      };
      const listed = async (options: tls.ConnectionOptions) =>
        send(options, await signedHeaders(service, 'ListKeys', '{}'), '{}');
      expect(await listed(await sessionOf(certificates['by name']))).toMatchObject({ status: 200, resumed: true });
      // TLS 1.3 calls it authorized all the same
      expect(await listed(await sessionOf(undefined))).toMatchObject({ status: 400, resumed: true });
      expect(await listed(await sessionOf(certificates['right name, of another CA']))).toMatchObject({ status: 400 });
    },
  );
});

describe('rules that do not name the administrator', () => {
  let service: Service;
  beforeAll(async () => {
    service = await start('optional', [{ commonName: 'somebody', principals: [somebody] }]);
  });
  afterAll(() => service?.end());

  test.each([
    ['none', undefined],
    ['not named', undefined],
    ['expired', undefined],
    ["somebody else's", 'AccessDeniedException'],
  ])('certificate %s: %s', async (certificate, expected) => {
    expect(await listKeys(service, certificate)).toBe(expected);
  });
});

describe('certificates required', () => {
  let service: Service;
  beforeAll(async () => {
    service = await start('required', []);
  });
  afterAll(() => service?.end());

  test.each(['by name', 'not named', "somebody else's"])('certificate %s is let in', async (certificate) => {
    expect(await listKeys(service, certificate)).toBeUndefined();
  });

  test.each(['none', 'right name, of another CA', 'right name, signed by itself', 'expired'])(
    'certificate %s: the connection ends before a request is read',
    async (certificate) => {
      const failure = await listKeys(service, certificate);
      expect(failure).toBeDefined();
      expect(failure).not.toMatch(/Exception$/);
    },
  );
});
