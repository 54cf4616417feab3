import { appendFileSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { chainedLine, lineHash, parseStreamFileName } from '../../src/audit/format.js';
import { auditEvents } from '../../src/audit/read.js';
import { verifyAuditLog } from '../../src/audit/verify.js';
import { withService } from '../service/backup.js';
import { newUser } from '../service/identities.js';
import { refusal } from '../service/refusal.js';
import { hsmKms, Service } from '../service/service.js';
import { patience, within } from '../service/within.js';

const temporary = mkdtempSync(join(tmpdir(), 'hsm-kms-audit-'));
let service: Service;
let keyId: string;
let publicKey: string;
/** A copy of what the service had written when it had stopped. */
const copy = join(temporary, 'copy');
const publicKeyFile = join(temporary, 'audit.pem');
const filesOf = (directory: string) => readdirSync(directory).sort();
const linesOf = (file: string) => readFileSync(file, 'utf8').split('\n').slice(0, -1);

const encrypt = (number: number) =>
  service.kms.encrypt({ KeyId: keyId, Plaintext: Buffer.from('secret'), EncryptionContext: { number: `${number}` } });

beforeAll(async () => {
  service = await Service.start({ workers: 2, flags: ['--audit-checkpoint-seconds', '1'] });
  ({ KeyId: keyId } = await service.newKey());
  await service.kms.createAlias({ AliasName: 'alias/app', TargetKeyId: keyId });
  const kms = service.newClient(await newUser(service, 'nobody'));
  await refusal(kms.decrypt({ CiphertextBlob: Buffer.from('none') }));
  await refusal(kms.encrypt({ KeyId: 'alias/app', Plaintext: Buffer.from('x') }));
  for (let number = 0; number < 20; number += 1) await encrypt(number);
  publicKey = (await hsmKms('audit', 'public-key', '--data-dir', service.dataDir)).output;
  writeFileSync(publicKeyFile, publicKey);
});
afterAll(async () => {
  await service?.end();
  rmSync(temporary, { recursive: true, force: true });
});

test('while the service writes, what it has written is whole at any moment', async () => {
  const directory = join(service.dataDir, 'audit');
  // before the first one nothing is proved
  await within(patience, async () => expect(linesOf(join(directory, 'checkpoints.000001.jsonl'))).not.toEqual([]));
  let isLoaded = true;
  const load = Promise.all(
    [0, 1, 2, 3].map(async (client) => {
      for (let number = 0; isLoaded; number += 1) await encrypt(client * 1e6 + number);
    }),
  );
  const seen: number[] = [];
  while (seen.length < 5 || seen.at(-1) === seen[0]) {
    const { findings, events } = await verifyAuditLog({ directory, publicKey });
    expect(findings).toEqual([]);
    seen.push(events);
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  isLoaded = false;
  await load;
  expect(seen.at(-1)).toBeGreaterThan(seen[0] as number);
});

test('killed in the middle of writing, it is whole up to the last complete event', async () => {
  const directory = join(service.dataDir, 'audit');
  let isLoaded = true;
  const load = [0, 1, 2, 3].map(async (client) => {
    for (let number = 0; isLoaded; number += 1) await encrypt(client * 1e6 + number).catch(() => undefined);
  });
  await new Promise((resolve) => setTimeout(resolve, 800));
  for (const worker of service.workers) process.kill(worker, 'SIGKILL');
  await service.kill();
  isLoaded = false;
  await Promise.all(load);
  const killed = await verifyAuditLog({ directory, publicKey });
  expect(killed.findings).toEqual([]);
  expect(killed.openStreams).toBe(3);
  await service.serve();
  await encrypt(1);
  const recoveries = async () => {
    const found: string[] = [];
    for await (const { event } of auditEvents(directory, () => {})) {
      if (event.eventName === 'RecoverStream') found.push(event.eventName);
    }
    return found;
  };
  // the new supervisor looks for them when its workers are there
  await within(patience, async () => expect(await recoveries()).not.toHaveLength(0));
  await service.stop();
  const after = await verifyAuditLog({ directory, publicKey });
  expect(after).toMatchObject({ findings: [], unsignedEvents: 0, openStreams: 3 });
  expect(after.events).toBeGreaterThan(killed.events);
  cpSync(directory, copy, { recursive: true });
});

test('events that are added to streams that are over are not signed by the next checkpoint, and are found', async () => {
  const directory = join(temporary, 'added');
  cpSync(service.dataDir, directory, { recursive: true });
  const audit = join(directory, 'audit');
  const over = filesOf(audit).filter((name) => /-(worker|supervisor)-/.test(name));
  expect(over.length).toBeGreaterThan(4);
  for (const name of over) {
    const last = linesOf(join(audit, name)).at(-1) as string;
    const { stream, sequence } = JSON.parse(last).integrity;
    const record = last.replace(/"eventName":"[^"]+"/, '"eventName":"ListKeys"').replace(/,"integrity":.*$/, '}');
    appendFileSync(join(audit, name), `${chainedLine(record, stream, sequence + 1, lineHash(last))}\n`);
  }
  expect((await hsmKms('init', '--data-dir', directory)).code).toBe(0);
  await withService(directory, async () => {
    await within(patience, async () =>
      expect((await verifyAuditLog({ directory: audit, publicKey })).checkpoints).toBeGreaterThan(0),
    );
  });
  const { findings } = await verifyAuditLog({ directory: audit, publicKey });
  expect(new Set(findings.map(({ file }) => file))).toEqual(new Set(over));
});

describe('hsm-kms audit verify', () => {
  const verify = (...parameters: string[]) => hsmKms('audit', 'verify', ...parameters);

  test('on a copy, with the public key and nothing else', async () => {
    const { code, output } = await verify(copy, '--public-key', publicKeyFile);
    expect(output).toMatch(
      /^\d+ events in \d+ streams, \d+ checkpoints; [\d.]+ MB in [\d.]+ s\nsigned up to checkpoint \d+ of /,
    );
    expect(output).toMatch(/\nWHOLE: every event that a checkpoint covers is as it was written\n$/);
    expect(code).toBe(0);
    const kept = join(temporary, 'kept');
    writeFileSync(kept, `${linesOf(join(copy, 'checkpoints.000001.jsonl')).at(-1)}\n`);
    const json = await verify(copy, '--public-key', publicKeyFile, '--checkpoint', kept, '--json');
    expect(JSON.parse(json.output)).toMatchObject({ isWhole: true, unsignedEvents: 0 });
  });

  test('says by its exit code that a log is not whole, and where', async () => {
    const other = join(temporary, 'other');
    cpSync(copy, other, { recursive: true });
    const file = filesOf(other).find((name) => name.includes('worker')) as string;
    const text = readFileSync(join(other, file), 'utf8');
    writeFileSync(join(other, file), text.replace('"eventName":"Encrypt"', '"eventName":"Decrypt"'));
    const { code, output } = await verify(other, '--public-key', publicKeyFile);
    expect(output).toMatch(/NOT WHOLE: \d findings?\n/);
    const line = text.slice(0, text.indexOf('"eventName":"Encrypt"')).split('\n').length;
    expect(output).toContain(
      `  ${file}:${line} #${line} changed: it is not the event that event ${line + 1} goes on from`,
    );
    expect(code).toBe(1);
  });

  test.each([
    [[], /^hsm-kms: Type: hsm-kms audit verify DIRECTORY --public-key FILE\n$/],
    [['/nowhere'], /^hsm-kms: Type: /],
    [['--nothing'], /unknown option/],
  ])('%j says by its exit code that nothing was verified', async (parameters, message) => {
    const { code, output } = await verify(...parameters);
    expect(output).toMatch(message);
    expect(code).toBe(2);
  });

  test('a directory that is not there, and a key that is none', async () => {
    const missing = await verify('/nowhere', '--public-key', publicKeyFile);
    expect(missing).toEqual({
      code: 2,
      output: expect.stringMatching(/^hsm-kms: There is no audit log to read \(ENOENT.+\): name the directory/),
    });
    const unread = await verify(copy, '--public-key', '/nowhere');
    expect(unread).toEqual({
      code: 2,
      output: expect.stringMatching(/^hsm-kms: --public-key takes a file that can be/),
    });
    const file = join(copy, 'checkpoints.000001.jsonl');
    const wrong = await verify(copy, '--public-key', file);
    expect(wrong).toEqual({ code: 2, output: expect.stringMatching(/^hsm-kms: The public key is none in PEM/) });
  });
});

/** All members of a value that are none themselves: their paths. */
function leaves(value: unknown, path: string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([name, member]) => leaves(member, [...path, name]));
}

test.each(['Encrypt', 'CreateKey', 'Decrypt', 'LoadConfiguration', 'RecoverStream'])(
  'every member of a real %s event, changed, is found',
  async (eventName) => {
    const [file, at] = filesOf(copy)
      .filter((name) => parseStreamFileName(name))
      .flatMap((name) => linesOf(join(copy, name)).map((line, index) => [name, index, line] as const))
      .find(([, , line]) => JSON.parse(line).eventName === eventName) as readonly [string, number, string];
    const lines = linesOf(join(copy, file));
    const line = lines[at] as string;
    const other = join(temporary, 'members');
    cpSync(copy, other, { recursive: true });
    for (const path of leaves(JSON.parse(line))) {
      const record = JSON.parse(line);
      const owner = path.slice(0, -1).reduce((of, name) => of[name], record);
      const name = path.at(-1) as string;
      owner[name] = typeof owner[name] === 'number' ? owner[name] + 1 : `${owner[name] ?? ''}x`;
      writeFileSync(join(other, file), `${lines.with(at, JSON.stringify(record)).join('\n')}\n`);
      const { findings } = await verifyAuditLog({ directory: other, publicKey });
      const places = findings.filter((found) => found.file === file).map((found) => found.line);
      expect({ path, isFound: places.some((place) => place === at + 1 || place === at + 2) }).toEqual({
        path,
        isFound: true,
      });
    }
    rmSync(other, { recursive: true });
  },
);

describe('hsm-kms audit show', () => {
  const show = async (...parameters: string[]) => {
    const { code, output } = await hsmKms('audit', 'show', copy, ...parameters);
    expect(code).toBe(0);
    return output.split('\n').filter(Boolean);
  };

  test('prints all events as they are, in the order of their times', async () => {
    const all = filesOf(copy)
      .filter((name) => parseStreamFileName(name))
      .flatMap((name) => linesOf(join(copy, name)));
    const shown = await show('--json');
    expect(shown.toSorted()).toEqual(all.toSorted());
    const starts = shown.map((line) => JSON.parse(line)).filter((event) => event.eventName === 'StartStream');
    const times = starts.map(({ eventTime }) => eventTime);
    expect(times).toEqual(times.toSorted());
  });

  test('only what is asked for', async () => {
    const events = (await show('--json', '--principal', 'nobody', '--since', '2h')).map((line) => JSON.parse(line));
    expect(events.map(({ eventName, errorCode }) => [eventName, errorCode])).toEqual([
      ['Decrypt', 'InvalidCiphertextException'],
      ['Encrypt', 'AccessDeniedException'],
    ]);
    expect(await show('--key', keyId, '--operation', 'CreateKey,RotateKey')).toHaveLength(1);
  });

  test('for people, a line each', async () => {
    const [line] = await show('--outcome', 'AccessDeniedException');
    expect(line).toMatch(
      /^\d{4}-\d\d-\d\dT[\d:.]+Z {2}Encrypt {2}AccessDeniedException {2}user\/nobody {2}key\/[\da-f-]+ {2}127\.0\.0\.1 {2}[\d.]+ ms {2}"User: .+"$/,
    );
    expect((await show('--operation', 'RecoverStream'))[0]).toMatch(
      / {2}RecoverStream {2}ok {2}hsm-kms {2}\{"stream":"/,
    );
  });
});
