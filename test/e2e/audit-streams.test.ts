import { createHash } from 'node:crypto';
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, jest, test } from '@jest/globals';
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
import { identity, newAccessKey } from '../service/identities.js';
import { getMetrics, ReadMetrics } from '../service/metrics.js';
import { hsmKms, Service } from '../service/service.js';
import { within } from '../service/within.js';

jest.setTimeout(60_000);

let service: Service;
afterEach(() => service?.end());

const lastRequests = (count: number) => requestEvents(service).slice(-count);

test('in the mode durable, what was answered is in the log after a kill at once', async () => {
  service = await Service.start({ workers: 2, environment: { HSM_KMS_AUDIT_MODE: 'durable' } });
  const answers = await Promise.all(
    Array.from({ length: 40 }, () => call(service, 'GenerateRandom', { NumberOfBytes: 8 })),
  );
  const processes = [service.supervisor, ...service.workers];
  const last = await call(service, 'ListKeys', {});
  for (const each of processes) process.kill(each, 'SIGKILL');
  const ids = requestEvents(service).map(({ requestID }) => requestID);
  for (const { headers } of [...answers, last]) expect(ids).toContain(headers['x-amzn-requestid']);
});

test('in the mode buffered, an event is in the log within 50 ms, and how long they have waited is counted', async () => {
  service = await Service.start();
  for (let i = 0; i < 5; i++) {
    const { headers } = await call(service, 'ListKeys', {});
    const answeredAt = Date.now();
    const id = headers['x-amzn-requestid'];
    await within(1_000, async () => expect(requestEvents(service).map(({ requestID }) => requestID)).toContain(id));
    // the time to read all files, and to look again, comes on top
    expect(Date.now() - answeredAt).toBeLessThan(50 + 150);
  }
  const metrics = new ReadMetrics((await getMetrics(service)).body);
  const counted = metrics.sum('hsm_kms_audit_delay_seconds_count') ?? 0;
  expect(counted).toBeGreaterThan(1);
  expect(metrics.sum('hsm_kms_audit_delay_seconds_bucket', { le: '0.25' })).toBe(counted);
  expect(metrics.sum('hsm_kms_audit_events_total')).toBeGreaterThanOrEqual(counted);
  expect(metrics.sum('hsm_kms_audit_writable')).toBe(1);
});

test('several workers have a stream each; at a stop the last checkpoint covers everything', async () => {
  service = await Service.start({ workers: 3 });
  await Promise.all(Array.from({ length: 60 }, () => call(service, 'GenerateRandom', { NumberOfBytes: 8 })));
  await within(5_000, async () =>
    expect(readCheckpoints(auditDirectory(service), await auditPublicKey(service))).toHaveLength(1),
  );
  await call(service, 'ListKeys', {});
  await service.stop();
  const directory = auditDirectory(service);
  const publicKey = await auditPublicKey(service);
  const checkpoints = readCheckpoints(directory, publicKey);
  expect(checkpoints.length).toBeGreaterThanOrEqual(2);
  expect(uncoveredBytes(directory, checkpoints)).toEqual({});
  expect(requestEvents(service)).toHaveLength(61);
  const events = readEvents(directory);
  const streams = new Set(events.map(({ integrity }) => integrity.stream));
  expect([...streams].map((stream) => stream.split('-')[1]).sort()).toEqual([
    'supervisor',
    'worker',
    'worker',
    'worker',
  ]);
  for (const stream of streams) {
    const names = events.filter(({ integrity }) => integrity.stream === stream).map(({ eventName }) => eventName);
    expect([names[0], names.at(-1)]).toEqual(['StartStream', 'EndStream']);
  }
  // and the chain goes on
  await service.serve();
  await service.stop();
  expect(readCheckpoints(directory, publicKey).length).toBeGreaterThan(checkpoints.length);
  expect(uncoveredBytes(directory, readCheckpoints(directory, publicKey))).toEqual({});
  const [, again] = serviceEvents(service, 'StartStream').filter(
    (each) => each.serviceEventDetails?.kind === 'supervisor',
  );
  expect(again?.serviceEventDetails?.lastCheckpoint).toMatchObject({ sequence: checkpoints.length });
});

test('what a killed service has left is covered by the next, and nothing of it is changed', async () => {
  service = await Service.start({ workers: 1 });
  await call(service, 'ListKeys', {});
  await within(2_000, async () => expect(lastRequests(1)).toMatchObject([{ eventName: 'ListKeys' }]));
  for (const pid of [...service.workers, service.supervisor]) process.kill(pid, 'SIGKILL');
  await service.kill();
  const directory = auditDirectory(service);
  const left = streamFiles(directory);
  // a worker was cut off in the middle of a line
  const worker = left.find((name) => name.includes('-worker-')) as string;
  appendFileSync(join(directory, worker), '{"eventVersion":"1.11","userIden');
  const hashOf = (name: string) =>
    createHash('sha256')
      .update(readFileSync(join(directory, name)))
      .digest('hex');
  const hashes = left.map(hashOf);
  await service.serve();
  await within(5_000, async () => expect(serviceEvents(service, 'RecoverStream')).toHaveLength(2));
  const recovered = serviceEvents(service, 'RecoverStream').map(({ serviceEventDetails }) => serviceEventDetails);
  expect(recovered).toContainEqual(
    expect.objectContaining({ stream: worker.replace('.000001.jsonl', ''), tornBytes: 32 }),
  );
  await service.stop();
  expect(left.map(hashOf)).toEqual(hashes);
  const checkpoints = readCheckpoints(directory, await auditPublicKey(service));
  expect(uncoveredBytes(directory, checkpoints)).toEqual({ [worker]: 32 });
  // not announced a second time
  await service.restart();
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(serviceEvents(service, 'RecoverStream')).toHaveLength(2);
});

test('a worker that crashes is written down, with where its stream ended', async () => {
  service = await Service.start({ workers: 2 });
  const [victim = 0] = service.workers;
  process.kill(victim, 'SIGKILL');
  await within(10_000, async () => {
    expect(serviceEvents(service, 'ReplaceWorker')).toMatchObject([
      { serviceEventDetails: { pid: victim, reason: 'crashed' } },
    ]);
    expect(serviceEvents(service, 'RecoverStream')).toHaveLength(1);
  });
});

test('files rotate within a stream, and old ones are removed by an event that names their last hashes', async () => {
  service = await Service.start({
    environment: {
      ...{ HSM_KMS_AUDIT_FILE_MEGABYTES: '0.01', HSM_KMS_AUDIT_CHECKPOINT_SECONDS: '0.2' },
      HSM_KMS_AUDIT_RETENTION_MEGABYTES: '0.03',
    },
  });
  const directory = auditDirectory(service);
  for (let i = 0; i < 100; i++) await call(service, 'GenerateRandom', { NumberOfBytes: 8 });
  await within(5_000, async () => expect(serviceEvents(service, 'RemoveAuditFiles').length).toBeGreaterThan(0));
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
});

test('what the service does to keys by itself is written down', async () => {
  service = await Service.start({ flags: ['--schedule-milliseconds', '50'] });
  const { KeyId, Arn } = await service.newKey({ Origin: 'EXTERNAL' });
  const { KeyId: other } = await service.newKey();
  await service.kms.enableKeyRotation({ KeyId: other, RotationPeriodInDays: 90 });
  await service.kms.scheduleKeyDeletion({ KeyId, PendingWindowInDays: 7 });
  await service.stop();
  // the time has come
  sql(service, 'update keys set deletion_at = ? where deletion_at is not null', Date.now() - 1);
  sql(service, 'update keys set next_rotation_at = ? where next_rotation_at is not null', Date.now() - 1);
  await service.serve();
  await within(5_000, async () => {
    expect(serviceEvents(service, 'DeleteKey')).toMatchObject([
      { serviceEventDetails: { keyId: KeyId }, resources: [{ ARN: Arn }] },
    ]);
    expect(serviceEvents(service, 'RotateKey')).toMatchObject([
      { serviceEventDetails: { keyId: other, rotationType: 'AUTOMATIC' }, eventType: 'AwsServiceEvent' },
    ]);
  });
});

test('what commands change is written down beside the service, and covered by its next checkpoint', async () => {
  service = await Service.start();
  await identity(service, 'create-user', '--user-name', 'somebody');
  const { secretAccessKey } = await newAccessKey(service, 'somebody');
  await identity(service, 'list-users');
  await expect(identity(service, 'create-user', '--user-name', 'somebody')).rejects.toThrow('EntityAlreadyExists');
  const { KeyId } = await service.newKey();
  await hsmKms('reset-key-policy', '--key', KeyId, '--data-dir', service.dataDir);
  await service.stop();
  const directory = auditDirectory(service);
  const events = readEvents(directory).filter(({ integrity }) => integrity.stream.includes('-cli-'));
  const of = (name: string) => events.filter(({ eventName }) => eventName === name);
  expect(of('CreateUser')).toMatchObject([
    { eventSource: 'iam.amazonaws.com', requestParameters: { userName: 'somebody' } },
    {
      errorCode: 'EntityAlreadyExists',
      errorMessage: expect.stringContaining('somebody'),
      eventType: 'AwsServiceEvent',
    },
  ]);
  expect(of('CreateUser')[0]?.serviceEventDetails).toEqual({
    operatingSystemUser: userInfo().username,
    uid: userInfo().uid,
  });
  expect(of('CreateAccessKey')).toHaveLength(1);
  expect(of('ResetKeyPolicy')).toMatchObject([{ requestParameters: { keyId: KeyId } }]);
  expect(of('ListUsers')).toEqual([]);
  expect(JSON.stringify(events)).not.toContain(secretAccessKey);
  expect(uncoveredBytes(directory, readCheckpoints(directory, await auditPublicKey(service)))).toEqual({});
});

test('the mode off writes nothing, and a directory that cannot be written to ends the start with a sentence', async () => {
  service = await Service.start({ environment: { HSM_KMS_AUDIT_MODE: 'off' } });
  await call(service, 'ListKeys', {});
  await service.stop();
  expect(streamFiles(auditDirectory(service))).toEqual([]);
  const seen = await hsmKms('doctor', '--stopped', '--data-dir', service.dataDir);
  expect(seen.output).toContain('Nothing is written down: auditMode is off.');
  const file = mkdtempSync(join(tmpdir(), 'hsm-kms-test-audit-'));
  try {
    const shared = join(file, 'shared');
    const first = await Service.start({ environment: { HSM_KMS_AUDIT_DIRECTORY: shared } });
    await expect(Service.start({ environment: { HSM_KMS_AUDIT_DIRECTORY: shared } })).rejects.toThrow(
      `Another hsm-kms writes its audit log to ${shared}: stop that one`,
    );
    await first.end();
    expect(streamFiles(shared)).toHaveLength(2);
    const directory = join(file, 'a-file');
    appendFileSync(directory, '');
    const { code, output } = await hsmKms(
      'serve',
      '--data-dir',
      service.dataDir,
      '--port',
      '0',
      '--audit-mode',
      'buffered',
      '--audit-directory',
      directory,
    );
    expect([code, output.split('\n')[0]]).toEqual([
      1,
      expect.stringMatching(/^hsm-kms: The audit log's directory .* cannot be written to/),
    ]);
  } finally {
    rmSync(file, { recursive: true });
  }
});
