import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { freePort } from '../service/free-port.mjs';
import { Project, whyNoCompose } from './compose-project.js';
import { docker } from './engine.js';
import { buildMilliseconds, serviceImage, softHsmImage } from './image.js';
import { Secrets, ServiceContainer } from './service-container.js';

const run = promisify(execFile);
const why = whyNoCompose();
const describeWithCompose = why ? describe.skip : describe;
const up = async (project: Project) => {
  await project.up();
  return ServiceContainer.existing(await project.container('hsm-kms'));
};
let image: string;
let port: number;
beforeAll(async () => {
  if (why) return;
  image = await serviceImage();
  port = await freePort();
}, buildMilliseconds);

describeWithCompose('docker-compose.yml', () => {
  let project: Project;
  let container: ServiceContainer;
  beforeAll(async () => {
    project = new Project(['docker-compose.yml'], {
      HSM_KMS_IMAGE: image,
      HSM_KMS_PUBLISHED_PORT: String(port),
      HSM_KMS_ACCOUNT_ID: '111122223333',
    });
    container = await up(project);
  });
  afterAll(() => project?.remove());

  test('is for the loopback address, without privileges, and for good', async () => {
    expect(container.url).toBe(`http://127.0.0.1:${port}`);
    const { HostConfig, State } = await container.inspect();
    expect(HostConfig).toMatchObject({
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: [expect.stringMatching(/^no-new-privileges/)],
      RestartPolicy: { Name: 'unless-stopped' },
      PortBindings: { '8080/tcp': [{ HostIp: '127.0.0.1' }] },
    });
    expect(State.Health).toBeDefined();
  });

  test('serves, with the credentials that a printed command shows, and keeps its keys', async () => {
    const command = await container.printed(/(?<=umask 077; )docker exec .+(?= >)/);
    const { stdout } = await run('sh', ['-c', command]);
    expect(stdout).toContain(container.credentials.secretAccessKey);
    const { KeyMetadata } = await container.kms.createKey({});
    expect(KeyMetadata?.Arn).toMatch(/^arn:aws:kms:us-east-1:111122223333:key\//);
    const KeyId = KeyMetadata?.KeyId as string;
    const { CiphertextBlob } = await container.kms.encrypt({ KeyId, Plaintext: Buffer.from('plaintext') });
    await project.compose('down');
    container = await up(project);
    const { Plaintext } = await container.kms.decrypt({ CiphertextBlob });
    expect(Buffer.from(Plaintext ?? []).toString()).toBe('plaintext');
  });
});

describeWithCompose('docker-compose.vendor.yml, with SoftHSM2 for the vendor', () => {
  let vendor: string;
  let project: Project;
  const secrets = new Secrets({ 'token-so-pin': '87654321', 'token-user-pin': '12345678\n' });
  const volumes = () => ['--volume', `${vendor}:/opt/vendor`, '--volume', `${secrets.directory}:/run/secrets:ro`];
  const settings = () => ({
    HSM_KMS_IMAGE: image,
    HSM_KMS_PUBLISHED_PORT: String(port),
    VENDOR_DIRECTORY: vendor,
    VENDOR_MODULE: 'lib/libsofthsm2.so',
    VENDOR_ENVIRONMENT: join(vendor, 'environment'),
    VENDOR_MOUNT: 'rw',
    TOKEN_LABEL: 'partition 1',
    TOKEN_PIN_FILE: join(secrets.directory, 'token-user-pin'),
  });

  /** The library, its configuration and its token in one directory of this machine, as a vendor's installer leaves it. */
  beforeAll(async () => {
    vendor = mkdtempSync(join(tmpdir(), 'hsm-kms-vendor-'));
    mkdirSync(join(vendor, 'lib'));
    writeFileSync(join(vendor, 'environment'), 'SOFTHSM2_CONF=/opt/vendor/softhsm2.conf\n');
    for (const directory of [vendor, join(vendor, 'lib')]) chmodSync(directory, 0o777);
    const container = ['--rm', ...volumes(), '--env', 'SOFTHSM2_CONF=/opt/vendor/softhsm2.conf'];
    const softHsm = await softHsmImage();
    await docker('run', ...container, softHsm, 'cp', '/usr/lib/softhsm/libsofthsm2.so', '/opt/vendor/lib/');
    await docker('run', ...container, '--env', 'TOKEN_LABEL=partition 1', softHsm);
    project = new Project(['docker-compose.yml', 'docker-compose.vendor.yml'], settings());
  }, buildMilliseconds);
  afterAll(async () => {
    await project?.remove();
    // what the container's user made, who runs the tests need not be able to remove
    await docker(
      'run',
      '--rm',
      ...volumes(),
      await softHsmImage(),
      'sh',
      '-c',
      'rm -r /opt/vendor/tokens /opt/vendor/lib/*',
    );
    rmSync(vendor, { recursive: true, force: true });
    secrets.remove();
  });

  test("keeps the keys in the vendor's token", async () => {
    const container = await up(project);
    const { KeyMetadata } = await container.kms.createKey({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' });
    const KeyId = KeyMetadata?.KeyId as string;
    await container.kms.generateMac({ KeyId, Message: Buffer.from('message'), MacAlgorithm: 'HMAC_SHA_256' });
    const list =
      'PIN=$(cat /run/secrets/token-user-pin) pkcs11-tool --module /opt/vendor/lib/libsofthsm2.so --pin env:PIN -O';
    const options = ['--rm', ...volumes(), '--env', 'SOFTHSM2_CONF=/opt/vendor/softhsm2.conf'];
    expect(await docker('run', ...options, await softHsmImage(), 'sh', '-c', list)).toContain(KeyId);
    expect(await docker('exec', container.name, 'ls', '/data')).not.toContain('tokens');
  });

  test('says which of its variables is missing', async () => {
    const { VENDOR_MODULE, ...incomplete } = settings();
    const without = new Project(['docker-compose.yml', 'docker-compose.vendor.yml'], incomplete);
    await expect(without.compose('config')).rejects.toThrow('VENDOR_MODULE');
  });
});
