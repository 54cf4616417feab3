import { appendFileSync, chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import {
  auditDirectory,
  auditPublicKey,
  readCheckpoints,
  readEvents,
  requestEvents,
  serviceEvents,
  streamFiles,
  uncoveredBytes,
} from '../service/audit.js';
import { sql } from '../service/database.js';
import { call } from '../service/http.js';
import { getMetrics, ReadMetrics } from '../service/metrics.js';
import { environments, hsmKms, Service } from '../service/service.js';
import { patience, within } from '../service/within.js';

let service: Service;
/** Outside of the data directory. */
const elsewhere = mkdtempSync(join(tmpdir(), 'hsm-kms-test-audit-'));
const shared = join(elsewhere, 'shared');
beforeAll(async () => {
  service = await Service.start({
    flags: ['--schedule-milliseconds', '50'],
    environment: {
      ...{ HSM_KMS_AUDIT_FILE_MEGABYTES: '0.01', HSM_KMS_AUDIT_CHECKPOINT_SECONDS: '0.2' },
      HSM_KMS_AUDIT_RETENTION_MEGABYTES: '0.05',
    },
  });
});
afterAll(async () => {
  await service?.end();
  rmSync(elsewhere, { recursive: true });
});

test('in the mode buffered, an event comes to be in the log by itself, and how long they have waited is counted', async () => {
  for (let i = 0; i < 5; i++) {
    const { headers } = await call(service, 'ListKeys', {});
    const id = headers['x-amzn-requestid'];
    await within(patience, async () => expect(requestEvents(service).map(({ requestID }) => requestID)).toContain(id));
  }
  const metrics = new ReadMetrics((await getMetrics(service)).body);
  const counted = metrics.sum('hsm_kms_audit_delay_seconds_count') ?? 0;
  expect(counted).toBeGreaterThan(1);
  expect(metrics.sum('hsm_kms_audit_delay_seconds_bucket', { le: '+Inf' })).toBe(counted);
  expect(metrics.sum('hsm_kms_audit_events_total')).toBeGreaterThanOrEqual(counted);
  expect(metrics.sum('hsm_kms_audit_writable')).toBe(1);
});

test('files rotate within a stream, and old ones are removed by an event that names their last hashes', async () => {
  const directory = auditDirectory(service);
  for (let i = 0; i < 100; i++) await call(service, 'GenerateRandom', { NumberOfBytes: 8 });
  await within(patience, async () => expect(serviceEvents(service, 'RemoveAuditFiles').length).toBeGreaterThan(0));
  const { KeyId, Arn } = await service.newKey({ Origin: 'EXTERNAL' });
  const { KeyId: other } = await service.newKey();
  await service.kms.enableKeyRotation({ KeyId: other, RotationPeriodInDays: 90 });
  await service.kms.scheduleKeyDeletion({ KeyId, PendingWindowInDays: 7 });
  await service.stop();
  const removed = serviceEvents(service, 'RemoveAuditFiles').flatMap(
    ({ serviceEventDetails }) =>
      serviceEventDetails?.files as { file: string; stream: string; lastSequence: number; lastHash: string }[],
  );
  const files = streamFiles(directory);
  for (const { file } of removed) expect(files).not.toContain(file);
  // what is left goes on where the event says
  const last = removed.at(-1) as (typeof removed)[number];
  const [next] = readEvents(directory).filter(({ integrity }) => integrity.stream === last.stream);
  expect(next?.integrity).toMatchObject({ sequence: last.lastSequence + 1, previous: last.lastHash });
  expect(uncoveredBytes(directory, readCheckpoints(directory, await auditPublicKey(service)))).toEqual({});

  // what the service does to keys by itself is written down, when the time has come
  sql(service, 'update keys set deletion_at = ? where deletion_at is not null', Date.now() - 1);
  sql(service, 'update keys set next_rotation_at = ? where next_rotation_at is not null', Date.now() - 1);
  await service.serve();
  await within(patience, async () => {
    expect(serviceEvents(service, 'DeleteKey')).toMatchObject([
      { serviceEventDetails: { keyId: KeyId }, resources: [{ ARN: Arn }] },
    ]);
    expect(serviceEvents(service, 'RotateKey')).toMatchObject([
      { serviceEventDetails: { keyId: other, rotationType: 'AUTOMATIC' }, eventType: 'AwsServiceEvent' },
    ]);
  });
  await service.stop();
});

const serveWith = (...flags: string[]) =>
  hsmKms('serve', '--data-dir', service.dataDir, '--port', '0', '--workers', '1', ...flags);

test('a directory that cannot be written to ends the start with a sentence', async () => {
  const directory = join(elsewhere, 'a-file');
  appendFileSync(directory, '');
  const { code, output } = await serveWith('--audit-directory', directory);
  expect([code, output.split('\n')[0]]).toEqual([
    1,
    expect.stringMatching(/^hsm-kms: The audit log's directory .* cannot be written to/),
  ]);
});

test('a directory elsewhere is of one service only', async () => {
  const other = await Service.start({ environment: { HSM_KMS_AUDIT_DIRECTORY: shared } });
  const { code, output } = await serveWith('--audit-directory', shared);
  expect([code, output]).toEqual([
    1,
    expect.stringContaining(`Another hsm-kms writes its audit log to ${shared}: stop that one`),
  ]);
  chmodSync(shared, 0o777);
  const { output: examined } = await hsmKms('doctor', '--quiet', '--data-dir', other.dataDir);
  expect(examined).toContain(`Others than its owner can write to ${shared}`);
  await other.end();
  expect(streamFiles(shared).map((name) => name.split('-')[1])).toEqual(['cli', 'supervisor', 'worker']);
});

test('the mode off writes nothing', async () => {
  environments.set(service.dataDir, { HSM_KMS_AUDIT_MODE: 'off' });
  const written = readEvents(auditDirectory(service)).length;
  await service.serve();
  await call(service, 'ListKeys', {});
  await service.stop();
  expect(readEvents(auditDirectory(service))).toHaveLength(written);
  const seen = await hsmKms('doctor', '--stopped', '--data-dir', service.dataDir);
  expect(seen.output).toContain('Nothing is written down: auditMode is off.');
});
