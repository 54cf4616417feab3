import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import {
  auditDirectory,
  auditPublicKey,
  readCheckpoints,
  requestEvents,
  serviceEvents,
  uncoveredBytes,
} from '../service/audit.js';
import { call } from '../service/http.js';
import { Service } from '../service/service.js';
import { SmallDisk, whyNoSmallDisk } from '../service/small-disk.js';
import { patience, within } from '../service/within.js';

const whyNot = whyNoSmallDisk();
if (whyNot !== undefined) console.warn(`SKIPPED, the tests of audit logs on disks that are full: ${whyNot}`);

let service: Service;
let disk: SmallDisk | undefined;
afterEach(async () => {
  await service?.stop();
  disk?.end();
  disk = undefined;
  await service?.end();
});

/** A service whose audit log is on a disk of its own. */
async function serviceWith(environment: NodeJS.ProcessEnv): Promise<SmallDisk> {
  service = await Service.start({
    environment,
    prepare: async (dataDir) => {
      const directory = join(dataDir, 'audit');
      if (!existsSync(directory)) mkdirSync(directory, { mode: 0o700 });
      disk = new SmallDisk(directory, 8);
    },
  });
  return disk as SmallDisk;
}

const refusal = { status: 500, body: expect.stringContaining('The audit log cannot be written: the disk is full.') };

/**
 * Fills it up, and asks, several at once, until there is no room in the log's own last block any more.
 *
 * @returns ids of the requests that were answered
 */
async function untilRefused(full: SmallDisk): Promise<string[]> {
  full.fill();
  const answered: string[] = [];
  for (let times = 0; times < 100; times++) {
    const asked = Array.from({ length: 6 }, () => call(service, 'CreateKey', { Description: 'x'.repeat(500) }));
    const answers = await Promise.all(asked);
    const good = answers.filter(({ status }) => status === 200);
    answered.push(...good.map(({ headers }) => headers['x-amzn-requestid'] as string));
    if (good.length < answers.length) return answered;
    await wait(80);
  }
  throw new Error('a full disk takes every event');
}

const isAnswered = async () => expect((await call(service, 'ListKeys', {})).status).toBe(200);

(whyNot === undefined ? describe : describe.skip)('with a full disk', () => {
  test.each(['buffered', 'durable'])(
    'in the mode %s requests are refused before anything is done, and it goes on by itself',
    async (mode) => {
      const full = await serviceWith({ HSM_KMS_AUDIT_MODE: mode });
      const answered = await untilRefused(full);
      const written = new Set(requestEvents(service).map(({ requestID }) => requestID));
      const unwritten = answered.filter((id) => !written.has(id));
      // also of those that were under way when the disk was full
      if (mode === 'durable') expect(unwritten).toEqual([]);
      const before = (await service.kms.listKeys({}).catch(() => undefined)) === undefined;
      expect(before).toBe(true);
      for (let i = 0; i < 3; i++) expect(await call(service, 'CreateKey', {})).toMatchObject(refusal);
      const logged = await service.logged(/the audit log cannot be written: requests are refused until it can/);
      expect(logged).toHaveLength(1);
      expect(service.stderr).not.toMatch(/"request failed"/);
      full.makeRoom();
      await within(patience, isAnswered);
      await service.logged(/the audit log is written again/);
      await service.stop();
      const [resumed] = serviceEvents(service, 'ResumeAudit');
      expect(resumed?.serviceEventDetails).toMatchObject({ reason: expect.stringContaining('ENOSPC'), lost: 0 });
      // also those that were refused are in the log
      const events = requestEvents(service);
      const refused = events.filter(({ errorMessage }) => errorMessage?.startsWith('The audit log cannot be written'));
      const withheld = (resumed?.serviceEventDetails?.withheld ?? []) as string[];
      expect(refused.length).toBeGreaterThanOrEqual(4);
      expect(new Set(events.map(({ eventID }) => eventID)).size).toBe(events.length);
      // every key that was made is in the log, and its client was told, but for answers that were withheld
      const made = events.filter(({ eventName, errorCode }) => eventName === 'CreateKey' && errorCode === undefined);
      const ids = made.map(({ requestID }) => requestID);
      for (const id of withheld) expect(ids).toContain(id);
      expect(withheld.length > 0).toBe(mode === 'durable');
      await service.serve();
      expect((await service.kms.listKeys({})).Keys).toHaveLength(made.length);
      await service.stop();
      const directory = auditDirectory(service);
      expect(uncoveredBytes(directory, readCheckpoints(directory, await auditPublicKey(service)))).toEqual({});
    },
  );

  test('and auditFailOpen requests are answered, and their events written when there is room', async () => {
    const full = await serviceWith({ HSM_KMS_AUDIT_MODE: 'durable', HSM_KMS_AUDIT_FAIL_OPEN: 'true' });
    full.fill();
    for (let i = 0; i < 20; i++) await isAnswered();
    await service.logged(/requests are answered all the same \(auditFailOpen\)/);
    full.makeRoom();
    await service.logged(/the audit log is written again/);
    await service.stop();
    expect(requestEvents(service)).toHaveLength(20);
  });
});
