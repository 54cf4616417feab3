import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { whyNoEngine } from './engine.js';
import { buildMilliseconds, serviceImage } from './image.js';
import { refusalMilliseconds, runToEnd, Volumes } from './service-container.js';

/** ELF's e_machine of an architecture that this machine has not. */
const [otherMachine, otherName] = process.arch === 'arm64' ? [62, 'x64'] : [183, 'arm64'];
const anybody = 0o644;

(whyNoEngine() ? describe.skip : describe)('a container with', () => {
  let image: string;
  let directory: string;
  const volumes = new Volumes();
  beforeAll(async () => {
    image = await serviceImage();
    directory = mkdtempSync(join(tmpdir(), 'hsm-kms-bad-input-'));
    chmodSync(directory, 0o755);
    const file = (name: string, content: string | Buffer, mode: number) =>
      writeFileSync(join(directory, name), content, { mode });
    const foreign = Buffer.alloc(64);
    foreign.write('\x7fELF\x02\x01\x01', 'latin1');
    foreign.writeUInt16LE(3, 16);
    foreign.writeUInt16LE(otherMachine, 18);
    file('foreign.so', foreign, anybody);
    file('text.so', 'INPUT(-lsofthsm2)\n', anybody);
    file('secret.so', foreign, 0o000);
    file('pin', '1234\n', 0o600);
    // the user of the image
    if (process.getuid?.() === 0) chownSync(join(directory, 'pin'), 1000, 1000);
    file('empty-pin', '\n', anybody);
  }, buildMilliseconds);
  afterAll(async () => {
    await volumes.remove();
    rmSync(directory, { recursive: true, force: true });
  });

  const softHsm = '/usr/lib/softhsm/libsofthsm2.so';
  const mounted = (name: string, at: string) => ['--volume', `${join(directory, name)}:${at}:ro`];
  const variable = (name: string, value: string) => ['--env', `HSM_KMS_${name}=${value}`];
  const pinFile = (file: string) => variable('TOKEN_PIN_FILE', file);
  const module = (file: string) => variable('PKCS11_MODULE', file);
  const withPin = () => [...mounted('pin', '/run/secrets/pin'), ...pinFile('/run/secrets/pin')];

  test.each<[string, () => string[], RegExp]>([
    [
      'a PIN that is not mounted',
      () => [...module(softHsm), ...pinFile('/run/secrets/pin')],
      /PIN file \/run\/secrets\/pin cannot be read \(ENOENT\): HSM_KMS_TOKEN_PIN_FILE names a file/,
    ],
    ['a module and no PIN', () => module(softHsm), /PIN is missing: set HSM_KMS_TOKEN_PIN_FILE to a file/],
    [
      'an empty PIN',
      () => [...module(softHsm), ...mounted('empty-pin', '/pin'), ...pinFile('/pin')],
      /file \/pin is empty; it must hold a PIN/,
    ],
    [
      'a PIN of which only the directory is there, as Docker makes it for a file that it misses',
      () => [...module(softHsm), ...mounted('', '/run/secrets/pin'), ...pinFile('/run/secrets/pin')],
      /PIN file \/run\/secrets\/pin cannot be read \(EISDIR\)/,
    ],
    [
      'a module that is not mounted',
      () => [...module('/opt/vendor/pkcs11.so'), ...withPin()],
      /module \/opt\/vendor\/pkcs11\.so cannot be read\. Set HSM_KMS_PKCS11_MODULE/,
    ],
    [
      'a module that its user may not read',
      () => [...mounted('secret.so', '/opt/vendor.so'), ...module('/opt/vendor.so'), ...withPin()],
      /module \/opt\/vendor\.so cannot be read\. Set HSM_KMS_PKCS11_MODULE/,
    ],
    [
      'a module for another architecture',
      () => [...mounted('foreign.so', '/opt/vendor.so'), ...module('/opt/vendor.so'), ...withPin()],
      new RegExp(`module /opt/vendor\\.so is for ${otherName}, and this Node\\.js is for ${process.arch}: set `),
    ],
    [
      'a module that is text',
      () => [...mounted('text.so', '/opt/vendor.so'), ...module('/opt/vendor.so'), ...withPin()],
      /module \/opt\/vendor\.so is no shared library: set HSM_KMS_PKCS11_MODULE/,
    ],
    [
      'a module that does not start',
      () => [...module(softHsm), ...withPin(), '--env', 'SOFTHSM2_CONF=/nowhere'],
      /module .+libsofthsm2\.so does not start \(CKR_GENERAL_ERROR \(5\)\): .+ its maker says what it needs/,
    ],
    [
      'a volume of root, or of whoever else runs the tests',
      () => ['--volume', `${directory}:/data`, '--user', '54321'],
      /data directory \/data belongs to (root|user \d+), and hsm-kms runs as user 54321: .+ give it the directory/,
    ],
    [
      'a volume that is read-only',
      () => ['--volume', `${directory}:/data:ro`, '--user', String(process.getuid?.())],
      /data directory \/data cannot be written to \(EROFS\): make it writable/,
    ],
  ])('%s ends at once, with a sentence that says what to do', async (_name, options, sentence) => {
    const { code, stdout, stderr, milliseconds } = await runToEnd(...options(), image);
    expect(stderr).toMatch(/^hsm-kms: [A-Z][^\n]+\.\n$/);
    expect(stderr).toMatch(sentence);
    expect(stderr).not.toMatch(/\n\s+at |undefined|"level":/);
    expect(stdout).toBe('');
    expect(code).toBe(1);
    expect(milliseconds).toBeLessThan(refusalMilliseconds);
  });
});
