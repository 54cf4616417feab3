import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { KeySpec } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { selfSigned } from '../service/certificates.js';
import { newUser } from '../service/identities.js';
import { OpenSsl } from '../service/openssl.js';
import { environments, hsmKms, Service } from '../service/service.js';
import { offeredRows, testWith } from '../service/tested-token.js';

const openssl = new OpenSsl();
let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(async () => {
  await service?.end();
  openssl.end();
});

/** Runs a command beside the service, as the first administrator. @returns what it prints */
async function run(...parameters: string[]): Promise<string> {
  const { code, output } = await hsmKms(...parameters, '--endpoint-url', service.url, '--data-dir', service.dataDir);
  if (code !== 0) throw new Error(output);
  return output;
}

/** What a command is refused with: a sentence, and no stack trace. */
async function refused(...parameters: string[]): Promise<string> {
  const there = parameters.includes('--endpoint-url') ? [] : ['--endpoint-url', service.url];
  const beside = parameters.includes('--data-dir') ? [] : ['--data-dir', service.dataDir];
  const { code, output } = await hsmKms(...parameters, ...there, ...beside);
  expect({ code, output }).toEqual({ code: 1, output: expect.stringMatching(/^(hsm-kms|error): /) });
  expect(output).not.toMatch(/\n\s+at |-----BEGIN/);
  return output.replace(/^hsm-kms: /, '').trim();
}

let aliases = 0;
async function newAlias(KeySpec: KeySpec, KeyUsage: 'SIGN_VERIFY' | 'ENCRYPT_DECRYPT' = 'SIGN_VERIFY') {
  const { KeyId } = await service.newKey({ KeySpec, KeyUsage });
  aliases += 1;
  const AliasName = `alias/key-${aliases}`;
  await service.kms.createAlias({ AliasName, TargetKeyId: KeyId });
  return AliasName;
}

const asFile = (name: string, pem: string) => openssl.file(name, pem);
const text = (file: string) => openssl.run('x509', '-in', file, '-noout', '-text', '-nameopt', 'RFC2253');

const ways: [spec: KeySpec, algorithm: string | undefined, shown: RegExp][] = [
  ['RSA_2048', undefined, /sha256WithRSAEncryption/],
  ['RSA_3072', 'RSASSA_PKCS1_V1_5_SHA_512', /sha512WithRSAEncryption/],
  [
    'RSA_2048',
    'RSASSA_PSS_SHA_384',
    /rsassaPss[\s\S]+Hash Algorithm: sha384\s+Mask Algorithm: mgf1 with sha384\s+Salt Length: 0x30/,
  ],
  ['ECC_NIST_P256', undefined, /ecdsa-with-SHA256/],
  ['ECC_NIST_P384', undefined, /ecdsa-with-SHA384/],
  ['ECC_NIST_P521', 'ECDSA_SHA_512', /ecdsa-with-SHA512/],
  ['ECC_NIST_EDWARDS25519', undefined, /ED25519/],
];
test.each(offeredRows(ways, ([spec]) => spec))(
  'openssl verifies what a key in the token signs: %s %s',
  async (spec, algorithm, shown) => {
    const by = algorithm === undefined ? [] : ['--algorithm', algorithm];
    const about = ['--key', await newAlias(spec), '--subject', 'CN=app.example.com', '--san', 'DNS:app.example.com'];
    const file = asFile('app.pem', await run('certificate', '--self-signed', ...about, '--days', '2', ...by));
    expect(openssl.run('verify', '-x509_strict', '-check_ss_sig', '-CAfile', file, file)).toContain('OK');
    expect(text(file)).toMatch(shown);
  },
);

test('a root, a CA and an end of keys in the token, as openssl verifies the chain', async () => {
  const [root, ca, end] = [
    await newAlias('RSA_2048'),
    await newAlias('ECC_NIST_P256'),
    await newAlias('ECC_NIST_P384'),
  ];
  const pss = ['--algorithm', 'RSASSA_PSS_SHA_256'];
  const self = ['certificate', '--self-signed', '--key', root, '--subject', 'CN=Example Root, O=Example', '--ca'];
  const rootFile = asFile('root.pem', await run(...self, '--days', '3650', ...pss));
  const caCsr = asFile('ca.csr', await run('csr', '--key', ca, '--subject', 'CN=Example Issuing CA, O=Example'));
  const below = ['certificate', '--ca', root, '--ca-certificate', rootFile, '--csr', caCsr, '--issue-ca'];
  const caFile = asFile('ca.pem', await run(...below, '--path-length', '0', '--days', '365', ...pss));
  expect(text(caFile)).toMatch(/CA:TRUE, pathlen:0/);
  const names = ['--subject', 'CN=app.example.com', '--san', 'DNS:app.example.com,IP:192.0.2.1'];
  const endCsr = asFile('end.csr', await run('csr', '--key', end, ...names));
  expect(openssl.run('req', '-in', endCsr, '-noout', '-verify')).toContain('verify OK');
  const issued = await run(
    ...['certificate', '--ca', ca, '--ca-certificate', caFile, '--csr', endCsr, '--days', '30'],
    ...['--extended-key-usage', 'serverAuth,clientAuth'],
  );
  expect(issued).toMatch(
    /^signed a certificate for CN=app\.example\.com; DNS:app\.example\.com, IP Address:192\.0\.2\.1, serial number [4-7][\dA-F]{39}, valid until .+ GMT$/m,
  );
  const endFile = asFile('end.pem', issued);
  expect(
    openssl.run(
      ...['verify', '-x509_strict', '-purpose', 'sslserver', '-verify_hostname', 'app.example.com'],
      ...['-verify_ip', '192.0.2.1', '-CAfile', rootFile, '-untrusted', caFile, endFile],
    ),
  ).toContain('OK');
  expect(text(endFile)).toMatch(/Issuer: CN=Example Issuing CA,O=Example\n/);
});

test('a request of openssl gets a certificate with the names that the CA wants', async () => {
  const ca = await newAlias('ECC_NIST_P256');
  const caFile = asFile(
    'names-ca.pem',
    await run('certificate', '--self-signed', '--key', ca, '--subject', 'CN=CA', '--ca', '--days', '10'),
  );
  openssl.run(
    ...['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384', '-nodes', '-keyout', 'peer.key'],
    ...['-out', 'peer.csr', '-subj', '/O=Peer/CN=peer', '-addext', 'subjectAltName=DNS:evil.example'],
  );
  const pem = await run(
    ...['certificate', '--ca', ca, '--ca-certificate', caFile, '--csr', join(openssl.directory, 'peer.csr')],
    ...['--subject', 'CN=peer.example.com', '--san', 'DNS:peer.example.com', 'email:ops@example.com', '--days', '5'],
  );
  const shown = text(asFile('peer.pem', pem));
  expect(shown).toContain('Subject: CN=peer.example.com\n');
  expect(shown).toMatch(/DNS:peer\.example\.com, email:ops@example\.com\n/);
  expect(shown).not.toContain('evil');
  expect(openssl.run('verify', '-x509_strict', '-CAfile', caFile, 'peer.pem')).toContain('OK');
});

test('what is not possible is refused with a sentence', async () => {
  const key = await newAlias('ECC_NIST_P256');
  const encrypting = await newAlias('RSA_2048', 'ENCRYPT_DECRYPT');
  const csr = (...more: string[]) => refused('csr', '--subject', 'CN=a', ...more);
  expect(await csr('--key', 'alias/none')).toMatch(
    /^An error occurred \(NotFoundException\) when calling the GetPublicKey operation: Alias .+ is not found\.$/,
  );
  expect(await csr('--key', encrypting)).toMatch(/ is for ENCRYPT_DECRYPT: only keys for SIGN_VERIFY sign requests/);
  expect(await csr('--key', key, '--algorithm', 'ECDSA_SHA_384')).toMatch(
    / does not sign by ECDSA_SHA_384: it has ECDSA_SHA_256\.$/,
  );
  expect(await csr('--key', key, '--endpoint-url', 'http://127.0.0.1:1')).toMatch(
    /^The service at http:\/\/127\.0\.0\.1:1 does not answer: .+ Say where it is by --endpoint-url/,
  );
  const self = (...more: string[]) => refused('certificate', '--self-signed', '--key', key, '--days', '1', ...more);
  expect(await self()).toMatch(/^Type --self-signed --key KEY --subject NAME \[--ca\], or --ca KEY/);
  expect(await self('--subject', 'CN=a', '--path-length', '1')).toMatch(/^--path-length takes/);
  const file = asFile('none.pem', 'nothing');
  expect(await refused('certificate', '--ca', key, '--ca-certificate', file, '--csr', file, '--days', '1')).toBe(
    `${file} cannot be used: There is no CERTIFICATE REQUEST in PEM in it.`,
  );
});

testWith('ECC_SECG_P256K1', 'a key on secp256k1 signs no certificates', async () => {
  expect(await refused('csr', '--key', await newAlias('ECC_SECG_P256K1'), '--subject', 'CN=a')).toMatch(
    /^Certificates are for RSA keys of at least 2048 bits and an exponent of at least 65537, and for keys on P-256, P-384, P-521 and Ed25519\.$/,
  );
});

describe('whose requests these are', () => {
  let clients = 0;
  /** The command as the environment and a directory without credentials have it. */
  async function csr(environment: NodeJS.ProcessEnv, ...more: string[]) {
    clients += 1;
    const dataDir = join(openssl.directory, `client-${clients}`);
    environments.set(dataDir, environment);
    return (await hsmKms('csr', '--subject', 'CN=a', '--data-dir', dataDir, ...more)).output;
  }

  test('the policies of who asks decide, as for any client', async () => {
    const reading = { Effect: 'Allow', Action: 'kms:GetPublicKey' };
    const { accessKeyId, secretAccessKey } = await newUser(service, 'reader', reading);
    const reader = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
    const at = ['--key', await newAlias('ECC_NIST_P256'), '--endpoint-url', service.url];
    expect(await csr(reader, ...at)).toMatch(
      /^hsm-kms: An error occurred \(AccessDeniedException\) when calling the Sign operation: User: .+user\/reader is not authorized/,
    );
    const output = await csr({ ...reader, AWS_SECRET_ACCESS_KEY: 'wrong' }, ...at);
    expect(output).toMatch(/InvalidSignatureException/);
    expect(output).not.toContain('wrong');
  });

  test('credentials and endpoint as the AWS CLI finds them', async () => {
    const alias = await newAlias('ECC_NIST_P256');
    const { accessKeyId, secretAccessKey } = service.credentials;
    const lines = [`aws_access_key_id = ${accessKeyId}`, `aws_secret_access_key = ${secretAccessKey}`];
    const file = openssl.file('credentials', ['[other]', 'x = y', '[app]', ...lines, ''].join('\n'));
    const named = { AWS_SHARED_CREDENTIALS_FILE: file, AWS_ENDPOINT_URL_KMS: service.url, AWS_REGION: 'us-east-1' };
    const key = ['--key', alias];
    expect(await csr({ ...named, AWS_PROFILE: 'app' }, ...key)).toMatch(/^-----BEGIN CERTIFICATE REQUEST-----\n/);
    expect(await csr({ ...named, AWS_PROFILE: 'other' }, ...key)).toMatch(
      /no access key in \[other\]: set AWS_PROFILE/,
    );
    expect(await csr({}, ...key)).toMatch(/^hsm-kms: There are no credentials to sign with: ENOENT.+Set AWS_SHARED/);
    const elsewhere = { ...named, AWS_PROFILE: 'app', AWS_REGION: 'eu-west-1' };
    expect(await csr(elsewhere, ...key)).toMatch(/Credential should be scoped to a valid region/);
  });

  test('over TLS, only to whom the CA of --ca-bundle has certified', async () => {
    const { certificate, key } = selfSigned(openssl.directory, 'tls');
    const asked: (string | undefined)[] = [];
    const server = createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, (request, response) => {
      asked.push(request.headers['x-amz-target'] as string);
      response.writeHead(400).end('{"__type":"NotFoundException","message":"it is not there"}');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const at = ['--endpoint-url', `https://127.0.0.1:${port}`, '--key', 'alias/none'];
    const environment = { AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE', AWS_SECRET_ACCESS_KEY: 'secret' };
    expect(await csr(environment, ...at)).toMatch(/does not answer: self-signed certificate/);
    expect(asked).toEqual([]);
    expect(await csr(environment, ...at, '--ca-bundle', certificate)).toMatch(
      /\(NotFoundException\) .+: it is not there/,
    );
    expect(asked).toEqual(['TrentService.GetPublicKey']);
    server.close();
  });
});
