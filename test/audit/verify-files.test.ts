import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { appendFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from '@jest/globals';
import { checkpointFileName, lineHash, streamFileName } from '../../src/audit/format.js';
import { verifyAuditLog } from '../../src/audit/verify.js';
import { MadeLog, rechain } from './made-log.js';

const temporary = mkdtempSync(join(tmpdir(), 'hsm-kms-verify-'));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(temporary, 'log-'));
});

const verified = (log: MadeLog, keptCheckpoint?: string) =>
  verifyAuditLog({ directory, publicKey: log.publicKey, keptCheckpoint });
const found = async (log: MadeLog, keptCheckpoint?: string) =>
  (await verified(log, keptCheckpoint)).findings.map(({ what, file, message }) => ({ what, file, message }));
const encrypt = { eventName: 'Encrypt' };
const checkpoints = checkpointFileName(1);
const bytesOf = (log: MadeLog, file: string) =>
  Buffer.byteLength(
    log
      .linesOf(file)
      .map((line) => `${line}\n`)
      .join(''),
  );

/** A log of a supervisor and a worker whose files are three, all signed. */
function threeFiles() {
  const log = new MadeLog();
  const supervisor = log.stream('supervisor', { lastCheckpoint: null });
  const worker = log.stream('worker');
  log.append(worker, encrypt);
  const ends = [log.append(worker, encrypt)];
  log.checkpoint();
  for (const many of [3, 2]) {
    log.nextFile(worker);
    for (let count = 1; count < many; count += 1) log.append(worker, encrypt);
    ends.push(log.append(worker, encrypt));
    log.checkpoint();
  }
  const files = [1, 2, 3].map((number) => streamFileName(worker, number)) as [string, string, string];
  return { log, supervisor, worker, files, ends };
}

describe('cut', () => {
  test('a stream, at each byte: what was signed is missing, and what was not is told from it', async () => {
    const log = new MadeLog();
    const worker = log.stream('worker');
    log.append(worker, encrypt);
    log.checkpoint();
    log.append(worker, encrypt);
    const file = streamFileName(worker, 1);
    const [total, covered] = [bytesOf(log, file), bytesOf(log, file) - Buffer.byteLength(log.linesOf(file)[2]!) - 1];
    for (let length = 0; length < total; length += length < covered - 3 && length > 3 ? 17 : 1) {
      log.write(directory);
      truncateSync(join(directory, file), length);
      const { isWhole, findings, tornBytes, events } = await verified(log);
      expect({ length, isWhole }).toEqual({ length, isWhole: length >= covered });
      if (length >= covered) expect({ tornBytes, events }).toEqual({ tornBytes: length - covered, events: 2 });
      else expect(findings.at(-1)).toMatchObject({ what: 'truncated', stream: worker });
    }
  });

  test('a file in the middle of a stream, within a line', async () => {
    const { log, files } = threeFiles();
    log.write(directory);
    truncateSync(join(directory, files[1]), bytesOf(log, files[1]) - 5);
    const findings = await found(log);
    expect(findings[0]).toMatchObject({ what: 'malformed', file: files[1] });
    expect(findings[0]?.message).toMatch(/^the file ends in the middle of a line, and the stream goes on/);
  });

  test('the checkpoints: told by a kept one, and by a supervisor that has seen more', async () => {
    const { log } = threeFiles();
    const kept = log.linesOf(checkpoints).at(-1) as string;
    log.linesOf(checkpoints).pop();
    log.write(directory);
    expect((await verified(log)).isWhole).toBe(true);
    expect(await found(log, kept)).toEqual([
      { what: 'truncated', message: 'checkpoint 3 was kept, and the last is 2: the end is cut off' },
    ]);
    log.stream('supervisor', { lastCheckpoint: { sequence: 3, hash: lineHash(kept) } });
    log.write(directory);
    expect(await found(log)).toEqual([
      {
        what: 'truncated',
        message: 'a supervisor has found checkpoint 3 at its start: the end of the checkpoints is cut off',
      },
    ]);
  });

  test('a checkpoint that a crash has cut off is told from it', async () => {
    const { log } = threeFiles();
    log.checkpoint({ heads: [] }, 2);
    log.write(directory);
    appendFileSync(join(directory, checkpoints), '{"checkpoint":{"version"');
    expect(await verified(log)).toMatchObject({ isWhole: true, tornBytes: 24, checkpoints: 4 });
  });
});

describe('merged and replaced', () => {
  test('two files made one, and one made two', async () => {
    const { log, files } = threeFiles();
    const [first, second] = files;
    const all = [...log.linesOf(first), ...log.linesOf(second)];
    for (const at of [all.length, 1]) {
      log.files.set(first, all.slice(0, at));
      log.files.set(second, all.slice(at));
      log.write(directory);
      expect((await found(log))[0]).toMatchObject({ what: 'misplaced' });
    }
  });

  test('files that have changed names', async () => {
    const { log, files } = threeFiles();
    const [first, second] = files.map((file) => log.linesOf(file)) as [string[], string[]];
    log.files.set(files[0], second);
    log.files.set(files[1], first);
    log.write(directory);
    expect((await found(log)).map(({ what }) => what)).toEqual(expect.arrayContaining(['removed', 'misplaced']));
  });

  test.each([0, 1, 2])('file %i of a stream missing', async (which) => {
    const { log, files } = threeFiles();
    log.files.delete(files[which] as string);
    log.write(directory);
    expect(await found(log)).toEqual([expect.objectContaining({ what: 'missing-file', file: files[which] })]);
  });

  test('a whole stream missing, and all checkpoints', async () => {
    const { log, files } = threeFiles();
    for (const file of files) log.files.delete(file);
    log.write(directory);
    expect((await found(log)).map(({ what }) => what)).toEqual(['missing-file']);
    const other = threeFiles();
    other.log.files.delete(checkpoints);
    directory = mkdtempSync(join(temporary, 'log-'));
    other.log.write(directory);
    expect(await found(other.log)).toEqual([
      { what: 'unsigned', message: 'there is no checkpoint that the key has signed: nothing here is proved' },
    ]);
  });

  test("a stream of another log's, put beside", async () => {
    const { log } = threeFiles();
    const other = new MadeLog();
    other.append(other.stream('cli'), { eventName: 'CreateUser' });
    log.write(directory);
    other.write(directory);
    expect((await found(log)).map(({ what }) => what)).toEqual(['unsigned']);
  });

  test('the checkpoints of another log, with another key or with the same', async () => {
    const { log } = threeFiles();
    const other = threeFiles().log;
    log.files.set(checkpoints, other.linesOf(checkpoints));
    log.write(directory);
    const findings = await found(log);
    expect(findings.slice(0, 3).map(({ what }) => what)).toEqual(['bad-signature', 'bad-signature', 'bad-signature']);
    expect(findings.at(-1)?.what).toBe('unsigned');
    const mixed = threeFiles().log;
    mixed.checkpoint({ heads: [], log: 'f'.repeat(32) });
    mixed.write(directory);
    expect((await found(mixed)).map(({ message }) => message)).toContain(
      'this checkpoint is of the log of another directory',
    );
  });

  test('a later checkpoint in the place of an earlier', async () => {
    const { log } = threeFiles();
    const lines = log.linesOf(checkpoints);
    lines.splice(0, 1, lines[2]!);
    log.write(directory);
    expect((await found(log)).map(({ what }) => what)).toEqual(expect.arrayContaining(['removed', 'misplaced']));
  });
});

describe('what the key has signed, and is not right all the same', () => {
  const head = { hash: 'a'.repeat(64), bytes: 10 };
  test.each([
    ['a wrong root', { root: '0'.repeat(64) }, /root of this checkpoint does not fit/],
    ['a wrong hash of the one before', { previous: '1'.repeat(64) }, /does not go on from the one before/],
    ['another algorithm', { algorithm: 'RSASSA_PKCS1_V1_5_SHA_256' }, /names another key/],
    ['another key', { keyId: '2'.repeat(64) }, /names another key/],
  ] as const)('%s', async (_what, other, message) => {
    const { log } = threeFiles();
    log.checkpoint(other);
    log.write(directory);
    expect((await found(log)).map((finding) => finding.message)).toContainEqual(expect.stringMatching(message));
  });

  test('a stream that goes back', async () => {
    const { log, worker, files } = threeFiles();
    log.checkpoint({ heads: [{ ...head, stream: worker, sequence: 2, file: files[0] }] });
    log.write(directory);
    expect((await found(log)).map(({ message }) => message)).toContainEqual(
      expect.stringContaining(`stream ${worker} goes back to event 2 from event 8`),
    );
  });
});

describe('retention', () => {
  /** The log, whose first files the supervisor has removed. */
  function withRemoved(count: number, lie: object = {}, isSigned = true) {
    const made = threeFiles();
    const { log, supervisor, worker, files, ends } = made;
    const removed = files.slice(0, count).map((file, index) => ({
      ...{ file, stream: worker, firstSequence: (ends[index - 1]?.sequence ?? 0) + 1 },
      ...{ lastSequence: ends[index]!.sequence, lastHash: ends[index]!.hash, bytes: ends[index]!.bytes },
      ...(index === 0 && lie),
    }));
    log.service(supervisor, 'RemoveAuditFiles', { files: removed });
    if (isSigned) log.checkpoint();
    for (const file of files.slice(0, count)) log.files.delete(file);
    log.write(directory);
    return made;
  }

  test.each([1, 2, 3])('%i files removed, as the log says', async (count) => {
    const { log } = withRemoved(count);
    expect(await verified(log)).toMatchObject({ isWhole: true, removedFiles: count });
  });

  test('a file more than it says', async () => {
    const { log, files } = withRemoved(1);
    rmSync(join(directory, files[1]));
    expect(await found(log)).toEqual([
      {
        ...{ what: 'missing-file', file: files[1] },
        message: 'the file is missing, and no event says that it was removed for its age',
      },
    ]);
  });

  test('what is said by an event that nobody has signed', async () => {
    const { log } = withRemoved(2, {}, false);
    expect((await found(log)).map(({ what }) => what)).toEqual(['unsigned', 'unsigned']);
  });

  test.each([
    ['the hash of the last event', { lastHash: 'b'.repeat(64) }],
    ['the last event', { lastSequence: 2 }],
    ['the first event', { firstSequence: 2 }],
  ])('a lie about %s', async (_what, lie) => {
    const { log } = withRemoved(1, lie);
    expect((await verified(log)).isWhole).toBe(false);
  });
});

describe('a stream that a crash has ended', () => {
  const torn = '{"eventVersion":"1.11","ev';

  function withCrash(lie: object = {}) {
    const log = new MadeLog();
    const worker = log.stream('worker');
    log.append(worker, encrypt);
    log.checkpoint();
    const last = log.append(worker, encrypt);
    const supervisor = log.stream('supervisor', { lastCheckpoint: { sequence: 1, hash: '' } });
    const { file, bytes, sequence: lastSequence, hash: lastHash } = last;
    const details = { stream: worker, file, lastSequence, lastHash, bytes, tornBytes: torn.length, ...lie };
    log.service(supervisor, 'RecoverStream', details);
    log.checkpoint();
    log.write(directory);
    appendFileSync(join(directory, file), torn);
    return { log, file };
  }

  test('what it has cut off is no tampering', async () => {
    const { log } = withCrash();
    expect(await verified(log)).toMatchObject({ isWhole: true, tornBytes: torn.length, unsignedEvents: 0 });
  });

  test('lines behind its end, which are no events, and of which there are not more than there were', async () => {
    const { log, file } = withCrash({ tornBytes: torn.length + 6 });
    appendFileSync(join(directory, file), '\nabc\n\n');
    expect((await verified(log)).isWhole).toBe(true);
    appendFileSync(join(directory, file), '{}\n');
    expect((await found(log))[0]?.message).toMatch(
      /^RecoverStream has found 32 bytes behind the last event, and there are 35/,
    );
  });

  test('another end than the one that was found', async () => {
    const { log } = withCrash({ lastHash: 'c'.repeat(64) });
    expect((await found(log))[0]).toMatchObject({ what: 'changed' });
  });
});

describe('what is not signed yet', () => {
  test('is counted, and its chain is looked at', async () => {
    const { log, worker, files } = threeFiles();
    for (let count = 0; count < 3; count += 1) log.append(worker, encrypt);
    log.write(directory);
    const { isWhole, unsignedEvents, unsignedSince } = await verified(log);
    expect({ isWhole, unsignedEvents }).toEqual({ isWhole: true, unsignedEvents: 3 });
    const [, , line = ''] = log.linesOf(files[2]);
    expect(unsignedSince).toBe(JSON.parse(line).eventTime);
    log.linesOf(files[2]).splice(3, 1);
    log.write(directory);
    expect((await found(log)).map(({ what }) => what)).toEqual(['removed']);
  });

  test('an event after the end of its stream, and a stream without a beginning', async () => {
    const { log, worker } = threeFiles();
    log.service(worker, 'EndStream');
    log.append(worker, encrypt);
    log.append(worker, encrypt);
    log.write(directory);
    expect((await found(log)).map(({ message }) => message)).toEqual([
      'from this event on, events come after the end of their stream',
    ]);
    const other = new MadeLog();
    const stream = other.stream('worker');
    other.files.set(streamFileName(stream, 1), [
      other.linesOf(streamFileName(stream, 1))[0]!.replace('StartStream', 'Encrypt'),
    ]);
    directory = mkdtempSync(join(temporary, 'log-'));
    other.write(directory);
    expect((await found(other))[0]?.message).toBe('a stream begins with StartStream, and only there');
  });
});

test('a key that signs by RSA', async () => {
  const log = new MadeLog('RSASSA_PKCS1_V1_5_SHA_256');
  log.append(log.stream('worker'), encrypt);
  log.checkpoint();
  log.write(directory);
  expect(await verified(log)).toMatchObject({ isWhole: true, checkpoints: 1 });
  log.linesOf(checkpoints).push(log.checkpoint().replace('"sequence":2', '"sequence":3'));
  log.write(directory);
  expect((await found(log)).map(({ what }) => what)).toContain('bad-signature');
});

test('more checkpoints than are held in memory: what was changed early is found all the same', async () => {
  const log = new MadeLog();
  const worker = log.stream('worker');
  for (let count = 0; count < 4_200; count += 1) {
    log.append(worker, encrypt);
    log.checkpoint();
  }
  const file = streamFileName(worker, 1);
  log.write(directory);
  expect(await verified(log)).toMatchObject({ isWhole: true, checkpoints: 4_200 });
  rechain(log.linesOf(file), 100, (record) => record.replace('Encrypt', 'Decrypt'));
  log.write(directory);
  expect(await found(log)).toEqual([
    expect.objectContaining({ what: 'changed', message: expect.stringMatching(/signed another event 10[12]: /) }),
  ]);
});

test('events longer than what is read at once', async () => {
  const { log, worker } = threeFiles();
  for (const length of [600_000, 10, 1_200_000])
    log.append(worker, { eventName: 'Encrypt', filler: 'é'.repeat(length) });
  log.checkpoint();
  log.write(directory);
  const read: [number, number][] = [];
  const { isWhole, bytes } = await verifyAuditLog({
    ...{ directory, publicKey: createPublicKey(log.publicKey) },
    onProgress: (done, of) => read.push([done, of]),
  });
  expect(isWhole).toBe(true);
  expect(bytes).toBeGreaterThan(3_600_000);
  expect(read.at(-1)).toEqual([bytes, bytes]);
});

test('what is not a log, or not a key, is said', async () => {
  const { log } = threeFiles();
  await expect(verified(log)).rejects.toThrow(/holds no audit log: name the directory of its files\.$/);
  log.write(directory);
  writeFileSync(join(directory, 'notes.txt'), 'x');
  expect((await verified(log)).strangers).toEqual(['notes.txt']);
  await expect(verifyAuditLog({ directory, publicKey: 'none' })).rejects.toThrow(/^The public key is none in PEM/);
  await expect(verified(log, '{}')).rejects.toThrow(/is not a line of checkpoints/);
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const other = await verifyAuditLog({ directory, publicKey });
  expect(other.findings.map(({ what }) => what)).toEqual([
    'bad-signature',
    'bad-signature',
    'bad-signature',
    'unsigned',
  ]);
});
