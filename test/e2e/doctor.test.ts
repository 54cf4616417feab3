import {
  chmodSync,
  chownSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import Sqlite from 'better-sqlite3';
import { CertificateAuthority } from '../service/certificates.js';
import { directoryBytes, isOfEveryStart } from '../service/directory-bytes.js';
import { type Diagnosis, doctor } from '../service/doctor.js';
import { destroyObjects } from '../service/further-token.js';
import { hsmKms, Service } from '../service/service.js';
import { describeWith } from '../service/tested-token.js';

let original: Service;
let directory: string;
let dataDir: string;
let KeyId: string;
let authority: CertificateAuthority;
const day = 24 * 60 * 60 * 1000;
const tomorrow = () => Date.now() + day;
const yesterday = () => Date.now() - day;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'hsm-kms-doctor-'));
  authority = new CertificateAuthority(directory, 'authority');
  original = await Service.start();
  ({ KeyId } = await original.newKey());
  await original.newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
  await original.stop();
});
afterAll(async () => {
  await original?.end();
  rmSync(directory, { recursive: true, force: true });
});
beforeEach(() => {
  dataDir = mkdtempSync(join(directory, 'data-'));
  cpSync(original.dataDir, dataDir, { recursive: true });
  const configuration = join(dataDir, 'softhsm2.conf');
  writeFileSync(configuration, readFileSync(configuration, 'utf8').replace(original.dataDir, dataDir));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

const inData = (name: string) => join(dataDir, name);

function onDatabase(...statements: string[]): void {
  const database = new Sqlite(inData('hsm-kms.db'));
  database.pragma('foreign_keys = off');
  for (const statement of statements) database.exec(statement);
  database.close();
}

/** The token's own file of SoftHSM2. */
function tokenObject(): string {
  const names = readdirSync(inData('tokens'), { recursive: true, encoding: 'utf8' });
  return join(inData('tokens'), names.find((name) => name.endsWith('token.object')) ?? '');
}

const look = (...flags: string[]) => doctor(dataDir, ['--stopped', ...flags]);

test('what is well is said to be, and nothing is written', async () => {
  const before = directoryBytes(dataDir, isOfEveryStart);
  const { code, verdict, findings, bad } = await look();
  expect({ code, verdict, bad }).toEqual({ code: 0, verdict: 'ok', bad: [] });
  expect(findings.find(({ check }) => check === 'keys and objects')?.what).toMatch(/^Each of 2 key materials/);
  expect(directoryBytes(dataDir, isOfEveryStart)).toEqual(before);
  expect((await look('--repair')).bad).toEqual([]);
  expect(directoryBytes(dataDir, isOfEveryStart)).toEqual(before);
});

test('for people, the first line counts; --quiet says nothing when all is well', async () => {
  const { code, output } = await hsmKms('doctor', '--data-dir', dataDir);
  expect(code).toBe(1);
  expect(output).toMatch(/^hsm-kms errors: 0, warnings: 1, repaired: 0, well: \d+\n/);
  expect(output).toMatch(/^warning {3}service: No service runs over .+\n {10}-> hsm-kms serve/m);
  expect(await hsmKms('doctor', '--data-dir', dataDir, '--stopped', '--quiet')).toEqual({ code: 0, output: '' });
});

test('what makes it impossible to look is none of its exit codes', async () => {
  expect(await hsmKms('doctor', '--no-such-flag')).toMatchObject({ code: 3 });
  expect(await hsmKms('doctor', '--settle', 'long')).toMatchObject({ code: 3 });
});

/** What is wrong; the check that says so, how bad it is, its words and what to type; whether --repair puts it right. */
type Trouble = readonly [
  title: string,
  spoil: () => unknown,
  check: string,
  severity: 'warning' | 'error',
  what: RegExp,
  toDo: RegExp,
  repair?: RegExp,
];

function expectFinding({ code, bad }: Diagnosis, [, , check, severity, what, toDo]: Trouble): void {
  const finding = bad.find((each) => each.check === check && each.severity === severity);
  expect(finding?.what).toMatch(what);
  expect(finding?.toDo ?? '').toMatch(toDo);
  expect(finding?.what).not.toMatch(/undefined|\[object|\n\s+at /);
  expect(code).toBeGreaterThanOrEqual(severity === 'error' ? 2 : 1);
}

async function expectTrouble(trouble: Trouble): Promise<void> {
  const [, spoil, check, , , , repair] = trouble;
  await spoil();
  expectFinding(await look(), trouble);
  if (repair === undefined) return;
  const repaired = await look('--repair');
  expect(repaired.findings.filter(({ done }) => done).map((each) => each.check)).toEqual([check]);
  expect(repaired.findings.find(({ done }) => done)?.done?.[0]).toMatch(repair);
  expect(repaired.code).toBe(0);
  const again = await look('--repair');
  expect({ code: again.code, bad: again.bad }).toEqual({ code: 0, bad: [] });
}

const asRoot = process.geteuid?.() === 0;
const repairIt = /^hsm-kms doctor --repair/;

describe('it finds', () => {
  const ofRoot: Trouble[] = [
    [
      'a file of somebody else',
      () => chownSync(inData('credentials'), 65534, 65534),
      'files',
      'warning',
      /does not own .+credentials/,
      /^chown 0 /,
    ],
  ];
  test.each<Trouble>([
    ...(asRoot ? ofRoot : []),
    [
      'a file that others read',
      () => chmodSync(inData('credentials'), 0o644),
      'files',
      'error',
      /Others than the owner may get at .+credentials/,
      /^chmod go= .+credentials/,
      /^took the permissions of others from .+credentials/,
    ],
    [
      'a database of a newer version',
      () => onDatabase("insert into kysely_migration values ('9999-future', '2030')"),
      'database',
      'error',
      /newer version/,
      /^$/,
    ],
    [
      'a database that waits for this version',
      () => onDatabase('delete from kysely_migration where name = (select max(name) from kysely_migration)'),
      'database',
      'warning',
      /schema is older than this program: 0/,
      /hsm-kms/,
    ],
    [
      'a damaged database',
      () => {
        onDatabase('pragma wal_checkpoint(truncate)');
        const bytes = readFileSync(inData('hsm-kms.db'));
        writeFileSync(inData('hsm-kms.db'), bytes.fill(0, 4096 * 3, 4096 * 12));
      },
      'database',
      'error',
      /is damaged/,
      /^$/,
    ],
    [
      'rows that name none',
      () => onDatabase("insert into tags values ('no-key', 'a', 'b')"),
      'database',
      'error',
      /tags, row \d+, names no row of keys/,
      /back-up/,
    ],
    [
      'that the database is gone',
      () => unlinkSync(inData('hsm-kms.db')),
      'database',
      'error',
      /There is no database/,
      /back-up/,
    ],
    [
      'that credentials are gone',
      () => unlinkSync(inData('credentials')),
      'database',
      'error',
      /credentials is missing/,
      /touch/,
    ],
    [
      'a clock that is behind the files',
      () => utimesSync(inData('hsm-kms.db'), new Date(tomorrow()), new Date(tomorrow())),
      'clock',
      'error',
      /by the clock, which is before .+hsm-kms\.db was written/,
      /timedatectl/,
    ],
    [
      'a clock that is behind the rows',
      () => onDatabase(`update keys set created_at = ${tomorrow()} where id = '${KeyId}'`),
      'clock',
      'error',
      /which is before a key was made/,
      /timedatectl/,
    ],
    [
      'a lease of a clock that was ahead',
      () => onDatabase(`insert or replace into leases values ('key rotation', 'x', ${tomorrow()})`),
      'clock',
      'error',
      /Scheduled work is held .+key rotation/,
      repairIt,
      /^ended the lease of key rotation/,
    ],
    [
      'keys that the token can do nothing with',
      () => onDatabase(`update keys set spec = 'ML_KEM_512', usage = 'KEY_AGREEMENT' where id = '${KeyId}'`),
      'capabilities',
      'error',
      /does nothing with ML_KEM_512 keys for KEY_AGREEMENT any more, and there are 1/,
      /token describe/,
    ],
    [
      'a key store without its token',
      () =>
        onDatabase(
          "insert into custom_key_stores values ('cks-1', 'far', 'cluster-1', '', x'00', 'CONNECTED', null, 1, 1, 1)",
        ),
      'custom key stores',
      'error',
      /far \(cks-1\) is the token cluster-1, which the setting keyStores does not have/,
      /keyStores/,
    ],
    [
      'a key that the token has lost',
      () => destroyObjects(dataDir, KeyId),
      'keys and objects',
      'error',
      /does not have the key material of these keys: /,
      /back-up/,
    ],
    [
      'a key without key material',
      () => onDatabase(`update keys set current_material_id = null where id = '${KeyId}'`),
      'keys and objects',
      'error',
      /have no key material, and should: /,
      /back-up/,
    ],
    [
      'a rotation that is overdue',
      () =>
        onDatabase(
          `update keys set rotation_period_days = 90, next_rotation_at = ${yesterday()} where id = '${KeyId}'`,
        ),
      'due work',
      'warning',
      /1 keys whose rotation is due are not rotated/,
      /hsm-kms serve/,
    ],
    [
      'a deletion that is overdue',
      () => onDatabase(`update keys set state = 'PendingDeletion', deletion_at = ${yesterday()} where id = '${KeyId}'`),
      'due work',
      'warning',
      /1 keys whose waiting period is over are not deleted/,
      repairIt,
      /^key deletion: /,
    ],
  ])('%s', async (...trouble) => {
    await expectTrouble(trouble);
  });

  test.each([
    [3, 'error'],
    [20, 'warning'],
  ] as const)('a certificate that is valid for %i days more', async (days, severity) => {
    const { certificate, key } = authority.issue(`days-${days}`, '/CN=localhost', { days: days + 1 });
    const { bad } = await look('--tls-certificate-file', certificate, '--tls-key-file', key);
    expect(bad).toMatchObject([{ check: 'TLS', severity, what: expect.stringMatching(`valid for ${days} days more`) }]);
  });

  test('settings that are none, and some that do not fit', async () => {
    const { code, bad } = await doctor(dataDir, ['--stopped', '--insecure-no-auth'], { HSM_KMS_PROT: '1' });
    expect(code).toBe(1);
    expect(bad).toMatchObject([
      { check: 'configuration', what: 'The environment sets what is no setting: HSM_KMS_PROT.' },
      { check: 'configuration', what: 'Requests are not authenticated.' },
    ]);
    expect(await look('--port', 'http')).toMatchObject({ code: 2, bad: [{ what: expect.stringMatching('--port') }] });
    expect((await look('--host', '0.0.0.0')).bad).toMatchObject([{ what: expect.stringMatching('unencrypted') }]);
  });
});

describeWith("the service's own SoftHSM2", 'of its own token, it finds', () => {
  test('what a login that was killed has emptied', async () => {
    const file = tokenObject();
    const size = statSync(file).size;
    truncateSync(file);
    await expectTrouble([
      '',
      () => {},
      'token files',
      'error',
      /has emptied .+token\.object; its copy is whole/,
      repairIt,
      /^put back .+token\.object/,
    ]);
    expect(statSync(file).size).toBe(size);
  });

  test('a wrong PIN, which it tries once', async () => {
    const pin = readFileSync(inData('token-user-pin'), 'utf8');
    writeFileSync(inData('token-user-pin'), 'wrong-pin\n');
    const first = await look();
    expect(first.code).toBe(2);
    expect(first.bad.find(({ check }) => check === 'token')?.what).toMatch(/refuses the login/);
    const second = await look();
    expect(second.bad.find(({ check }) => check === 'token')?.what).toMatch(/was wrong: the doctor has tried none/);
    expect(JSON.stringify([first, second])).not.toContain('wrong-pin');
    writeFileSync(inData('token-user-pin'), pin);
    expect((await hsmKms('token', 'describe', '--data-dir', dataDir)).code).toBe(0);
    expect((await look()).bad).toEqual([]);
  });

  test('that it is another one, and then repairs nothing', async () => {
    const other = mkdtempSync(join(directory, 'other-'));
    expect((await hsmKms('init', '--data-dir', other)).code).toBe(0);
    rmSync(inData('tokens'), { recursive: true });
    for (const name of ['tokens', 'token-user-pin']) cpSync(join(other, name), inData(name), { recursive: true });
    onDatabase(`update keys set state = 'PendingDeletion', deletion_at = ${yesterday()} where id = '${KeyId}'`);
    const { code, bad } = await look('--repair');
    expect(code).toBe(2);
    expect(bad.find(({ check }) => check === 'token')?.what).toMatch(/is not the one that .+ was made with/);
    const dueWork = bad.find(({ check }) => check === 'due work');
    expect(dueWork?.what).toMatch(/cannot be repaired: token and database do not belong together/);
    expect(dueWork?.done).toBeUndefined();
  });
});
