import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { tokenObjects } from '../service/database.js';
import { type Refusal, refusal } from '../service/refusal.js';
import { Service } from '../service/service.js';
import { SmallDisk, whyNoSmallDisk } from '../service/small-disk.js';
import { testOfSqlite } from '../service/tested-database.js';
import { testedToken, whyLacking } from '../service/tested-token.js';
import { until } from '../service/within.js';

const whyNot = whyNoSmallDisk() ?? whyLacking("the service's own SoftHSM2");
if (whyNot !== undefined) console.warn(`SKIPPED, the tests of disks that are full or fail: ${whyNot}`);

let service: Service;
let disk: SmallDisk | undefined;
afterEach(async () => {
  await service?.stop();
  disk?.end();
  disk = undefined;
  await service?.end();
});

const Plaintext = Buffer.from('from before');

/** A service with something in it, over a disk of its own. */
async function serviceOn(directory: '.' | 'tokens') {
  service = await Service.start({
    workers: 1,
    // which would refuse what cannot be written down: audit-disk.test.ts
    flags: ['--audit-mode', 'off'],
    prepare: async (dataDir) => {
      disk = new SmallDisk(join(dataDir, directory));
    },
  });
  const { KeyId } = await service.newKey();
  const { KeyId: unused } = await service.newKey();
  const { CiphertextBlob } = await service.kms.encrypt({ KeyId, Plaintext });
  return { disk: disk as SmallDisk, KeyId, unused, CiphertextBlob };
}

type World = Awaited<ReturnType<typeof serviceOn>>;

/** What a change is refused with, once there is no room any more in the database's own files. */
async function refusedChange({ KeyId }: World): Promise<{ refused: Refusal; kept: string }> {
  let kept = '';
  for (let i = 0; i < 200; i++) {
    const Description = `${i} `.repeat(1_000);
    try {
      await service.kms.updateKeyDescription({ KeyId, Description });
      kept = Description;
    } catch (error) {
      return { refused: error as Refusal, kept };
    }
  }
  throw new Error('a disk without room takes every change');
}

/** Keys are used, and read, as if nothing were. */
async function expectInUse({ KeyId, CiphertextBlob }: World): Promise<void> {
  const { kms } = service;
  expect(await kms.decrypt({ CiphertextBlob })).toMatchObject({ KeyId: expect.stringContaining(KeyId) });
  // of the encryptions that this worker has set aside
  const { CiphertextBlob: another } = await kms.encrypt({ KeyId, Plaintext });
  expect(Buffer.from((await kms.decrypt({ CiphertextBlob: another })).Plaintext ?? [])).toEqual(Plaintext);
  expect((await kms.listKeys({})).Keys).toHaveLength(2);
}

/** Everything from before is there, and everything can be done. */
async function expectWell({ KeyId, unused, CiphertextBlob }: World, description: string): Promise<void> {
  const { kms } = service;
  expect((await kms.describeKey({ KeyId })).KeyMetadata).toMatchObject({ Description: description, Enabled: true });
  expect((await kms.describeKey({ KeyId: unused })).KeyMetadata).toMatchObject({ Description: '', Enabled: true });
  expect(Buffer.from((await kms.decrypt({ CiphertextBlob })).Plaintext ?? [])).toEqual(Plaintext);
  await kms.encrypt({ KeyId: unused, Plaintext });
  await kms.disableKey({ KeyId: unused });
  await kms.enableKey({ KeyId: unused });
  const objects = testedToken.objects(service.dataDir);
  const { KeyMetadata } = await kms.createKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
  expect(testedToken.objects(service.dataDir)).toBe(objects + 2);
  const request = { KeyId: KeyMetadata?.KeyId, Message: Plaintext, SigningAlgorithm: 'ECDSA_SHA_256' } as const;
  const { Signature } = await kms.sign(request);
  expect((await kms.verify({ ...request, Signature })).SignatureValid).toBe(true);
}

const newKeyRefused = { name: 'KMSInternalException' };

/** A worker that has to start finds out, and waits: it does not end again and again. */
async function expectPatientWorkers(): Promise<void> {
  const [worker] = service.workers;
  process.kill(worker as number, 'SIGKILL');
  await until('another starts', () => service.workers.length === 1 && service.workers[0] !== worker);
  await wait(1_500);
  expect(service.workers).toHaveLength(1);
  expect(await service.logged(/a worker ended and is replaced/)).toHaveLength(1);
}

/** The worker that has waited is at work. */
async function expectReady(): Promise<void> {
  await until('it is ready', async () => (await fetch(`${service.url}/readyz`)).ok);
}

/** What a service says that cannot start. */
async function refusedStart(): Promise<string> {
  try {
    await service.serve();
  } catch (error) {
    return (error as Error).message.trim().split('\n').at(-1) ?? '';
  }
  return '';
}

(whyNot === undefined ? describe : describe.skip)('a disk', () => {
  testOfSqlite(
    'that is full: keys are used, changes are refused, and it goes on by itself when there is room',
    async () => {
      const world = await serviceOn('.');
      const objects = tokenObjects(service);
      world.disk.fill();
      const { refused, kept } = await refusedChange(world);
      expect(refused).toMatchObject({
        name: 'KMSInternalException',
        message: 'Nothing was changed: the disk of the service is full.',
      });
      expect(await refusal(service.kms.createKey({}))).toMatchObject(newKeyRefused);
      // no encryption is made that is not counted
      expect(await refusal(service.kms.encrypt({ KeyId: world.unused, Plaintext }))).toMatchObject({
        message: 'Nothing was changed: the disk of the service is full.',
      });
      await expectInUse(world);
      await service.logged(/The database cannot be written to. The disk is full: make room/);
      await service.logged(/"the disk is full: keys are used, but nothing is made or changed before there is room"/);
      expect(tokenObjects(service)).toBe(objects);
      await expectPatientWorkers();
      world.disk.makeRoom();
      await service.logged(/"the disk has less than 64 MiB left: make room"/);
      await expectReady();
      await expectWell(world, kept);
      await service.stop();
      world.disk.fill();
      const said = await refusedStart();
      if (said !== '')
        expect(said).toMatch(/^hsm-kms: .* The disk is full: make room; what is running goes on by itself.$/);
      await service.stop();
      world.disk.makeRoom();
      await service.serve();
      await expectWell(world, kept);
    },
  );

  testOfSqlite(
    'that has made itself read-only: keys are used, and nothing is lost when it is mounted anew',
    async () => {
      const world = await serviceOn('.');
      world.disk.fail();
      const { refused, kept } = await refusedChange(world);
      expect(refused).toMatchObject({
        name: 'KMSInternalException',
        message: expect.stringMatching(/^(Nothing was changed: t|T)he disk of the service is (failing|read-only).$/),
      });
      expect(await refusal(service.kms.createKey({}))).toMatchObject(newKeyRefused);
      await expectInUse(world);
      await service.logged(/The database cannot be written to. The disk (fails|is read-only)/);
      await service.logged(/"the disk is read-only: keys are used, but nothing is made or changed/);
      await expectPatientWorkers();
      await service.stop();
      expect(await refusedStart()).toMatch(/^hsm-kms: .* The disk is read-only: check it/);
      world.disk.checkAndMount();
      await service.serve();
      await expectWell(world, kept);
    },
  );

  test('of the token that is full: keys are used, none is made, and it goes on by itself when there is room', async () => {
    const world = await serviceOn('tokens');
    const objects = tokenObjects(service);
    world.disk.fill();
    for (const spec of [{}, { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }] as const) {
      expect(await refusal(service.kms.createKey(spec))).toMatchObject(newKeyRefused);
    }
    await expectInUse(world);
    await service.kms.updateKeyDescription({ KeyId: world.KeyId, Description: 'in the database' });
    await service.logged(/"the disk is full: keys are used/);
    expect(tokenObjects(service)).toBe(objects);
    await expectPatientWorkers();
    world.disk.makeRoom();
    await expectReady();
    await expectWell(world, 'in the database');
  });

  test('of the token that has made itself read-only: keys are used, and nothing is lost', async () => {
    const world = await serviceOn('tokens');
    world.disk.fail();
    expect(await refusal(service.kms.createKey({}))).toMatchObject(newKeyRefused);
    await expectInUse(world);
    await service.kms.updateKeyDescription({ KeyId: world.KeyId, Description: 'in the database' });
    await service.logged(/"the disk is read-only: keys are used/);
    await expectPatientWorkers();
    await service.logged(/The token's directory .* cannot be written to. The disk is read-only/);
    await service.stop();
    expect(await refusedStart()).toMatch(
      /^hsm-kms: The token's directory .* cannot be written to. The disk is read-only/,
    );
    world.disk.checkAndMount();
    await service.serve();
    await expectWell(world, 'in the database');
  });
});
