import { copyFileSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { KMS } from '@aws-sdk/client-kms';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { CertificateAuthority, type CertificateFiles, selfSigned } from '../service/certificates.js';
import { sendBytes } from '../service/http.js';
import { region, Service } from '../service/service.js';
import { until } from '../service/within.js';

let directory: string;
let authority: CertificateAuthority;
let first: CertificateFiles;
let second: CertificateFiles;
/** Where the service looks for its own: what lies there is replaced. */
let used: CertificateFiles;
let service: Service;
const opened: KMS[] = [];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'hsm-kms-tls-'));
  authority = new CertificateAuthority(directory, 'authority');
  const names = 'DNS:localhost,IP:127.0.0.1';
  first = authority.issue('first', '/CN=first', { names });
  second = authority.issue('second', '/CN=second', { names });
  used = { certificate: join(directory, 'used.pem'), key: join(directory, 'used.key') };
  replaceBy(first);
  service = await Service.start({
    workers: 2,
    flags: ['--tls-certificate-file', used.certificate, '--tls-key-file', used.key],
  });
});
afterEach(() => {
  for (const client of opened.splice(0)) client.destroy();
});
afterAll(async () => {
  await service?.end();
  rmSync(directory, { recursive: true, force: true });
});

/** The key first, each at one stroke, as careful tools do. */
function replaceBy({ certificate, key }: CertificateFiles): void {
  for (const [from, to] of [
    [key, used.key],
    [certificate, used.certificate],
  ] as const) {
    copyFileSync(from, `${to}.new`);
    renameSync(`${to}.new`, to);
  }
}

/** A client that trusts the test's CA; each request makes a connection of its own unless told. */
function client({ keepAlive = false }: { keepAlive?: boolean } = {}): KMS {
  const kms = new KMS({
    endpoint: service.url,
    region,
    credentials: service.credentials,
    maxAttempts: 1,
    requestHandler: { httpsAgent: new Agent({ ca: readFileSync(authority.certificate), keepAlive }) },
  });
  opened.push(kms);
  return kms;
}

interface Handshake {
  /** CN of the service's certificate. */
  readonly name: string | undefined;
  readonly protocol: string | null;
}

function handshake(options: tls.ConnectionOptions = {}): Promise<Handshake> {
  const { hostname, port } = new URL(service.url);
  const ca = readFileSync(authority.certificate);
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ host: hostname, port: Number(port), ca, ...options }, () => {
      const { subject } = socket.getPeerCertificate();
      resolve({ name: subject.CN as string, protocol: socket.getProtocol() });
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

/** Waits until new connections get a certificate, from each worker. */
async function untilServed(name: string): Promise<void> {
  let served = 0;
  await until(`${name} is served`, async () => {
    served = (await handshake()).name === name ? served + 1 : 0;
    return served === 10;
  });
}

test('an unmodified client works over https, by name and by address', async () => {
  expect(service.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
  for (const host of ['127.0.0.1', 'localhost']) {
    const kms = new KMS({
      endpoint: service.url.replace('127.0.0.1', host),
      region,
      credentials: service.credentials,
      maxAttempts: 1,
      requestHandler: { httpsAgent: new Agent({ ca: readFileSync(authority.certificate) }) },
    });
    opened.push(kms);
    const { KeyMetadata } = await kms.createKey({});
    const { CiphertextBlob } = await kms.encrypt({ KeyId: KeyMetadata?.KeyId, Plaintext: Buffer.from('secret') });
    const { Plaintext } = await kms.decrypt({ CiphertextBlob });
    expect(Buffer.from(Plaintext as Uint8Array).toString()).toBe('secret');
  }
});

describe('protocol versions', () => {
  const everything = { ciphers: 'ALL:@SECLEVEL=0' };

  test.each(['TLSv1.2', 'TLSv1.3'] as const)('%s is spoken', async (version) => {
    const { protocol } = await handshake({ minVersion: version, maxVersion: version });
    expect(protocol).toBe(version);
  });

  test.each(['TLSv1', 'TLSv1.1'] as const)('%s is refused', async (version) => {
    await expect(handshake({ ...everything, minVersion: version, maxVersion: version })).rejects.toThrow(
      /alert protocol version/i,
    );
  });
});

test('bytes that are no TLS end their connection, and nothing else', async () => {
  expect(await sendBytes(service, 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')).not.toMatch(/HTTP\/1\.1 200/);
  await client().listKeys({});
});

describe('renewal', () => {
  /** Requests on new and on kept connections for as long as `work` takes. @returns how many; all succeeded */
  async function underTraffic(work: () => Promise<unknown>): Promise<number> {
    let stopped = false;
    let requests = 0;
    const failures: unknown[] = [];
    const loop = async (kms: KMS) => {
      while (!stopped) {
        await kms.listKeys({}).catch((error) => failures.push(error));
        requests += 1;
      }
    };
    const loops = [client(), client(), client({ keepAlive: true })].map(loop);
    try {
      await work();
    } finally {
      stopped = true;
      await Promise.all(loops);
    }
    expect(failures).toEqual([]);
    return requests;
  }

  test('happens at SIGHUP, and no request fails', async () => {
    const requests = await underTraffic(async () => {
      replaceBy(second);
      process.kill(service.supervisor, 'SIGHUP');
      await untilServed('second');
      // a worker that is being started has read the files already
      await service.logged(/all workers have been replaced/);
    });
    // of each client some
    expect(requests).toBeGreaterThan(5);
  });

  test('happens when the files change, within seconds, and no request fails', async () => {
    await underTraffic(async () => {
      replaceBy(first);
      await untilServed('first');
    });
  });

  test('keeps the old certificate when the new one cannot be used, and says so', async () => {
    const logged = service.stderr.length;
    copyFileSync(second.certificate, used.certificate);
    process.kill(service.supervisor, 'SIGHUP');
    const says = (what: string) => until(what, () => service.stderr.slice(logged).includes(what));
    await says('is not that of the first certificate');
    await untilServed('first');
    writeFileSync(used.certificate, 'rubbish');
    process.kill(service.supervisor, 'SIGHUP');
    await says('it is not PEM, or broken');
    await untilServed('first');
    replaceBy(first);
  });

  test('leaves connections that exist alone', async () => {
    const { hostname, port } = new URL(service.url);
    const ca = readFileSync(authority.certificate);
    const socket = tls.connect({ host: hostname, port: Number(port), ca });
    await new Promise((resolve) => socket.once('secureConnect', resolve));
    replaceBy(second);
    process.kill(service.supervisor, 'SIGHUP');
    await untilServed('second');
    const answer = new Promise((resolve) => socket.once('data', (data) => resolve(data.toString())));
    socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
    expect(await answer).toMatch(/^HTTP\/1\.1 200 OK/);
    socket.destroy();
  });
});

test('a stop does not wait for a client that never finishes its handshake', async () => {
  const short = await Service.start({
    flags: [
      ...['--tls-certificate-file', first.certificate, '--tls-key-file', first.key],
      ...['--drain-milliseconds', '600000'],
    ],
  });
  try {
    const { connect } = await import('node:net');
    const silent = connect(Number(new URL(short.url).port), '127.0.0.1');
    await new Promise((resolve) => silent.once('connect', resolve));
    silent.on('error', () => {});
    // and not after the ten minutes that a request would be given
    expect(await short.stop()).toBe(0);
    silent.destroy();
  } finally {
    await short.end();
  }
});

test('the first steps name the host that is certified, and the certificate that signed itself', async () => {
  const own = selfSigned(directory, 'own');
  const alone = await Service.start({
    flags: [
      '--host',
      '127.0.0.2',
      '--first-steps',
      '--tls-certificate-file',
      own.certificate,
      '--tls-key-file',
      own.key,
    ],
  });
  try {
    const { port } = new URL(alone.url);
    await until('the first steps', () => alone.stdout.includes('export AWS_ENDPOINT_URL_KMS'));
    expect(alone.stdout).toContain(`export AWS_CA_BUNDLE=${own.certificate}\n`);
    expect(alone.stdout).toContain(`export AWS_ENDPOINT_URL_KMS=https://localhost:${port} `);
  } finally {
    await alone.end();
  }
});
