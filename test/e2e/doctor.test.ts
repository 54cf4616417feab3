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
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import Sqlite from 'better-sqlite3';
import { CertificateAuthority } from '../service/certificates.js';
import { copyOfData } from '../service/copy-of-data.js';
import { isSealed, reseal } from '../service/database.js';
import { directoryBytes, isOfEveryStart } from '../service/directory-bytes.js';
import { doctor } from '../service/doctor.js';
import { destroyObjects } from '../service/further-token.js';
import { hsmKms, Service } from '../service/service.js';
import { describeOfSqlite, testOfSqlite } from '../service/tested-database.js';
import { describeWith } from '../service/tested-token.js';
import { expectFound, expectRepaired, type Trouble, type Troubles } from '../service/troubles.js';

let original: Service;
let directory: string;
let dataDir: string;
/** Ids of symmetric keys. */
let keys: string[];
let authority: CertificateAuthority;
const day = 24 * 60 * 60 * 1000;
const tomorrow = () => Date.now() + day;
const yesterday = () => Date.now() - day;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'hsm-kms-doctor-'));
  authority = new CertificateAuthority(directory, 'authority');
  original = await Service.start();
  keys = [];
  for (let i = 0; i < 5; i++) keys.push((await original.newKey()).KeyId);
  await original.newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
  await original.stop();
});
afterAll(async () => {
  await original?.end();
  rmSync(directory, { recursive: true, force: true });
});
beforeEach(copyData);
function copyData(): void {
  dataDir = mkdtempSync(join(directory, 'data-'));
  copyOfData(original.dataDir, dataDir);
}
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

const inData = (name: string) => join(dataDir, name);

/** What is sealed was changed. */
let isToSeal = false;

function onDatabase(...statements: string[]): void {
  const database = new Sqlite(inData('hsm-kms.db'));
  database.pragma('foreign_keys = off');
  for (const statement of statements) database.exec(statement);
  database.close();
  isToSeal ||= statements.some(isSealed);
}

/** The token's own file of SoftHSM2. */
function tokenObject(): string {
  const names = readdirSync(inData('tokens'), { recursive: true, encoding: 'utf8' });
  return join(inData('tokens'), names.find((name) => name.endsWith('token.object')) ?? '');
}

function sealChanged(): void {
  if (isToSeal) reseal({ dataDir }, '--all');
  isToSeal = false;
}

function look(...flags: string[]) {
  sealChanged();
  return doctor(dataDir, ['--stopped', ...flags]);
}

testOfSqlite('what is well is said to be, and nothing is written', async () => {
  const before = directoryBytes(dataDir, isOfEveryStart);
  const { code, verdict, findings, bad } = await look();
  expect({ code, verdict, bad }).toEqual({ code: 0, verdict: 'ok', bad: [] });
  expect(findings.find(({ check }) => check === 'keys and objects')?.what).toMatch(/^Each of 6 key materials/);
  expect(directoryBytes(dataDir, isOfEveryStart)).toEqual(before);
  expect((await look('--repair')).bad).toEqual([]);
  expect(directoryBytes(dataDir, isOfEveryStart)).toEqual(before);
});

testOfSqlite('for people, the first line counts; --quiet says nothing when all is well', async () => {
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

const repairIt = /^hsm-kms doctor --repair/;
const backUp = /back-up/;

const pendingDeletion = (at: number, key: string) =>
  `update keys set state = 'PendingDeletion', deletion_at = ${at} where id = '${key}'`;

describeOfSqlite('it finds, and repairs', () => {
  test('what is safe to be repaired', async () => {
    const troubles: Troubles = {
      'a file that others read': {
        spoil: () => chmodSync(inData('credentials'), 0o644),
        check: 'files',
        severity: 'error',
        what: /Others than the owner may get at .+credentials/,
        toDo: /^chmod go= .+credentials/,
        repair: /^took the permissions of others from .+credentials/,
      },
      'a deletion that is overdue': {
        spoil: () => onDatabase(pendingDeletion(yesterday(), keys[0]!)),
        check: 'due work',
        severity: 'warning',
        what: /1 keys whose waiting period is over are not deleted/,
        toDo: repairIt,
        repair: /^key deletion: /,
      },
      'a wrapping key that is used up': {
        spoil: () => onDatabase(`insert into import_wrapping_keys values ('${'ab'.repeat(32)}', '${keys[1]}', 0)`),
        check: 'due work',
        severity: 'warning',
        what: /1 wrapping keys of imports that are used up or have expired/,
        toDo: repairIt,
        repair: /^destruction of import wrapping keys: abab/,
      },
    };
    expect(await expectFound(look, troubles)).toBe(2);
    await expectRepaired(look, dataDir, troubles);
  });
});

describeOfSqlite('it finds', () => {
  test('what is wrong with keys and rows', async () => {
    const code = await expectFound(look, {
      'rows that name none': {
        spoil: () => onDatabase("insert into tags values ('no-key', 'a', 'b')"),
        check: 'database',
        severity: 'error',
        what: /tags, row \d+, names no row of keys/,
        toDo: backUp,
      },
      'a clock that is behind the files': {
        spoil: () => utimesSync(inData('credentials'), new Date(tomorrow()), new Date(tomorrow())),
        check: 'clock',
        severity: 'error',
        what: /by the clock, which is before .+credentials was written/,
        toDo: /timedatectl/,
      },
      'a clock that is behind the rows': {
        spoil: () => onDatabase(`update keys set created_at = ${tomorrow()} where id = '${keys[0]}'`),
        check: 'clock',
        severity: 'error',
        what: /a key was made/,
        toDo: /timedatectl/,
      },
      'keys that the token can do nothing with': {
        spoil: () => onDatabase(`update keys set spec = 'ML_KEM_512', usage = 'KEY_AGREEMENT' where id = '${keys[1]}'`),
        check: 'capabilities',
        severity: 'error',
        what: /does nothing with ML_KEM_512 keys for KEY_AGREEMENT any more, and there are 1/,
        toDo: /token describe/,
      },
      'a key store without its token': {
        spoil: () =>
          onDatabase(
            "insert into custom_key_stores values ('cks-1', 'far', 'cluster-1', '', x'00', 'CONNECTED', null, 1, 1, 1, null)",
          ),
        check: 'custom key stores',
        severity: 'error',
        what: /far \(cks-1\) is the token cluster-1, which the setting keyStores does not have/,
        toDo: /keyStores/,
      },
      'a key that the token has lost': {
        spoil: () => destroyObjects(dataDir, keys[2]!),
        check: 'keys and objects',
        severity: 'error',
        what: /does not have the key material of these keys: \S+\.$/,
        toDo: backUp,
      },
      'a key without key material': {
        spoil: () => onDatabase(`update keys set current_material_id = null where id = '${keys[3]}'`),
        check: 'keys and objects',
        severity: 'error',
        what: /have no key material, and should: \S+\.$/,
        toDo: backUp,
      },
      'a rotation that is overdue': {
        spoil: () =>
          onDatabase(
            `update keys set rotation_period_days = 90, next_rotation_at = ${yesterday()} where id = '${keys[4]}'`,
          ),
        check: 'due work',
        severity: 'warning',
        what: /1 keys whose rotation is due are not rotated/,
        toDo: /hsm-kms serve/,
      },
    });
    expect(code).toBe(2);
    // and nothing is deleted by a clock that nobody can believe
    onDatabase(pendingDeletion(yesterday(), keys[0]!));
    const deletion = (await look('--repair')).bad.find(({ what }) => /waiting period/.test(what));
    expect(deletion?.what).toMatch(/cannot be repaired: first this must be put right: the clock is behind/);
    expect(deletion?.done).toBeUndefined();
  });

  test.each<[string, Trouble]>([
    [
      'a database of a newer version',
      {
        spoil: () => onDatabase("insert into kysely_migration values ('9999-future', '2030')"),
        check: 'database',
        severity: 'error',
        what: /newer version/,
      },
    ],
    [
      'a database that waits for this version',
      {
        spoil: () => onDatabase('delete from kysely_migration where name = (select max(name) from kysely_migration)'),
        check: 'database',
        severity: 'warning',
        what: /schema is older than this program: 0/,
        toDo: /hsm-kms/,
      },
    ],
    [
      'a damaged database',
      {
        spoil: () => {
          onDatabase('pragma wal_checkpoint(truncate)');
          const bytes = readFileSync(inData('hsm-kms.db'));
          writeFileSync(inData('hsm-kms.db'), bytes.fill(0, 4096 * 3, 4096 * 12));
        },
        check: 'database',
        severity: 'error',
        what: /is damaged/,
      },
    ],
    [
      'that the database is gone',
      {
        spoil: () => unlinkSync(inData('hsm-kms.db')),
        check: 'database',
        severity: 'error',
        what: /There is no database/,
        toDo: backUp,
      },
    ],
    [
      'that credentials are gone',
      {
        spoil: () => unlinkSync(inData('credentials')),
        check: 'database',
        severity: 'error',
        what: /credentials is missing/,
        toDo: /touch/,
      },
    ],
  ])('%s', async (title, trouble) => {
    await expectFound(look, { [title]: trouble });
  });

  const asRoot = process.geteuid?.() === 0 ? test : test.skip;
  asRoot('a file of somebody else', async () => {
    chownSync(inData('credentials'), 65534, 65534);
    const { bad } = await look();
    expect(bad).toMatchObject([{ check: 'files', what: expect.stringMatching('does not own .+credentials') }]);
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

describeOfSqlite('it finds', () => {
  describeWith("the service's own SoftHSM2", 'of its own token', () => {
    test('what a login that was killed has emptied', async () => {
      const file = tokenObject();
      const size = statSync(file).size;
      const troubles: Troubles = {
        'an empty file': {
          spoil: () => truncateSync(file),
          check: 'token files',
          severity: 'error',
          what: /has emptied .+token\.object; its copy is whole/,
          toDo: repairIt,
          repair: /^put back .+token\.object/,
        },
      };
      await expectFound(look, troubles);
      await expectRepaired(look, dataDir, troubles);
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
      onDatabase(pendingDeletion(yesterday(), keys[0]!));
      sealChanged();
      const other = mkdtempSync(join(directory, 'other-'));
      expect((await hsmKms('init', '--data-dir', other)).code).toBe(0);
      rmSync(inData('tokens'), { recursive: true });
      for (const name of ['tokens', 'token-user-pin']) cpSync(join(other, name), inData(name), { recursive: true });
      const { code, bad } = await look('--repair');
      expect(code).toBe(2);
      expect(bad.find(({ check }) => check === 'token')?.what).toMatch(/is not the one that .+ was made with/);
      const dueWork = bad.find(({ check }) => check === 'due work');
      expect(dueWork?.what).toMatch(/cannot be repaired: token and database do not belong together/);
      expect(dueWork?.done).toBeUndefined();
    });
  });
});
