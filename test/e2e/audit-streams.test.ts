import { createHash } from 'node:crypto';
import { appendFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { chainedLine, lineHash, noHash, streamName } from '../../src/audit/format.js';
import { verifyAuditLog } from '../../src/audit/verify.js';
import { canonicalJson } from '../../src/evidence/canonical-json.js';
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
import { call } from '../service/http.js';
import { identity, newAccessKey } from '../service/identities.js';
import { hsmKms, Service } from '../service/service.js';
import { patience, within } from '../service/within.js';

/** One service, test after test, as each starts where the one before has left it. */
describe('over ends of all kinds', () => {
  let service: Service;
  let directory: string;
  let publicKey: string;
  beforeAll(async () => {
    service = await Service.start({
      workers: 2,
      flags: ['--audit-checkpoint-seconds', '0.3', '--hang-milliseconds', '3000', '--drain-milliseconds', '150'],
      environment: { HSM_KMS_AUDIT_MODE: 'durable' },
    });
    directory = auditDirectory(service);
    publicKey = await auditPublicKey(service);
  });
  afterAll(() => service?.end());

  const recovered = () => serviceEvents(service, 'RecoverStream').map(({ serviceEventDetails }) => serviceEventDetails);
  const checkpoints = () => readCheckpoints(directory, publicKey);
  const findings = async () => (await verifyAuditLog({ directory, publicKey })).findings;
  const hashOf = (name: string) =>
    createHash('sha256')
      .update(readFileSync(join(directory, name)))
      .digest('hex');

  test('the first event of a service is that it was made, and what with', () => {
    const [begun, made, ended] = readEvents(directory);
    expect([begun?.eventName, ended?.eventName]).toEqual(['StartStream', 'EndStream']);
    expect(made).toMatchObject({
      ...{ eventSource: 'hsm-kms', eventName: 'InitializeService' },
      responseElements: { made: expect.arrayContaining(['the key that signs the audit log, in the token']) },
    });
  });

  test.each([
    ['crashed', 'SIGKILL'],
    ['hung', 'SIGSTOP'],
  ] as const)('a worker that has %s is written down, with where its stream ended', async (reason, signal) => {
    const before = recovered().length;
    const [victim = 0] = service.workers;
    process.kill(victim, signal);
    await within(patience, async () => {
      const replaced = serviceEvents(service, 'ReplaceWorker').at(-1)?.serviceEventDetails;
      expect(replaced).toEqual({ pid: victim, reason });
      expect(recovered()).toHaveLength(before + 1);
    });
    const starts = serviceEvents(service, 'StartStream').filter((each) => each.serviceEventDetails?.pid === victim);
    expect(starts.map(({ integrity }) => integrity.stream)).toEqual([recovered().at(-1)?.stream]);
    await within(patience, async () => expect(await findings()).toEqual([]));
  });

  test('what commands change is written down beside the service, by whom, and begins with what it is', async () => {
    await identity(service, 'create-user', '--user-name', 'somebody');
    const { secretAccessKey } = await newAccessKey(service, 'somebody');
    await identity(service, 'list-users');
    await expect(identity(service, 'create-user', '--user-name', 'somebody')).rejects.toThrow('EntityAlreadyExists');
    const { KeyId } = await service.newKey();
    await hsmKms('reset-key-policy', '--key', KeyId, '--data-dir', service.dataDir);
    const events = readEvents(directory).filter(({ integrity }) => integrity.stream.includes('-cli-'));
    const of = (name: string) => events.filter(({ eventName }) => eventName === name);
    const { username: operatingSystemUser, uid } = userInfo();
    expect(of('CreateUser')).toMatchObject([
      { eventSource: 'iam.amazonaws.com', requestParameters: { userName: 'somebody' } },
      {
        ...{ errorCode: 'EntityAlreadyExists', errorMessage: expect.stringContaining('somebody') },
        ...{ eventType: 'AwsServiceEvent', serviceEventDetails: { operatingSystemUser, uid } },
      },
    ]);
    expect(of('CreateAccessKey')).toHaveLength(1);
    expect(of('ResetKeyPolicy')).toMatchObject([{ requestParameters: { keyId: KeyId } }]);
    expect(of('StartStream').at(-1)?.serviceEventDetails).toMatchObject({
      ...{ command: { name: 'ResetKeyPolicy', parameters: { keyId: KeyId } }, operatingSystemUser, uid },
    });
    expect(of('ListUsers')).toEqual([]);
    expect(JSON.stringify(events)).not.toContain(secretAccessKey);
  });

  test('what commands do to the service as a whole is written down, with what came of it', async () => {
    const { KeyId, Arn } = await service.newKey();
    const archive = join(service.dataDir, 'archive');
    const sealed = `keys/${KeyId}`;
    const table = [
      [['backup', archive], 'CreateBackup', { file: archive }, { madeAt: expect.any(String) }],
      [['reseal', sealed], 'ResealRecords', { records: [sealed] }, { sealed: 1 }],
      [['reseal', 'keys/none'], 'ResealRecords', { records: ['keys/none'] }, null],
      [['restore', archive], 'none', {}, {}],
      [['evidence', KeyId], 'CreateEvidence', { keys: [KeyId], challenge: null }, { madeAt: expect.any(String) }],
    ] as const;
    for (const [parameters, eventName, requestParameters, responseElements] of table) {
      const before = readEvents(directory).filter(({ integrity }) => integrity.stream.includes('-cli-')).length;
      const { code, output } = await hsmKms(...parameters, '--data-dir', service.dataDir);
      const events = readEvents(directory).filter(({ integrity }) => integrity.stream.includes('-cli-'));
      // one that is refused before it begins is not written down
      if (eventName === 'none') expect(events).toHaveLength(before);
      const [event] = events.slice(before).filter((each) => each.eventName === eventName);
      const expected = { eventSource: 'hsm-kms', requestParameters, responseElements };
      if (eventName !== 'none') expect(event).toMatchObject(expected);
      if (responseElements === null) expect(event?.errorMessage).toBe(output.replace(/^hsm-kms: |\n$/g, ''));
      expect(code === 0).toBe(responseElements !== null && eventName !== 'none');
      if (eventName !== 'CreateEvidence') continue;
      const { payload } = JSON.parse(output.slice(output.indexOf('{\n')));
      const digest = createHash('sha256').update(canonicalJson(payload)).digest('hex');
      expect([event?.responseElements?.payloadSha256, event?.resources?.[0]?.ARN]).toEqual([digest, Arn]);
    }
  });

  test('a stream that somebody else puts there is not signed, and is found', async () => {
    const stream = streamName('worker', new Date(), 'abcdef01');
    const record = (eventName: string) => JSON.stringify({ eventTime: new Date().toISOString(), eventName });
    const first = chainedLine(record('StartStream'), stream, 1, noHash);
    const file = join(directory, `${stream}.000001.jsonl`);
    writeFileSync(file, `${first}\n${chainedLine(record('Decrypt'), stream, 2, lineHash(first))}\n`);
    const last = checkpoints().length;
    await within(patience, async () => {
      await call(service, 'ListKeys', {});
      expect(checkpoints().length).toBeGreaterThan(last + 2);
    });
    expect(checkpoints().flatMap(({ heads }) => heads.filter((head) => head.stream === stream))).toEqual([]);
    expect(await service.logged(/somebody else has put a stream into the audit log/)).toHaveLength(1);
    await within(patience, async () => {
      await call(service, 'ListKeys', {});
      expect(await findings()).toMatchObject([{ what: 'unsigned', stream }]);
    });
    rmSync(file);
  });

  test('a file that is removed under a worker is noticed, and what comes goes into a new stream', async () => {
    const begun = serviceEvents(service, 'StartStream').length;
    const file = streamFiles(directory).findLast((name) => name.includes('-worker-')) as string;
    const kept = `${service.dataDir}/kept`;
    renameSync(join(directory, file), kept);
    const statuses: number[] = [];
    // both workers have a request each, at the latest with the last of these
    await within(patience, async () => {
      statuses.push((await call(service, 'ListKeys', {})).status);
      expect(serviceEvents(service, 'ResumeAudit')).toHaveLength(1);
    });
    expect(new Set(statuses)).toEqual(new Set([200, 500]));
    expect(serviceEvents(service, 'StartStream')).toHaveLength(begun);
    renameSync(kept, join(directory, file));
    const [resumed] = serviceEvents(service, 'ResumeAudit');
    expect(resumed?.serviceEventDetails?.reason).toBe(`${file} was removed or replaced while it was written`);
    // it did not end in order, which a checkpoint that finds it again says
    await within(patience, async () =>
      expect(recovered().map((each) => each?.stream)).toContain(file.replace('.000001.jsonl', '')),
    );
  });

  test('at a stop also requests that are not answered are written down, and the last checkpoint covers everything', async () => {
    const before = new Set(requestEvents(service).map(({ eventID }) => eventID));
    const slow = [1, 2, 3].map(() => call(service, 'CreateKey', { KeySpec: 'RSA_4096', KeyUsage: 'SIGN_VERIFY' }));
    const outcomes = Promise.allSettled(slow);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await service.stop();
    const answered = (await outcomes).filter(({ status }) => status === 'fulfilled').length;
    const codes = requestEvents(service)
      .filter(({ eventID }) => !before.has(eventID))
      .map(({ errorCode }) => errorCode);
    expect(codes.filter((code) => code === undefined)).toHaveLength(answered);
    expect(codes.filter((code) => code === 'ServiceStopped')).toHaveLength(3 - answered);
    expect(uncoveredBytes(directory, checkpoints())).toEqual({});
    const events = readEvents(directory);
    const crashed = new Set(recovered().map((each) => each?.stream));
    const streams = [...new Set(events.map(({ integrity }) => integrity.stream))].filter((each) => !crashed.has(each));
    for (const stream of streams) {
      const names = events.filter(({ integrity }) => integrity.stream === stream).map(({ eventName }) => eventName);
      expect([names[0], names.at(-1)]).toEqual(['StartStream', 'EndStream']);
    }
    expect(await findings()).toEqual([]);
  });

  test('what was answered is in the log after a kill at once; the next covers it, and changes nothing of it', async () => {
    const [before, crashed] = [checkpoints().length, recovered().length];
    await service.serve();
    const starts = serviceEvents(service, 'StartStream').filter(
      ({ serviceEventDetails }) => serviceEventDetails?.kind === 'supervisor',
    );
    expect(starts.at(-1)?.serviceEventDetails?.lastCheckpoint).toMatchObject({ sequence: before });
    const answers = await Promise.all(
      Array.from({ length: 40 }, () => call(service, 'GenerateRandom', { NumberOfBytes: 8 })),
    );
    const processes = [service.supervisor, ...service.workers];
    const last = await call(service, 'ListKeys', {});
    for (const each of processes) process.kill(each, 'SIGKILL');
    await service.kill();
    const ids = requestEvents(service).map(({ requestID }) => requestID);
    for (const { headers } of [...answers, last]) expect(ids).toContain(headers['x-amzn-requestid']);
    const left = streamFiles(directory);
    // a worker was cut off in the middle of a line
    const worker = left.findLast((name) => name.includes('-worker-')) as string;
    appendFileSync(join(directory, worker), '{"eventVersion":"1.11","userIden');
    const hashes = left.map(hashOf);
    await service.serve();
    await within(patience, async () => expect(recovered()).toHaveLength(crashed + 3));
    expect(recovered()).toContainEqual(
      expect.objectContaining({ stream: worker.replace('.000001.jsonl', ''), tornBytes: 32 }),
    );
    await service.stop();
    expect(left.map(hashOf)).toEqual(hashes);
    expect(uncoveredBytes(directory, checkpoints())).toEqual({ [worker]: 32 });
    // not announced a second time
    await service.serve();
    const covered = checkpoints().length;
    await within(patience, async () => expect(checkpoints().length).toBeGreaterThan(covered));
    expect(recovered()).toHaveLength(crashed + 3);
    expect(await findings()).toEqual([]);
  });
});
