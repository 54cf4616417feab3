import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { mainModule } from '../service/built-service.js';
import { CertificateAuthority, type CertificateFiles } from '../service/certificates.js';
import { copyOfData } from '../service/copy-of-data.js';
import { cleanEnvironment, hsmKms, Service, serviceNode } from '../service/service.js';
import { testWith, whyLacking } from '../service/tested-token.js';

/** nobody. */
const otherUser = 65534;
const isRoot = process.geteuid?.() === 0;

let directory: string;
/** Where an initialised data directory lies; each test gets a copy. */
let initialised: string;
const ownSoftHsm = "the service's own SoftHSM2";
let dataDir: string;
let certificate: CertificateFiles;
let expired: CertificateFiles;
let usedPort: Server;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'hsm-kms-refusals-'));
  chmodSync(directory, 0o755);
  initialised = join(directory, 'initialised');
  expect((await hsmKms('init', '--data-dir', initialised)).code).toBe(0);
  const authority = new CertificateAuthority(directory, 'authority');
  certificate = authority.issue('good', '/CN=good', { names: 'IP:127.0.0.1' });
  expired = authority.issue('expired', '/CN=expired', { days: -1 });
  usedPort = createServer().listen(0, '127.0.0.1');
});
afterAll(() => {
  usedPort?.close();
  rmSync(directory, { recursive: true, force: true });
});
beforeEach(() => {
  dataDir = mkdtempSync(join(directory, 'data-'));
  copyOfData(initialised, dataDir);
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

interface Ending {
  readonly code: number | null;
  readonly output: string;
}

const serve = (...flags: string[]) => hsmKms('serve', '--data-dir', dataDir, '--port', '0', '--workers', '1', ...flags);

/** One sentence for the person at the terminal that says what to do; nothing of the inside. */
function expectOneSentence({ code, output }: Ending, sentence: RegExp): void {
  // what a first initialisation made is no part of the refusal
  const told = output.split('\n').filter((line) => line !== '' && !line.startsWith('made '));
  expect(told).toEqual([expect.stringMatching(/^hsm-kms: [A-Z].+\.$/)]);
  expect(told[0]).toMatch(sentence);
  expect(output).not.toMatch(/\n\s+at |CKR_|undefined|\[object/);
  expect(code).toBe(1);
}

function fileWith(name: string, content: string | Buffer): string {
  const file = join(directory, name);
  writeFileSync(file, content, { mode: 0o600 });
  return file;
}

/** The first bytes of a shared library for another kind of machine. */
function libraryFor(machine: number): Buffer {
  const header = Buffer.alloc(64);
  header.write('\x7fELF\x02\x01\x01', 'latin1');
  header.writeUInt16LE(3, 16);
  header.writeUInt16LE(machine, 18);
  return header;
}

const foreignMachine = process.arch === 'arm64' ? 62 : 183;
const foreignName = process.arch === 'arm64' ? 'x64' : 'arm64';

describe('the PKCS#11 module', () => {
  const withModule = (module: string) => serve('--pkcs11-module', module, '--token-pin-file', fileWith('pin', '1234'));

  test.each<[string, () => string, RegExp]>([
    [
      'that is missing',
      () => '/nowhere/module.so',
      /module \/nowhere\/module\.so cannot be read\. Set HSM_KMS_PKCS11_MODULE/,
    ],
    [
      'for another machine',
      () => fileWith('foreign.so', libraryFor(foreignMachine)),
      new RegExp(`is for ${foreignName}, and this Node\\.js is for ${process.arch}: set HSM_KMS_PKCS11_MODULE`),
    ],
    [
      'that is cut off',
      () => fileWith('cut.so', libraryFor(process.arch === 'arm64' ? 183 : 62)),
      /module .+cut\.so does not start \(.+\): HSM_KMS_PKCS11_MODULE names/,
    ],
  ])('%s', async (_name, module, sentence) => {
    expectOneSentence(await withModule(module()), sentence);
  });
});

describe("the token's PIN file", () => {
  test.each<[string, () => string, RegExp]>([
    [
      'that is missing',
      () => '/nowhere/pin',
      /PIN file \/nowhere\/pin cannot be read \(ENOENT\): HSM_KMS_TOKEN_PIN_FILE/,
    ],
    ['that is empty', () => fileWith('empty-pin', '\n'), /empty-pin is empty/],
    ['that is a directory', () => directory, /cannot be read \(EISDIR\)/],
  ])('%s', async (_name, pin, sentence) => {
    expectOneSentence(await serve('--token-pin-file', pin()), sentence);
  });

  testWith(ownSoftHsm, 'of the data directory that has been removed', async () => {
    unlinkSync(join(dataDir, 'token-user-pin'));
    expectOneSentence(await serve(), /PIN file .+token-user-pin cannot be read \(ENOENT\)/);
  });

  test('that holds a wrong PIN', async () => {
    const ending = await serve('--token-pin-file', fileWith('wrong', 'wrong-pin'));
    expect(ending.code).toBe(77);
    expect(ending.output).toMatch(/^hsm-kms: .+refuses the login.+Check its PIN\.$/m);
    expect(ending.output).not.toContain('wrong-pin');
  });

  testWith(ownSoftHsm, 'that a module of the user needs', async () => {
    const { path } = firstModule();
    expectOneSentence(await serve('--pkcs11-module', path), /PIN is missing: set HSM_KMS_TOKEN_PIN_FILE/);
  });
});

/** SoftHSM2's module, as a stranger's. */
function firstModule(): { path: string } {
  const known = ['/usr/lib/softhsm/libsofthsm2.so', '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so'];
  return { path: known.find((path) => existsSync(path)) ?? known[0]! };
}

describe('the address', () => {
  test('whose port is in use', async () => {
    const { port } = usedPort.address() as { port: number };
    const ending = await serve('--port', String(port));
    expectOneSentence(
      ending,
      new RegExp(`127\\.0\\.0\\.1:${port} cannot be listened on: another program uses it\\. Set HSM_KMS_PORT`),
    );
  });

  test('that this machine has not', async () => {
    const ending = await serve('--host', '192.0.2.1', '--allow-plain-http');
    expectOneSentence(
      ending,
      /192\.0\.2\.1:0 cannot be listened on: this machine has no such address\. Set HSM_KMS_HOST/,
    );
  });

  test('that others reach, without TLS', async () => {
    expectOneSentence(
      await serve('--host', '0.0.0.0'),
      /0\.0\.0\.0 would go over the network unencrypted: set HSM_KMS_TLS/,
    );
  });
});

describe('the data directory', () => {
  test('that is not there', async () => {
    rmSync(dataDir, { recursive: true });
    const { code, output } = await serve();
    expect(code).toBe(1);
    expect(output).toMatch(/^hsm-kms: The data directory .+ is not initialised\. Type: hsm-kms init$/m);
  });

  test('that is a file', async () => {
    const file = fileWith('file', '');
    expectOneSentence(await hsmKms('init', '--data-dir', file), /file.+cannot be/);
    expectOneSentence(await hsmKms('serve', '--data-dir', file), /file.+cannot be|file.+is no directory/);
  });

  const asRoot = isRoot ? test : test.skip;
  if (!isRoot) console.warn('SKIPPED: only root can give directories to others, or act as them.');

  asRoot('that belongs to another', async () => {
    chownSync(dataDir, otherUser, otherUser);
    const sentence =
      /belongs to user 65534, and hsm-kms runs as root: run it as user 65534, give it the directory \(chown/;
    expectOneSentence(await serve(), sentence);
    expectOneSentence(await hsmKms('init', '--data-dir', dataDir), sentence);
    expectOneSentence(await hsmKms('token', 'describe', '--data-dir', dataDir), sentence);
    // and nothing of root's was left there
    expect(readdirSync(dataDir)).not.toContain('service.lock');
  });

  /** As another user: whom permissions bind. */
  function runAsOther(...parameters: string[]): Ending {
    const { status, stdout, stderr } = spawnSync(serviceNode(), [mainModule, ...parameters], {
      uid: otherUser,
      gid: otherUser,
      cwd: '/',
      env: cleanEnvironment(),
      encoding: 'utf8',
    });
    return { code: status, output: stdout + stderr };
  }

  asRoot('whose volume belongs to root', () => {
    if (runAsOther('--version').code !== 0)
      return console.warn('SKIPPED: nobody may not enter the directory of the build.');
    chmodSync(dataDir, 0o777);
    for (const command of ['init', 'serve']) {
      expectOneSentence(runAsOther(command, '--data-dir', dataDir), /belongs to root, and hsm-kms runs as user 65534/);
    }
    expectOneSentence(
      runAsOther('init', '--data-dir', '/hsm-kms-data'),
      /directory \/hsm-kms-data cannot be made: EACCES\. Make it/,
    );
  });

  asRoot('that cannot be written to', () => {
    if (runAsOther('--version').code !== 0)
      return console.warn('SKIPPED: nobody may not enter the directory of the build.');
    chownSync(dataDir, otherUser, otherUser);
    chmodSync(dataDir, 0o500);
    for (const command of ['init', 'serve']) {
      expectOneSentence(
        runAsOther(command, '--data-dir', dataDir),
        /cannot be written to \(EACCES\): make it writable/,
      );
    }
  });

  test('that another service uses; administration beside it is allowed', async () => {
    const service = await Service.start();
    try {
      const second = () => hsmKms('serve', '--data-dir', service.dataDir, '--port', '0', '--workers', '1');
      const sentence = /Another hsm-kms serves from the data directory .+: stop that one, or set HSM_KMS_DATA_DIR/;
      expectOneSentence(await second(), sentence);
      expect((await hsmKms('init', '--data-dir', service.dataDir)).code).toBe(0);
      expect((await hsmKms('token', 'describe', '--data-dir', service.dataDir)).code).toBe(0);
      expectOneSentence(await second(), sentence);
      // a service that was killed leaves no lock behind
      await service.kill();
      await service.serve();
      await service.kms.listKeys({});
    } finally {
      await service.end();
    }
  });

  test('that several initialise at once: one makes everything, the others find it made', async () => {
    const fresh = join(directory, 'fresh');
    const endings = await Promise.all([1, 2, 3, 4].map(() => hsmKms('init', '--data-dir', fresh)));
    for (const { code, output } of endings) expect({ code, output }).toMatchObject({ code: 0 });
    const made = (what: string) => endings.filter(({ output }) => output.includes(`made ${what}`)).length;
    expect(made('a SoftHSM2 token')).toBe(whyLacking(ownSoftHsm) ? 0 : 1);
    expect(made('the sealing key')).toBe(1);
    expect(made('the administrator')).toBe(1);
    dataDir = fresh;
    const { port } = usedPort.address() as { port: number };
    expectOneSentence(await serve('--port', String(port)), /another program uses it/);
  });
});

describe('the TLS files', () => {
  const withTls = (certificateFile: string, keyFile: string) =>
    serve('--tls-certificate-file', certificateFile, '--tls-key-file', keyFile);

  test.each<[string, () => Promise<Ending>, RegExp]>([
    [
      'without a key',
      () => serve('--tls-certificate-file', certificate.certificate),
      /TLS needs a certificate and its key/,
    ],
    [
      'that are missing',
      () => withTls('/nowhere/c.pem', certificate.key),
      /\/nowhere\/c\.pem cannot be read \(ENOENT\): set HSM_KMS_TLS_CERTIFICATE_FILE/,
    ],
    ['of two pairs', () => withTls(certificate.certificate, expired.key), /is not that of the first certificate in/],
    ['that have expired', () => withTls(expired.certificate, expired.key), /expired\.pem expired on .+: renew it/],
  ])('%s', async (_name, start, sentence) => {
    expectOneSentence(await start(), sentence);
  });
});
