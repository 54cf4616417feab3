import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { commandEvents } from '../service/audit.js';
import { CertificateAuthority } from '../service/certificates.js';
import { evidence, evidenceElsewhere } from '../service/evidence.js';
import { hsmKms } from '../service/service.js';

let directory: string;
let dataDir: string;
let ca: CertificateAuthority;
const at = (name: string) => join(directory, name);
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'hsm-kms-evidence-'));
  dataDir = at('data');
  writeFileSync(
    at('seed.json'),
    JSON.stringify({ Keys: [{ KeyId: '11111111-1111-4111-8111-111111111111', Aliases: ['alias/a'] }] }),
  );
  const { code, output } = await hsmKms('init', '--data-dir', dataDir, '--seed-file', at('seed.json'));
  if (code !== 0) throw new Error(output);
  ca = new CertificateAuthority(directory, 'ca');
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const openssl = (...parameters: string[]): string =>
  execFileSync('openssl', parameters, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/** What an operator's CA does with a request. */
function issue(csr: string, name: string, extensions: string, days = '2'): string {
  writeFileSync(at('request.csr'), csr);
  writeFileSync(at('extensions'), extensions);
  openssl(
    ...['x509', '-req', '-in', at('request.csr'), '-CA', ca.certificate, '-CAkey', ca.key, '-CAcreateserial'],
    ...['-days', days, '-extfile', at('extensions'), '-out', at(name)],
  );
  return at(name);
}

const installed = () => readFileSync(join(dataDir, 'evidence-certificate.pem'), 'utf8');
const verifying = (trust: string) => evidenceElsewhere('verify', at('bundle.json'), '--trust', trust);

/** Verifies a bundle that is made now, with what is installed. */
async function verifyNew(trust: string) {
  const made = await evidence(dataDir, 'alias/a');
  writeFileSync(at('bundle.json'), made.output);
  return verifying(trust);
}

test('without more, the key certifies itself: openssl takes it, and it stays the same', async () => {
  const { output } = await evidence(dataDir, 'certificate');
  writeFileSync(at('own.pem'), output);
  expect(openssl('verify', '-CAfile', at('own.pem'), at('own.pem'))).toContain('own.pem: OK');
  expect(openssl('x509', '-in', at('own.pem'), '-noout', '-subject')).toMatch(/CN = hsm-kms evidence/);
  expect((await verifyNew(at('own.pem'))).code).toBe(0);
});

test('a certificate that was lost is made anew, and the key is trusted by the old one', async () => {
  rmSync(join(dataDir, 'evidence-certificate.pem'));
  expect((await evidence(dataDir, 'certificate')).output).not.toBe(readFileSync(at('own.pem'), 'utf8'));
  expect((await verifyNew(at('own.pem'))).code).toBe(0);
});

describe('with a CA', () => {
  let csr: string;
  beforeAll(async () => {
    csr = (await evidence(dataDir, 'csr', '--subject', 'CN=evidence, O=Example')).output;
  });

  test('openssl takes the request', () => {
    writeFileSync(at('request.csr'), csr);
    expect(openssl('req', '-in', at('request.csr'), '-verify', '-noout', '-subject')).toMatch(
      /O = Example, CN = evidence/,
    );
  });

  test('what it has issued is installed, and bundles are trusted by the CA from then on', async () => {
    const issued = issue(csr, 'evidence.pem', 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\n');
    const answer = await evidence(dataDir, 'install-certificate', issued);
    expect(answer).toMatchObject({
      code: 0,
      output: expect.stringMatching(/^installed O=Example, CN=evidence, valid to /),
    });
    expect(commandEvents(dataDir, 'InstallEvidenceCertificate')).toMatchObject([
      { requestParameters: { file: issued }, responseElements: { subject: expect.stringContaining('CN=evidence') } },
    ]);
    const { code, output } = await verifyNew(ca.certificate);
    expect([code, output]).toEqual([0, expect.stringContaining('signed by "O=Example, CN=evidence"')]);
    expect(installed().trim()).toBe(readFileSync(issued, 'utf8').trim());
  });

  test('an intermediate CA goes with it', async () => {
    const sub = ca.issue('sub', '/CN=sub', { names: 'DNS:sub\nbasicConstraints=critical,CA:TRUE' });
    writeFileSync(at('request.csr'), csr);
    openssl(
      ...['x509', '-req', '-in', at('request.csr'), '-CA', sub.certificate, '-CAkey', sub.key, '-CAcreateserial'],
      ...['-days', '1', '-out', at('leaf.pem')],
    );
    writeFileSync(at('chain.pem'), readFileSync(at('leaf.pem'), 'utf8') + readFileSync(sub.certificate, 'utf8'));
    expect((await evidence(dataDir, 'install-certificate', at('chain.pem'))).code).toBe(0);
    expect((await verifyNew(ca.certificate)).code).toBe(0);
    expect((await verifying(at('leaf.pem'))).code).toBe(0);
  });

  test('another CA of the same name is not trusted, nor a certificate that is none of a CA', async () => {
    const other = mkdtempSync(join(directory, 'other-'));
    const namesake = new CertificateAuthority(other, 'ca');
    const { code, output } = await verifying(namesake.certificate);
    expect([code, output]).toEqual([1, expect.stringContaining('is not trusted: it is not in the file of --trust')]);
  });

  const refused: [string, () => Promise<string> | string, RegExp][] = [
    [
      'a certificate of another key',
      () => ca.issue('stranger', '/CN=stranger').certificate,
      /is about another key than this token's evidence key\. Type hsm-kms evidence csr/,
    ],
    [
      'a certificate that is not valid any more',
      () => issue(csr, 'expired.pem', 'basicConstraints=CA:FALSE\n', '-1'),
      /expired\.pem is valid from .+ only: nobody would believe what is signed now\. Type hsm-kms evidence csr/,
    ],
    ['a file without a certificate', () => at('seed.json'), /There is no certificate in PEM in /],
    ['no file', () => at('none.pem'), /none\.pem cannot be read: ENOENT/],
  ];
  test.each(refused)('%s is not installed', async (_what, file, said) => {
    const before = installed();
    const { code, errors } = await evidence(dataDir, 'install-certificate', await file());
    expect([code, errors]).toEqual([1, expect.stringMatching(said)]);
    expect(installed()).toBe(before);
  });

  test('a subject that is none is answered by a sentence', async () => {
    const { code, errors } = await evidence(dataDir, 'csr', '--subject', 'evidence');
    expect([code, errors]).toEqual([1, expect.stringContaining('is not a name as in "CN=app.example.com')]);
  });
});
