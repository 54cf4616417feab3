import { appendFileSync, closeSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { EventStream, type Interruption, type StreamSettings } from '../../src/audit/event-stream.js';
import { readEvents, streamFiles } from '../service/audit.js';
import { patience, within } from '../service/within.js';

let directory: string;
let stream: EventStream;
let failures: Error[];
let interruptions: Interruption[];
let began: string[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hsm-kms-test-stream-'));
  failures = [];
  interruptions = [];
  began = [];
});
afterEach(async () => {
  await stream.end();
  rmSync(directory, { recursive: true });
});

const event = (eventName: string, more = {}) => JSON.stringify({ eventName, ...more });

function open(more: Partial<StreamSettings> = {}): void {
  stream = new EventStream(
    { directory, kind: 'worker', durable: true, fileBytes: 2 ** 20, fileMilliseconds: 3_600_000, ...more },
    {
      start: (after) => event('StartStream', { after }),
      end: () => event('EndStream'),
      resume: ({ reason }) => event('ResumeAudit', { reason }),
    },
    {
      failed: (error) => failures.push(error),
      resumed: (interruption) => interruptions.push(interruption),
      began: (name) => began.push(name),
      wrote: () => {},
    },
  );
}

const names = () => readEvents(directory).map(({ eventName }) => eventName);

/** What a disk that fails does to a file that is open. */
function breakOpenFile(): void {
  for (const descriptor of readdirSync('/proc/self/fd')) {
    try {
      if (readlinkSync(`/proc/self/fd/${descriptor}`).startsWith(directory)) closeSync(Number(descriptor));
    } catch {
      // the one that was used to look
    }
  }
}

test('who waits is told when what was added is on the disk, with others that wait', async () => {
  open();
  const waiting = Array.from({ length: 50 }, (_, i) => {
    stream.append(event(`${i}`));
    return stream.durable();
  });
  expect(new Set(waiting).size).toBe(1);
  await Promise.all(waiting);
  expect(names()).toEqual(['StartStream', ...Array.from({ length: 50 }, (_, i) => `${i}`)]);
  stream.append(event('later'));
  await stream.durable();
  expect(names().at(-1)).toBe('later');
});

test('lines of any length and in any characters are chained', async () => {
  open({ durable: false });
  const texts = ['ü\ud83d\ude00'.repeat(300_000), 'x'.repeat(2 ** 18), '\ud800', 'short'];
  for (const text of texts) stream.append(event(text));
  await stream.flush();
  expect(names()).toEqual(['StartStream', ...texts]);
});

const late = (eventName: string) => () => ({ beginning: Buffer.from('{"eventName":'), rest: `"${eventName}"` });

test('events that are made into lines later keep their place among those that are made', async () => {
  open({ durable: false });
  const sent = Array.from({ length: 300 }, (_, index) => `${index}`);
  for (const [index, each] of sent.entries()) stream.append(index % 7 === 0 ? event(each) : late(each));
  await stream.flush();
  expect(names()).toEqual(['StartStream', ...sent]);
});

test('events that nobody has made into lines go into the new stream when a file fails', async () => {
  open({ durable: false });
  stream.append(late('written'));
  await stream.flush();
  stream.append(late('first'));
  breakOpenFile();
  await stream.flush();
  stream.append(late('second'));
  await within(patience, async () => expect(interruptions).toHaveLength(1));
  await stream.end();
  const namesIn = (name: string) =>
    readEvents(directory)
      .filter(({ integrity }) => integrity.stream === name)
      .map(({ eventName }) => eventName);
  expect(began.map(namesIn)).toEqual([
    ['StartStream', 'written'],
    ['StartStream', 'first', 'second', 'ResumeAudit', 'EndStream'],
  ]);
});

test('a stream goes on in another file, and its head says in which', async () => {
  open({ fileBytes: 1_000 });
  for (let i = 0; i < 20; i++) {
    stream.append(event(`${i}`, { filling: 'x'.repeat(100) }));
    await stream.durable();
  }
  const head = await stream.end();
  const files = streamFiles(directory);
  expect(files.length).toBeGreaterThan(3);
  expect(head).toMatchObject({ sequence: 22, file: files.at(-1) });
  expect(names()).toHaveLength(22);
});

test('after an error of the file itself it goes on in a new stream, which says where the old ended', async () => {
  open();
  stream.append(event('before'));
  await stream.durable();
  const { head } = stream;
  breakOpenFile();
  stream.append(event('during'));
  await expect(stream.durable()).rejects.toThrow('EBADF');
  expect(stream.trouble).toBe(failures[0]);
  stream.withhold('the request');
  await within(patience, async () => expect(interruptions).toHaveLength(1));
  expect(interruptions[0]).toMatchObject({ lost: 0, withheld: ['the request'], withheldCount: 1 });
  await stream.end();
  const events = readEvents(directory);
  const [old, begun] = [...new Set(events.map(({ integrity }) => integrity.stream))];
  const namesIn = (name?: string) =>
    events.filter(({ integrity }) => integrity.stream === name).map(({ eventName }) => eventName);
  expect(namesIn(old)).toEqual(['StartStream', 'before']);
  expect(namesIn(begun)).toEqual(['StartStream', 'during', 'ResumeAudit', 'EndStream']);
  expect(events.find(({ integrity }) => integrity.stream === begun)).toMatchObject({ after: head });
});

test('a directory that comes back is written to again; of what found no room it is known how much there was', async () => {
  open();
  await stream.durable();
  await stream.end();
  rmSync(directory, { recursive: true });
  open();
  await within(patience, async () => expect(failures).toHaveLength(1));
  const filling = 'x'.repeat(2 ** 20);
  for (let i = 0; i < 20; i++) stream.append(event('filling', { filling }));
  mkdirSync(directory);
  await within(patience, async () => expect(interruptions).toHaveLength(1));
  const lost = interruptions[0]?.lost ?? 0;
  expect(lost).toBeGreaterThan(0);
  await stream.flush();
  expect(names().filter((name) => name === 'filling')).toHaveLength(20 - lost);
});

test.each([['removed'], ['replaced']])(
  'a file that was %s under it is noticed: what it held that was not on the disk goes into a new stream',
  async (how) => {
    open();
    // as far as the bytes of the first event are written, and not yet on the disk
    for (let turns = 0; turns < 10; turns++) await undefined;
    const [file = ''] = streamFiles(directory);
    rmSync(join(directory, file));
    if (how === 'replaced') appendFileSync(join(directory, file), '');
    stream.append(event('during'));
    await within(patience, async () => expect(interruptions).toHaveLength(1));
    expect(interruptions[0]?.reason).toBe(`${file} was removed or replaced while it was written`);
    await stream.end();
    expect(began).toHaveLength(2);
    expect(names()).toEqual(['StartStream', 'during', 'ResumeAudit', 'EndStream']);
  },
);

test('in buffered, too, it is noticed when the file is forced to the disk', async () => {
  open({ durable: false });
  await stream.flush();
  rmSync(join(directory, streamFiles(directory)[0] ?? ''));
  stream.append(event('lost with its file'));
  await within(patience, async () => expect(failures.map(({ message }) => message)).toEqual([expect.any(String)]));
  stream.append(event('after'));
  await stream.end();
  expect(names()).toContain('after');
});

test('behind the end comes nothing: not that it is written again, not what somebody adds late', async () => {
  rmSync(directory, { recursive: true });
  open();
  await within(patience, async () => expect(failures).toHaveLength(1));
  mkdirSync(directory);
  const ended = stream.end();
  stream.append(event('late'));
  await ended;
  stream.append(event('later'));
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(names()).toEqual(['StartStream', 'ResumeAudit', 'EndStream']);
});

test('what cannot be written to its end has none', async () => {
  rmSync(directory, { recursive: true });
  open();
  await within(patience, async () => expect(failures).toHaveLength(1));
  expect(await stream.end()).toBeUndefined();
  mkdirSync(directory);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(names()).toEqual([]);
});

test('who asks for what is on the disk while the stream ends does not find its file closed', async () => {
  for (let round = 0; round < 20; round++) {
    open({ durable: false });
    stream.append(event('last'));
    let going = true;
    const ended = stream.end().finally(() => {
      going = false;
    });
    const asked: Promise<unknown>[] = [];
    while (going) {
      asked.push(stream.flush());
      await new Promise(setImmediate);
    }
    expect((await ended)?.sequence).toBe(3);
    await Promise.all(asked);
  }
  expect(failures).toEqual([]);
  expect(began).toHaveLength(20);
});
