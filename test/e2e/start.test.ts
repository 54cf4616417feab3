import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { hsmKms, Service } from '../service/service.js';
import { testOfSqlite } from '../service/tested-database.js';
import { testWith } from '../service/tested-token.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hsm-kms-start-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const serve = (...flags: string[]) =>
  hsmKms('serve', '--data-dir', directory, '--port', '0', '--workers', '1', ...flags);

/** Ends with a sentence for the person at the terminal, not with a stack trace. */
function expectSentence({ code, output }: { code: number | null; output: string }, sentence: RegExp): void {
  expect(code).toBe(1);
  expect(output).toMatch(sentence);
  expect(output).not.toMatch(/\n\s+at |CKR_/);
}

test('a data directory that is not initialised is named, with what to type', async () => {
  expectSentence(
    await serve(),
    /^hsm-kms: The (data directory .+ is not initialised|database is empty)\. Type: hsm-kms init$/m,
  );
});

test('a PKCS#11 module that is not there is named, with the setting', async () => {
  const answer = await hsmKms('init', '--data-dir', directory, '--pkcs11-module', '/nowhere/module.so');
  expect(answer.code).toBe(1);
  expect(answer.output).toMatch(/^hsm-kms: .*(module|PIN).*HSM_KMS_/m);
});

test('a data directory that cannot be made is named', async () => {
  const file = join(directory, 'file');
  writeFileSync(file, '');
  expectSentence(
    await hsmKms('init', '--data-dir', join(file, 'data')),
    /^hsm-kms: The directory .+ cannot be made: /m,
  );
});

test('an unknown flag and an unknown command are refused', async () => {
  expect((await serve('--frob')).code).not.toBe(0);
  expect((await hsmKms('frob')).code).not.toBe(0);
});

testOfSqlite('an init that was interrupted is finished by the next', async () => {
  const first = await hsmKms('init', '--data-dir', directory);
  expect(first.code).toBe(0);
  unlinkSync(join(directory, 'credentials'));
  for (const name of ['hsm-kms.db', 'hsm-kms.db-wal', 'hsm-kms.db-shm']) rmSync(join(directory, name), { force: true });
  const second = await hsmKms('init', '--data-dir', directory);
  expect(second.code).toBe(0);
  expect(second.output).toMatch(/^made the administrator /m);
  expect(second.output).not.toMatch(/SoftHSM2 token/);
});

describe('with a service', () => {
  let service: Service;
  beforeAll(async () => {
    service = await Service.start();
  });
  afterAll(() => service?.end());

  test('config prints every setting and where it came from, and no secret', async () => {
    const { code, output } = await hsmKms('config', '--data-dir', service.dataDir, '--port', '1234');
    expect(code).toBe(0);
    expect(output).toMatch(/^port: 1234 +# flag$/m);
    expect(output).toMatch(/^host: 127\.0\.0\.1 +# default$/m);
    expect(output).not.toContain(service.credentials.secretAccessKey);
  });

  test('token describe tells where each algorithm is done', async () => {
    const { code, output } = await hsmKms('token', 'describe', '--data-dir', service.dataDir);
    expect(code).toBe(0);
    expect(output).toMatch(/^ {2}SYMMETRIC_DEFAULT +ENCRYPT_DECRYPT +SYMMETRIC_DEFAULT +in the token/m);
    expect(output).toMatch(/^ {2}ECC_NIST_EDWARDS25519 +SIGN_VERIFY +ED25519_PH_SHA_512 +not available/m);
  });

  testWith('a lack of OAEP with SHA-256', 'token describe tells of the split', async () => {
    const { output } = await hsmKms('token', 'describe', '--data-dir', service.dataDir);
    expect(output).toMatch(/^ {2}RSA_2048 +ENCRYPT_DECRYPT +RSAES_OAEP_SHA_256 +split/m);
  });
});
