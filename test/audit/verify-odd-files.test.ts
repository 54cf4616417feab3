import { execFileSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from '@jest/globals';
import { streamFileName } from '../../src/audit/format.js';
import { auditEvents } from '../../src/audit/read.js';
import { verifyAuditLog } from '../../src/audit/verify.js';
import { MadeLog } from './made-log.js';

const temporary = mkdtempSync(join(tmpdir(), 'hsm-kms-verify-'));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));
let directory: string;
let log: MadeLog;
let supervisor: string;
let worker: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(temporary, 'log-'));
  log = new MadeLog();
  supervisor = log.stream('supervisor', { lastCheckpoint: null });
  worker = log.stream('worker');
  file = streamFileName(worker, 1);
  log.append(worker, { eventName: 'Encrypt', eventType: 'AwsApiCall' });
  log.checkpoint();
  log.write(directory);
});

const found = async () =>
  (await verifyAuditLog({ directory, publicKey: log.publicKey })).findings.map(({ what, message }) => ({
    what,
    message,
  }));
const megabytes = (count: number) => Buffer.alloc(count * 2 ** 20);
const missing = { what: 'missing-file', message: expect.stringContaining('signed this stream up to event 2') };
const malformed = { what: 'malformed', message: 'this is not an event of the audit log' };

test.each<readonly [name: string, spoil: () => void, expected: object]>([
  [
    'bytes without a line behind a stream that had ended',
    () => appendFileSync(join(directory, file), megabytes(40)),
    malformed,
  ],
  [
    'a stream of bytes without a line',
    () => writeFileSync(join(directory, streamFileName('20200101T000000.000Z-worker-00000000', 1)), megabytes(40)),
    malformed,
  ],
  [
    'a directory in the place of a file',
    () => {
      rmSync(join(directory, file));
      mkdirSync(join(directory, file));
    },
    missing,
  ],
  [
    'a device in the place of a file, which has no end',
    () => {
      rmSync(join(directory, file));
      symlinkSync('/dev/zero', join(directory, file));
    },
    missing,
  ],
  [
    'a pipe in the place of a file, which nobody writes to',
    () => {
      rmSync(join(directory, file));
      execFileSync('mkfifo', [join(directory, file)]);
    },
    missing,
  ],
])('%s', async (_name, spoil, expected) => {
  spoil();
  expect(await found()).toContainEqual(expected);
});

test.each(['cli', 'supervisor'] as const)('a request in the stream of a %s, though it is signed', async (kind) => {
  const stream = kind === 'cli' ? log.stream('cli') : supervisor;
  log.append(stream, { eventName: 'Decrypt', eventType: 'AwsApiCall' });
  log.checkpoint();
  log.write(directory);
  expect(await found()).toEqual([
    { what: 'misplaced', message: 'only workers write requests down: somebody else has written this' },
  ]);
});

test('streams of another service', async () => {
  const other = new MadeLog();
  const stranger = other.stream('worker');
  other.append(stranger, { eventName: 'Decrypt' });
  other.checkpoint();
  const elsewhere = other.write(mkdtempSync(join(temporary, 'log-')));
  cpSync(join(elsewhere, streamFileName(stranger, 1)), join(directory, streamFileName(stranger, 1)));
  expect(await found()).toEqual([
    { what: 'unsigned', message: expect.stringContaining('no checkpoint covers this stream') },
  ]);
});

test('a file that the service removes for its age while the log is read', async () => {
  const end = log.append(worker, { eventName: 'Encrypt' });
  log.nextFile(worker);
  log.append(worker, { eventName: 'Decrypt' });
  log.checkpoint();
  log.write(directory);
  let isRemoved = false;
  const remove = () => {
    if (isRemoved) return;
    isRemoved = true;
    const { sequence: lastSequence, hash: lastHash, bytes } = end;
    const removed = { file, stream: worker, firstSequence: 1, lastSequence, lastHash, bytes };
    log.service(supervisor, 'RemoveAuditFiles', { files: [removed] });
    log.checkpoint();
    log.files.delete(file);
    log.write(directory);
    rmSync(join(directory, file));
  };
  // who searches it goes on with what is there
  const names: string[] = [];
  for await (const { event } of auditEvents(directory, () => {})) {
    if (event.eventName === 'StartStream') remove();
    names.push(event.eventName);
  }
  expect(names).toContain('Decrypt');
  expect(await verifyAuditLog({ directory, publicKey: log.publicKey })).toMatchObject({
    findings: [],
    removedFiles: 1,
  });
});

test('the same while it is verified: it is verified anew', async () => {
  log.nextFile(worker);
  log.append(worker, { eventName: 'Decrypt' });
  log.checkpoint();
  log.write(directory);
  const moved = join(temporary, 'moved');
  let times = 0;
  const { findings } = await verifyAuditLog({
    ...{ directory, publicKey: log.publicKey },
    onProgress() {
      times += 1;
      // when all files have been listed, and this one has not been opened
      if (times === 2) cpSync(join(directory, file), moved);
      if (times === 2) rmSync(join(directory, file));
    },
  });
  expect(findings).toMatchObject([{ what: 'missing-file' }]);
  cpSync(moved, join(directory, file));
  expect(await found()).toEqual([]);
});
