import { copyFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sealedTableNames } from '../../src/store/seal/sealed-tables.js';
import { reseal, tamper } from '../service/database.js';
import { doctor } from '../service/doctor.js';
import { destroyObjects } from '../service/further-token.js';
import { newUser } from '../service/identities.js';
import { hsmKms, Service } from '../service/service.js';
import { testOfSqlite } from '../service/tested-database.js';
import { describeWith } from '../service/tested-token.js';

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(() => service?.end());

const plaintext = Buffer.from('hello');
const encrypt = (KeyId: string) => service.kms.encrypt({ KeyId, Plaintext: plaintext });
const refusal = (request: Promise<unknown>) =>
  request.then(
    () => 'answered',
    (error) => `${error.name} ${error.$metadata.httpStatusCode}: ${error.message}`,
  );
const refused = /^KMSInternalException 500: What the request depends on was changed in the database, and not by this/;
const sealFindings = async () => {
  const { findings } = await doctor(service.dataDir);
  return findings.filter(({ check }) => check === 'seals');
};

describe('what somebody has written into the database behind the back of a service that runs', () => {
  test('a key: every request that needs it is refused, the log says which it is, others go on', async () => {
    const [{ KeyId }, other] = [await service.newKey(), await service.newKey()];
    await encrypt(KeyId);
    tamper(service, `update keys set policy = replace(policy, 'Enable', 'Disable') where id = ?`, KeyId);
    expect(await refusal(encrypt(KeyId))).toMatch(refused);
    expect(await refusal(service.kms.describeKey({ KeyId }))).toMatch(refused);
    expect(await refusal(service.kms.disableKey({ KeyId }))).toMatch(refused);
    await encrypt(other.KeyId);
    const [line = ''] = await service.logged(/"msg":"somebody else than this service has written/);
    expect(JSON.parse(line).err).toMatchObject({ record: `keys/${KeyId}`, fault: 'changed' });

    expect(await sealFindings()).toEqual([
      {
        check: 'seals',
        severity: 'error',
        what: `Somebody else than hsm-kms has written into the database: keys/${KeyId}.`,
        toDo: expect.stringContaining(`hsm-kms reseal keys/${KeyId}`),
      },
    ]);
    expect(reseal(service, `keys/${KeyId}`)).toBe('sealed: 1 records\n');
    await encrypt(KeyId);
    expect(await sealFindings()).toMatchObject([{ severity: 'ok' }]);
  });

  test('a grant that nobody has given, and one that was widened', async () => {
    const { KeyId } = await service.newKey();
    const client = service.newClient(await newUser(service, 'carol'));
    const use = () => client.encrypt({ KeyId, Plaintext: plaintext });
    const principal = (await client.encrypt({ KeyId, Plaintext: plaintext }).catch(({ message }) => message)) as string;
    const arn = /arn:aws:iam::\d+:user\/carol/.exec(principal)?.[0] as string;
    const { GrantId = '' } = await service.kms.createGrant({ KeyId, GranteePrincipal: arn, Operations: ['Decrypt'] });
    expect(await refusal(use())).toMatch(/^AccessDeniedException/);
    tamper(service, `update grants set operations = '["Decrypt","Encrypt"]' where id = ?`, GrantId);
    expect(await refusal(use())).toMatch(refused);
    expect(await refusal(service.kms.listGrants({ KeyId }))).toMatch(refused);
    // it can be revoked, and what is gone harms nobody
    await service.kms.revokeGrant({ KeyId, GrantId });
    expect(await refusal(use())).toMatch(/^AccessDeniedException/);
    tamper(
      service,
      `insert into grants (id, key_id, name, grantee, grantee_is_service, retiring_is_service, issuing_account, operations, created_at)
       values ('made-up', ?, '', ?, 0, 0, '000000000000', '["Encrypt"]', 1)`,
      ...[KeyId, arn],
    );
    expect(await refusal(use())).toMatch(refused);
    tamper(service, `delete from grants where id = 'made-up'`);
    expect(await sealFindings()).toMatchObject([{ severity: 'ok' }]);
  });

  test('a user who was made an administrator', async () => {
    const client = service.newClient(await newUser(service, 'mallory'));
    expect(await refusal(client.listKeys())).toMatch(/^AccessDeniedException/);
    tamper(
      service,
      `insert into attached_policies (principal_arn, policy_arn)
       select arn, 'arn:aws:iam::aws:policy/AdministratorAccess' from principals where name = 'mallory'`,
    );
    expect(await refusal(client.listKeys())).toMatch(/^KMSInternalException/);
    await service.kms.listKeys();
    tamper(service, `delete from attached_policies where principal_arn like '%mallory'`);
    expect(await refusal(client.listKeys())).toMatch(/^AccessDeniedException/);
  });

  test('an alias that names another key', async () => {
    const [{ KeyId }, other] = [await service.newKey(), await service.newKey()];
    const AliasName = 'alias/app';
    await service.kms.createAlias({ AliasName, TargetKeyId: KeyId });
    tamper(service, `update aliases set key_id = ? where name = ?`, other.KeyId, AliasName);
    expect(await refusal(encrypt(AliasName))).toMatch(refused);
    expect(await refusal(service.kms.listAliases())).toMatch(refused);
    tamper(service, `update aliases set key_id = ? where name = ?`, KeyId, AliasName);
    await encrypt(AliasName);
  });

  test('a grant that was revoked, put back as it had been: found by who has seen more, and by the doctor', async () => {
    const { KeyId } = await service.newKey();
    const GranteePrincipal = 'arn:aws:iam::999988887777:root';
    const { GrantId = '' } = await service.kms.createGrant({ KeyId, GranteePrincipal, Operations: ['Decrypt'] });
    tamper(service, 'create table kept as select * from grants');
    await service.kms.revokeGrant({ KeyId, GrantId });
    tamper(service, 'insert into grants select * from kept');
    tamper(service, 'drop table kept');
    expect(await sealFindings()).toMatchObject([
      { severity: 'error', what: 'Records were taken out of the database, or put back as they had been earlier.' },
    ]);
    reseal(service, '--all');
    expect(await sealFindings()).toMatchObject([{ severity: 'ok' }]);
  });
});

test('a database that nobody may change is served from, also when its last change is not written down', async () => {
  const { KeyId } = await service.newKey();
  await service.stop();
  tamper(service, 'delete from store_changes');
  tamper(service, 'update store_revision set record_set = null');
  await service.serve();
  await service.logged(/the last change cannot be written down: nothing is kept in memory until the next one/);
  await encrypt(KeyId);
  expect(await refusal(service.kms.disableKey({ KeyId }))).toMatch(refused);
  reseal(service, '--all');
  await service.kms.disableKey({ KeyId });
});

test('what is to be sealed is named as the doctor names it', async () => {
  const command = (...names: string[]) => hsmKms('reseal', '--data-dir', service.dataDir, ...names);
  for (const [names, sentence] of [
    [[], 'Say which records'],
    [['nothing/x'], 'nothing/x names no record'],
    [['keys/unknown'], 'There is no keys/unknown: nothing was sealed'],
  ] as const) {
    const { code, output } = await command(...names);
    expect({ code, output }).toEqual({ code: 1, output: expect.stringContaining(sentence) });
  }
});

testOfSqlite('a database that was put back whole is older than the audit log, which the doctor finds', async () => {
  const { KeyId } = await service.newKey();
  await service.stop();
  const file = join(service.dataDir, 'hsm-kms.db');
  copyFileSync(file, `${file}.kept`);
  await service.serve();
  await service.kms.disableKey({ KeyId });
  await service.stop();
  for (const end of ['-wal', '-shm']) rmSync(`${file}${end}`, { force: true });
  renameSync(`${file}.kept`, file);
  expect(await sealFindings()).toEqual([
    {
      check: 'seals',
      severity: 'error',
      what: expect.stringMatching(/^The database is older than the audit log: on .+ it had had \d+ changes, and now/),
      toDo: expect.stringContaining('hsm-kms reseal --all'),
    },
  ]);
  reseal(service, '--all');
  expect(await sealFindings()).toMatchObject([{ severity: 'ok' }]);
  await service.serve();
  await encrypt(KeyId);
});

/** As the database and the token were before there were seals. */
async function withoutSeals(hasKey: boolean): Promise<void> {
  await service.stop();
  for (const table of [...sealedTableNames, 'store_revision']) tamper(service, `update ${table} set seal = null`);
  tamper(service, 'update store_revision set record_set = null');
  if (!hasKey) expect(await destroyObjects(service.dataDir, 'hsm-kms record sealing key')).toBe(1);
}

describeWith("the service's own SoftHSM2", 'a database without seals', () => {
  test('is sealed when the token has never sealed one: once, by whichever of several workers', async () => {
    const { KeyId } = await service.newKey();
    await withoutSeals(false);
    await service.serve();
    await service.logged(/made: the seals of \d+ records, by a key in the token/);
    await encrypt(KeyId);
    expect(await sealFindings()).toMatchObject([{ severity: 'ok' }]);
  });

  test('is refused when the token has sealed one', async () => {
    await withoutSeals(true);
    const sentence = /The database has no seals, although the token has sealed one: .* type: hsm-kms reseal --all/;
    await expect(service.serve()).rejects.toThrow(sentence);
    const user = ['identity', 'create-user', '--user-name', 'eve', '--data-dir', service.dataDir];
    expect(await hsmKms(...user)).toEqual({ code: 1, output: expect.stringMatching(sentence) });
    expect(await sealFindings()).toMatchObject([{ severity: 'error' }]);

    // also when nobody is left in it: what else is there would be believed
    tamper(service, 'create table kept as select * from principals');
    tamper(service, 'create table kept_keys as select * from access_keys');
    tamper(service, 'create table kept_attached as select * from attached_policies');
    tamper(service, 'create table kept_inline as select * from inline_policies');
    tamper(service, 'create table kept_tags as select * from principal_tags');
    tamper(service, 'delete from principals');
    await expect(service.serve()).rejects.toThrow(sentence);
    tamper(service, 'insert into principals select * from kept');
    for (const [table, kept] of [
      ['access_keys', 'kept_keys'],
      ['attached_policies', 'kept_attached'],
      ['inline_policies', 'kept_inline'],
      ['principal_tags', 'kept_tags'],
    ]) {
      tamper(service, `delete from ${table}`);
      tamper(service, `insert into ${table} select * from ${kept}`);
      tamper(service, `drop table ${kept}`);
    }
    tamper(service, 'drop table kept');
    reseal(service, '--all');
    await service.serve();
    expect(await sealFindings()).toMatchObject([{ severity: 'ok' }]);
    await service.kms.listKeys();
  });

  test('is refused when it is sealed, and the token does not have the key', async () => {
    await service.stop();
    await destroyObjects(service.dataDir, 'hsm-kms record sealing key');
    await expect(service.serve()).rejects.toThrow(/does not have the key that the database is sealed by/);
    expect(await sealFindings()).toMatchObject([{ severity: 'error' }]);
    reseal(service, '--all');
    await service.serve();
    await service.kms.listKeys();
  });
});
