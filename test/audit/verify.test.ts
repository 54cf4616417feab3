import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { checkpointFileName, streamFileName } from '../../src/audit/format.js';
import { type AuditVerification, type Finding, verifyAuditLog } from '../../src/audit/verify.js';
import { MadeLog, rechain } from './made-log.js';

const temporary = mkdtempSync(join(tmpdir(), 'hsm-kms-verify-'));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));
let directories = 0;

type Files = Map<string, string[]>;
type Change = (files: Files) => void;

async function verified(log: MadeLog, change: Change = () => {}, keptCheckpoint?: string): Promise<AuditVerification> {
  directories += 1;
  const files = new Map([...log.files].map(([file, lines]) => [file, [...lines]]));
  change(files);
  const directory = MadeLog.writeFiles(join(temporary, String(directories)), files);
  const verification = await verifyAuditLog({ directory, publicKey: log.publicKey, keptCheckpoint });
  rmSync(directory, { recursive: true });
  expect(verification.isWhole).toBe(verification.findingCount === 0);
  return verification;
}

/** What is found after a change, with the last checkpoint kept elsewhere. @throws when nothing is */
async function found(log: MadeLog, change: Change): Promise<readonly Finding[]> {
  const { findings } = await verified(log, change, log.files.get(checkpointFileName(1))?.at(-1));
  expect(findings.length).toBeGreaterThan(0);
  return findings;
}

/** A request's event, with members of all sorts. */
const event = (number: number) => ({
  eventName: 'Encrypt',
  eventSource: 'kms.amazonaws.com',
  userIdentity: { type: 'IAMUser', arn: 'arn:aws:iam::000000000000:user/ada', sessionContext: null },
  requestParameters: { keyId: 'alias/app', encryptionContext: { app: `a${number}` }, dryRun: false },
  resources: [{ accountId: '000000000000', type: 'AWS::KMS::Key', ARN: 'arn:aws:kms:us-east-1:000000000000:key/1' }],
  additionalEventData: { decision: { decision: 'allow', reason: 'key-policy' }, milliseconds: number },
  readOnly: true,
  ...(number % 3 === 0 && { errorCode: 'AccessDeniedException', errorMessage: 'No "way",\u2028 \\ {}' }),
});

/** A log of three streams: a supervisor, and two workers of which one has two files; all but the last is signed. */
function newLog() {
  const log = new MadeLog();
  const supervisor = log.stream('supervisor', { lastCheckpoint: null });
  const one = log.stream('worker');
  const two = log.stream('worker');
  for (let number = 1; number <= 4; number += 1) log.append(one, event(number));
  log.append(two, event(1));
  log.checkpoint();
  log.nextFile(one);
  for (let number = 5; number <= 8; number += 1) log.append(one, event(number));
  log.checkpoint();
  log.append(one, event(9));
  log.append(two, event(2));
  log.service(two, 'EndStream');
  log.checkpoint();
  const signed = { one: [streamFileName(one, 1), streamFileName(one, 2)], two: streamFileName(two, 1) } as const;
  return { log, supervisor, one, two, signed, checkpoints: checkpointFileName(1) };
}
const { log, supervisor, one, two, signed, checkpoints } = newLog();
const [first, second] = signed.one;
const lastCheckpoint = log.files.get(checkpoints)?.at(-1) as string;
const linesOf = (files: Files, file: string) => files.get(file) as string[];

test('a log as it was written is whole', async () => {
  const { findings, bytes: _, lastCheckpoint, unsignedSince, ...counts } = await verified(log);
  expect({ findings, ...counts }).toEqual({
    ...{ isWhole: true, findings: [], findingCount: 0, events: 15, streams: 3, checkpoints: 3 },
    ...{ unsignedEvents: 0, tornBytes: 0, openStreams: 2, removedFiles: 0, strangers: [] },
  });
  expect(lastCheckpoint?.sequence).toBe(3);
  expect(unsignedSince).toBeUndefined();
});

/** Paths of all members of a value, however deep. */
function paths(value: unknown, path: string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [path];
  const deeper = Object.entries(value).flatMap(([name, member]) => paths(member, [...path, name]));
  return path.length === 0 ? deeper : [path, ...deeper];
}

/** JSON in which one member is another, or is not there. */
function withChanged(line: string, path: string[], to: (value: unknown) => unknown): string {
  const record = JSON.parse(line);
  const owner = path.slice(0, -1).reduce((at, name) => at[name], record);
  const name = path.at(-1) as string;
  const value = to(owner[name]);
  if (value === undefined) delete owner[name];
  else owner[name] = value;
  return JSON.stringify(record);
}

const otherValue = (value: unknown) => {
  if (typeof value === 'number') return value + 1;
  if (typeof value === 'boolean') return !value;
  return typeof value === 'string' ? `${value.slice(0, -1)}${value.endsWith('0') ? '1' : '0'}` : 'other';
};

describe('every member of an event', () => {
  const line = linesOf(log.files, second)[1] as string;
  test.each(paths(JSON.parse(line)).map((path) => [path.join('.'), path] as const))('%s', async (_name, path) => {
    for (const to of [otherValue, () => undefined, () => ({ other: 1 })]) {
      const changed = withChanged(line, path, to);
      expect(changed).not.toBe(line);
      const findings = await found(log, (files) => linesOf(files, second).splice(1, 1, changed));
      // at that line, or where the next does not go on from it
      expect(findings.some(({ file, line: at }) => file === second && (at === 2 || at === 3))).toBe(true);
    }
  });

  test('another member, a blank, another order', async () => {
    const { integrity, ...rest } = JSON.parse(line);
    const others = [
      line.replace('{', '{"added":1,'),
      line.replace('{', '{ '),
      JSON.stringify({ ...Object.fromEntries(Object.entries(rest).reverse()), integrity }),
      JSON.stringify({ integrity, ...rest }),
      `${line} `,
      `${line}\r`,
      line.toUpperCase(),
      '',
      '{}',
      'null',
      line.slice(1),
    ];
    for (const changed of others) {
      const findings = await found(log, (files) => linesOf(files, second).splice(1, 1, changed));
      expect(findings.some(({ file, line: at }) => file === second && (at === 2 || at === 3))).toBe(true);
    }
  });
});

describe('lines of a file', () => {
  const files = [first, second, signed.two, streamFileName(supervisor, 1), checkpoints];

  test.each(files)('%s: each removed, also with those after it', async (file) => {
    const count = linesOf(log.files, file).length;
    for (let at = 0; at < count; at += 1) {
      for (const many of [1, count - at]) await found(log, (changed) => linesOf(changed, file).splice(at, many));
    }
  });

  test.each(files)('%s: each repeated, at each place', async (file) => {
    const lines = linesOf(log.files, file);
    for (const line of lines) {
      for (let at = 0; at <= lines.length; at += 1) {
        await found(log, (changed) => linesOf(changed, file).splice(at, 0, line));
      }
    }
  });

  test.each(files)('%s: in every other order', async (file) => {
    const lines = linesOf(log.files, file).slice(0, 5);
    for (const order of permutations(lines).filter((each) => each.some((line, at) => line !== lines[at]))) {
      await found(log, (changed) => linesOf(changed, file).splice(0, lines.length, ...order));
    }
  });

  test('each of another stream, at each place', async () => {
    for (const line of linesOf(log.files, signed.two)) {
      for (let at = 0; at <= linesOf(log.files, second).length; at += 1) {
        const findings = await found(log, (changed) => linesOf(changed, second).splice(at, 0, line));
        expect(findings[0]).toMatchObject({ what: 'misplaced', file: second, line: at + 1 });
        expect(findings[0]?.message).toBe(`this is an event of the stream ${two}`);
      }
    }
  });
});

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length <= 1) return [[...items]];
  return items.flatMap((item, at) => permutations(items.toSpliced(at, 1)).map((rest) => [item, ...rest]));
}

describe('where it is', () => {
  const at = async (change: Change) => (await found(log, change))[0];

  test('events that are missing', async () => {
    expect(await at((files) => linesOf(files, second).splice(1, 2))).toEqual({
      ...{ what: 'removed', stream: one, file: second, line: 2, sequence: 9 },
      message: 'events 7 to 8 are missing before this one',
    });
  });

  test('an event that was moved', async () => {
    const findings = await found(log, (files) => linesOf(files, second).push(linesOf(files, second).splice(1, 1)[0]!));
    expect(findings.map(({ what, line, sequence }) => [what, line, sequence])).toEqual(
      expect.arrayContaining([
        ['removed', 2, 8],
        ['misplaced', 5, 7],
      ]),
    );
  });

  test('an event that was changed, and its integrity left as it was', async () => {
    const change: Change = (files) =>
      linesOf(files, first).splice(2, 1, linesOf(files, first)[2]!.replace('ada', 'eve'));
    expect(await found(log, change)).toEqual([
      {
        ...{ what: 'changed', stream: one, file: first, line: 3, sequence: 3 },
        message: 'it is not the event that event 4 goes on from',
      },
    ]);
  });

  test('the last event, which no other goes on from', async () => {
    const change: Change = (files) =>
      linesOf(files, second).splice(4, 1, linesOf(files, second)[4]!.replace('ada', 'eve'));
    expect(await found(log, change)).toEqual([
      {
        ...{ what: 'changed', stream: one, file: second, line: 5, sequence: 10 },
        message:
          'checkpoint 3 signed another event 10: something after event 9, which checkpoint 2 signed, was changed',
      },
    ]);
  });

  test('everything from an event on, chained anew', async () => {
    const change: Change = (files) => rechain(linesOf(files, second), 1, (record) => record.replace('ada', 'eve'));
    expect(await found(log, change)).toEqual([
      {
        ...{ what: 'changed', stream: one, file: second, line: 4, sequence: 9 },
        message: 'checkpoint 2 signed another event 9: something after event 5, which checkpoint 1 signed, was changed',
      },
    ]);
  });

  test('two things at once', async () => {
    const findings = await found(log, (files) => {
      linesOf(files, first).splice(1, 1);
      linesOf(files, signed.two).splice(1, 1, linesOf(files, signed.two)[1]!.replace('ada', 'eve'));
    });
    expect(findings.map(({ file, what }) => [file, what])).toEqual(
      expect.arrayContaining([
        [first, 'removed'],
        [signed.two, 'changed'],
      ]),
    );
  });
});

test('any byte of any signed file, changed, removed or added', async () => {
  const names = [...log.files.keys()];
  const contents = names.map((name) =>
    Buffer.from(
      linesOf(log.files, name)
        .map((line) => `${line}\n`)
        .join(''),
    ),
  );
  const place = fc
    .nat({ max: names.length - 1 })
    .chain((file) =>
      fc.record({ file: fc.constant(file), at: fc.nat({ max: (contents[file] as Buffer).length - 1 }) }),
    );
  const edit = fc.record({
    place,
    byte: fc.integer({ min: 0, max: 255 }),
    kind: fc.constantFrom('change', 'remove', 'add'),
  });
  await fc.assert(
    fc.asyncProperty(edit, async ({ place: { file, at }, byte, kind }) => {
      const bytes = contents[file] as Buffer;
      const put = kind === 'remove' ? [] : [byte];
      const edited = Buffer.concat([
        bytes.subarray(0, at),
        Buffer.from(put),
        bytes.subarray(kind === 'add' ? at : at + 1),
      ]);
      fc.pre(!edited.equals(bytes));
      const directory = log.write(join(temporary, 'edited'));
      writeFileSync(join(directory, names[file] as string), edited);
      const { isWhole } = await verifyAuditLog({ directory, publicKey: log.publicKey, keptCheckpoint: lastCheckpoint });
      return !isWhole;
    }),
    { numRuns: 150 },
  );
});
