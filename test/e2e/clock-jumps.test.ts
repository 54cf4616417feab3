import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { auditDirectory, readEvents } from '../service/audit.js';
import { sql } from '../service/database.js';
import { applyIdentities } from '../service/identities.js';
import { refusal } from '../service/refusal.js';
import { accountId, type Credentials, hsmKms, Service } from '../service/service.js';
import { sessionOf } from '../service/sts.js';
import { describeOfSqlite } from '../service/tested-database.js';
import { patience, within } from '../service/within.js';

/** A library that shows a process another time (Debian: apt-get install faketime). */
const [library] = ['x86_64', 'aarch64']
  .map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketime.so.1`)
  .filter(existsSync);
const testWithClock = library === undefined ? test.skip : test;

/** The machine's clock jumps while the service runs: a wrong time, and its correction. */
describeOfSqlite('a clock that jumps', () => {
  let directory: string;
  let service: Service;
  let session: Required<Credentials>;
  const hour = 3_600_000;
  const setClock = (hours: number) =>
    writeFileSync(join(directory, 'clock'), `${hours < 0 ? '' : '+'}${hours * 3600}s`);

  beforeAll(async () => {
    if (library === undefined) return;
    directory = mkdtempSync(join(tmpdir(), 'hsm-kms-clock-'));
    setClock(0);
    service = await Service.start({
      workers: 2,
      environment: {
        ...{ LD_PRELOAD: library, FAKETIME_TIMESTAMP_FILE: join(directory, 'clock'), FAKETIME_NO_CACHE: '1' },
        ...{ FAKETIME_DONT_FAKE_MONOTONIC: '1', DONT_FAKE_MONOTONIC: '1' },
        ...{ HSM_KMS_SCHEDULE_MILLISECONDS: '200', HSM_KMS_AUDIT_CHECKPOINT_SECONDS: '0.5' },
      },
    });
    const trustPolicy = {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${accountId}:root` }, Action: 'sts:AssumeRole' }],
    };
    await applyIdentities(service, { roles: { visitor: { trustPolicy, policies: {} } } });
    session = await sessionOf(service, 'visitor', service.credentials);
  });
  afterAll(async () => {
    await service?.end();
    if (directory) rmSync(directory, { recursive: true });
  });

  /** By a clock that is right, as the service sees it. */
  async function clientAt(hours: number, credentials = service.credentials) {
    const client = service.newClient(credentials);
    (client.config as { systemClockOffset?: number }).systemClockOffset = hours * hour;
    return client;
  }
  const stateOf = async (hours: number, KeyId: string) => {
    const { KeyMetadata } = await (await clientAt(hours)).describeKey({ KeyId });
    return KeyMetadata?.KeyState;
  };
  const eventsOf = (name: string) => readEvents(auditDirectory(service)).filter(({ eventName }) => eventName === name);

  testWithClock('forward by a day, and back by a day and an hour', async () => {
    const { KeyId: used } = await service.newKey();
    const { KeyId: leaving } = await service.newKey();
    const { KeyId: staying } = await service.newKey();
    const { CiphertextBlob } = await service.kms.encrypt({ KeyId: used, Plaintext: Buffer.from('plain') });
    await service.kms.scheduleKeyDeletion({ KeyId: staying, PendingWindowInDays: 7 });
    expect(await refusal(service.newClient(session).listKeys({}))).toMatchObject({ name: 'AccessDeniedException' });

    setClock(24);
    // who goes by the old time is refused, and an SDK then goes by the service's
    const client = service.newClient();
    expect(await refusal(client.listKeys({}))).toMatchObject({
      name: 'InvalidSignatureException',
      message: expect.stringContaining('Signature expired'),
    });
    // Node.js writes the header Date anew once a second
    await within(patience, async () => {
      await client.listKeys({});
    });
    const tomorrow = await clientAt(24);
    const { Plaintext } = await tomorrow.decrypt({ CiphertextBlob });
    expect(Buffer.from(Plaintext as Uint8Array).toString()).toBe('plain');
    expect(await refusal((await clientAt(24, session)).listKeys({}))).toMatchObject({ name: 'ExpiredTokenException' });
    expect(await stateOf(24, staying)).toBe('PendingDeletion');
    // what is due by then is done
    await tomorrow.scheduleKeyDeletion({ KeyId: leaving, PendingWindowInDays: 7 });
    sql(service, 'update keys set deletion_at = ? where id = ?', Date.now() + 23 * hour, leaving);
    await within(patience, async () => expect(eventsOf('DeleteKey')).toHaveLength(1));

    // corrected too far, and the workers that had leases are gone
    setClock(-1);
    for (const pid of service.workers) process.kill(pid, 'SIGKILL');
    await within(patience, async () => {
      expect((await (await clientAt(-1)).decrypt({ CiphertextBlob })).KeyId).toContain(used);
    });
    expect(await refusal(tomorrow.listKeys({}))).toMatchObject({
      name: 'InvalidSignatureException',
      message: expect.stringContaining('Signature not yet current'),
    });
    expect(await stateOf(-1, staying)).toBe('PendingDeletion');
    sql(service, 'update keys set deletion_at = ? where id = ?', Date.now() - 2 * hour, staying);
    await within(patience, async () => expect(eventsOf('DeleteKey')).toHaveLength(2));

    setClock(0);
    await service.kms.generateRandom({ NumberOfBytes: 8 });
    await service.stop();
    const key = join(directory, 'audit.pem');
    const { output } = await hsmKms('audit', 'public-key', '--data-dir', service.dataDir);
    writeFileSync(key, output.replace(/^[^-]*/, ''));
    expect(await hsmKms('audit', 'verify', auditDirectory(service), '--public-key', key)).toMatchObject({ code: 0 });
  });
});
