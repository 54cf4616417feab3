import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { mainModule } from '../service/built-service.js';
import { newPair, pkcs8 } from '../service/byok.js';
import { hsmKms, Service, serviceEnvironment, serviceNode } from '../service/service.js';
import { inspectToken } from '../service/token-inspection.js';

const directory = mkdtempSync(join(tmpdir(), 'hsm-kms-seed-'));
const services: Service[] = [];
afterAll(async () => {
  for (const service of services) await service.end();
  rmSync(directory, { recursive: true });
});

const id = (n: number) => `5eed0000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const pair = newPair('ECC_NIST_P256');
const keys = [
  { KeyId: id(1), Aliases: ['alias/1', 'alias/one'], RotationPeriodInDays: 90, Enabled: false },
  { KeyId: id(2), KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY', Aliases: ['alias/2'] },
  { KeyId: id(3), KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC', Enabled: false, Aliases: ['alias/3'] },
  {
    ...{ KeyId: id(4), KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY', Aliases: ['alias/4'] },
    ...{ Origin: 'EXTERNAL', KeyMaterial: pkcs8(pair.privateKey).toString('base64') },
  },
];
/** Labels of the token's objects: a pair is two. */
const labels = [id(1), id(2), id(2), id(3), id(4), id(4)];
const seedFile = join(directory, 'seed.yaml');
writeFileSync(seedFile, stringify({ Keys: keys }));

async function emptyService(): Promise<Service> {
  const service = await Service.initialised();
  services.push(service);
  return service;
}

async function expectSeeded(service: Service): Promise<void> {
  await service.serve();
  const { kms } = service;
  const states = async (KeyId: string) => (await kms.describeKey({ KeyId })).KeyMetadata?.KeyState;
  expect(await Promise.all(keys.map(({ KeyId }) => states(KeyId)))).toEqual([
    ...['Disabled', 'Enabled', 'Disabled', 'Enabled'],
  ]);
  expect(await kms.getKeyRotationStatus({ KeyId: id(1) })).toMatchObject({ RotationPeriodInDays: 90 });
  const { Aliases } = await kms.listAliases({});
  expect(Aliases!.map(({ AliasName, TargetKeyId }) => [AliasName, TargetKeyId])).toEqual([
    ...[
      ['alias/1', id(1)],
      ['alias/2', id(2)],
      ['alias/3', id(3)],
      ['alias/4', id(4)],
      ['alias/one', id(1)],
    ],
  ]);
  const Message = Buffer.from('whole');
  for (const [KeyId, SigningAlgorithm] of [
    [id(2), 'RSASSA_PSS_SHA_256'],
    [id(4), 'ECDSA_SHA_256'],
  ] as const) {
    const { Signature } = await kms.sign({ KeyId, Message, SigningAlgorithm });
    expect((await kms.verify({ KeyId, Message, SigningAlgorithm, Signature })).SignatureValid).toBe(true);
  }
  await kms.enableKey({ KeyId: id(1) });
  const { CiphertextBlob } = await kms.encrypt({ KeyId: id(1), Plaintext: Message });
  expect(await kms.decrypt({ CiphertextBlob })).toMatchObject({ Plaintext: Message });
}

/** Runs `init` and kills it some time after it has made something. @returns its exit code, null when it was killed */
async function initKilled(dataDir: string, milliseconds: number): Promise<number | null> {
  const child = spawn(serviceNode(), [mainModule, 'init', '--data-dir', dataDir, '--seed-file', seedFile], {
    env: serviceEnvironment(dataDir),
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = once(child, 'exit');
  child.stdout.once('data', async () => {
    await wait(milliseconds);
    child.kill('SIGKILL');
  });
  const [code] = await ended;
  return code;
}

test('kill -9 at any time leaves nothing half made that the next init does not finish', async () => {
  const service = await emptyService();
  let killed = 0;
  for (const milliseconds of [0, 5, 15, 30, 60, 2]) {
    if ((await initKilled(service.dataDir, milliseconds)) !== null) break;
    killed += 1;
  }
  expect(killed).toBeGreaterThan(0);
  expect((await hsmKms('init', '--data-dir', service.dataDir, '--seed-file', seedFile)).code).toBe(0);
  await expectSeeded(service);
});

test('two that seed the same store at the same time make each key once', async () => {
  const service = await emptyService();
  const both = [1, 2].map(() => hsmKms('init', '--data-dir', service.dataDir, '--seed-file', seedFile));
  for (const { code, output } of await Promise.all(both)) expect({ code, output }).toMatchObject({ code: 0 });
  const { objects } = await inspectToken(service);
  const ofKeys = objects.map(({ label }) => label).filter((label) => label.startsWith('5eed'));
  expect(ofKeys.sort()).toEqual(labels);
  await expectSeeded(service);
});
