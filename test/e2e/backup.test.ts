import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { KMS } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { commandEvents } from '../service/audit.js';
import { besideCopiedToken, contentOf, olderArchive, withService } from '../service/backup.js';
import { sql, tamper } from '../service/database.js';
import { doctor } from '../service/doctor.js';
import { refusalName } from '../service/refusal.js';
import { type Credentials, hsmKms, region, Service, userArn } from '../service/service.js';
import { testedDatabase } from '../service/tested-database.js';
import { describeWith } from '../service/tested-token.js';

const plaintext = Buffer.from('what is to be read again');
const context = { of: 'backup' };

describeWith("the service's own SoftHSM2", 'backup and restore', () => {
  let directory: string;
  let service: Service;
  let archive: string;
  let symmetric: string;
  let rotated: string;
  let disabled: string;
  let signing: string;
  let blobs: Uint8Array[];
  let user: Credentials;
  let grantToken: string;
  /** Credentials of the administrator. */
  let administrator: Credentials;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'hsm-kms-backup-'));
    archive = join(directory, 'archive');
    service = await Service.start();
    const { kms, dataDir } = service;
    administrator = service.credentials;
    symmetric = (await service.newKey({ Description: 'null \0, none \uffff, \u{1f511}' })).KeyId;
    await kms.createAlias({ AliasName: 'alias/backed-up', TargetKeyId: symmetric });
    await kms.tagResource({ KeyId: symmetric, Tags: [{ TagKey: 'of', TagValue: 'backup' }] });
    rotated = (await service.newKey()).KeyId;
    disabled = (await service.newKey()).KeyId;
    signing = (await service.newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' })).KeyId;
    const encrypt = async (KeyId: string) =>
      (await kms.encrypt({ KeyId, Plaintext: plaintext, EncryptionContext: context })).CiphertextBlob as Uint8Array;
    blobs = [await encrypt(symmetric), await encrypt(rotated)];
    await kms.rotateKeyOnDemand({ KeyId: rotated });
    blobs.push(await encrypt(rotated));
    await kms.disableKey({ KeyId: disabled });
    const at = ['--data-dir', dataDir];
    await hsmKms('identity', 'create-user', '--user-name', 'reader', ...at);
    const { output } = await hsmKms('identity', 'create-access-key', '--user-name', 'reader', ...at);
    const [, accessKeyId = ''] = /^aws_access_key_id = (.+)$/m.exec(output) ?? [];
    const [, secretAccessKey = ''] = /^aws_secret_access_key = (.+)$/m.exec(output) ?? [];
    user = { accessKeyId, secretAccessKey };
    const grant = await kms.createGrant({
      KeyId: symmetric,
      GranteePrincipal: userArn('reader'),
      Operations: ['Decrypt'],
    });
    grantToken = grant.GrantToken as string;
    // more than is safe with a number of 32 bits
    sql(service, 'update key_materials set encryptions_reserved = ? where key_id = ?', 2 ** 31 - 5, signing);
  });
  afterAll(async () => {
    await service?.end();
    rmSync(directory, { recursive: true, force: true });
  });

  test('an archive made under load is of one moment, whole, and sealed', async () => {
    let going = true;
    const busy = [0, 1, 2].map(async (each) => {
      for (let i = 0; going; i++) {
        const { KeyId } = await service.newKey();
        const AliasName = `alias/load-${each}-${i}`;
        await service.kms.createAlias({ AliasName, TargetKeyId: KeyId });
        await service.kms.createGrant({ KeyId, GranteePrincipal: userArn('reader'), Operations: ['Encrypt'] });
        await service.kms.rotateKeyOnDemand({ KeyId });
        if (i % 3 === 0) await service.kms.deleteAlias({ AliasName });
      }
    });
    const made = [];
    for (let i = 0; i < 3; i++) {
      const file = join(directory, `loaded-${i}`);
      expect(await hsmKms('backup', file, '--data-dir', service.dataDir)).toMatchObject({ code: 0 });
      made.push(file);
    }
    going = false;
    await Promise.all(busy);
    for (const file of made) {
      expect(statSync(file).mode & 0o777).toBe(0o600);
      const verified = await hsmKms('backup', 'verify', file, '--data-dir', service.dataDir);
      expect(verified).toMatchObject({ code: 0, output: expect.stringContaining('It was sealed by the token') });
      const { header, rows } = contentOf(file);
      const keys = new Map((rows.keys ?? []).map((row) => [row.id, row]));
      const materials = new Set((rows.key_materials ?? []).map((row) => row.id));
      for (const key of keys.values()) expect(materials).toContain(key.current_material_id);
      for (const table of ['key_materials', 'aliases', 'grants', 'tags']) {
        for (const row of rows[table] ?? []) expect(keys.has(row.key_id)).toBe(true);
      }
      for (const { table, rows: count } of header.tables)
        expect([table, rows[table]?.length ?? 0]).toEqual([table, count]);
      expect(rows.leases).toBeUndefined();
    }
    expect(readdirSync(directory).filter((name) => name.endsWith('.unfinished'))).toEqual([]);
    const [before, after] = [contentOf(made[0] as string), contentOf(made[2] as string)];
    expect(after.rows.keys?.length).toBeGreaterThan(before.rows.keys?.length as number);
  });

  test('an archive holds no secret in the clear', () => {
    const text = gunzipSync(readFileSync(join(directory, 'loaded-2'))).toString('utf8');
    expect(text).not.toContain(user.secretAccessKey);
    expect(text).not.toContain(administrator.secretAccessKey);
    expect(text).not.toContain(readFileSync(join(service.dataDir, 'token-user-pin'), 'utf8').trim());
  });

  test('an archive of an older version is brought up to date, and sealed', async () => {
    const [recent, older] = [join(directory, 'recent'), join(directory, 'older')];
    expect(await hsmKms('backup', recent, '--data-dir', service.dataDir)).toMatchObject({ code: 0 });
    olderArchive(service, recent, older);
    expect(contentOf(older).header.migrations.at(-1)).toBe('0004-trusted-principals');
    expect(contentOf(older).rows.keys?.[0]).not.toHaveProperty('seal');
    const dataDir = besideCopiedToken(service, directory);
    expect(await hsmKms('restore', older, '--data-dir', dataDir)).toMatchObject({ code: 0 });
    expect(commandEvents(dataDir, 'RestoreBackup')).toMatchObject([
      { requestParameters: { file: older }, responseElements: { madeAt: contentOf(older).header.madeAt } },
    ]);
    const { bad } = await doctor(dataDir, ['--stopped']);
    expect(bad).toEqual([]);
    await withService(dataDir, async (endpoint) => {
      const kms = new KMS({ endpoint, region, credentials: administrator, maxAttempts: 1 });
      for (const CiphertextBlob of blobs) await kms.decrypt({ CiphertextBlob, EncryptionContext: context });
      await kms.createAlias({ AliasName: 'alias/after', TargetKeyId: symmetric });
      kms.destroy();
    });
  });

  test('what somebody else had written before the archive was made is told', async () => {
    const [file, id] = [join(directory, 'edited'), (await service.newKey()).KeyId];
    tamper(service, `update keys set description = 'edited' where id = ?`, id);
    expect(await hsmKms('backup', file, '--data-dir', service.dataDir)).toMatchObject({ code: 0 });
    tamper(service, `update keys set description = '' where id = ?`, id);
    const { code, output } = await hsmKms('restore', file, '--data-dir', besideCopiedToken(service, directory));
    expect({ code, output }).toEqual({
      code: 0,
      output: expect.stringMatching(
        `warning: somebody else than hsm-kms had written into the database before the archive was made: keys/${id}\\n`,
      ),
    });
  });

  test('what is restored beside the copied token serves the same clients', async () => {
    expect(await hsmKms('backup', archive, '--data-dir', service.dataDir)).toMatchObject({ code: 0 });
    const later = (await service.newKey()).KeyId;
    await service.kms.enableKey({ KeyId: disabled });
    const { header } = contentOf(archive);
    const revision = () => sql<{ revision: number }>(service, 'select revision from store_revision')[0]?.revision ?? 0;
    const oldRevision = revision();
    const dataDir = besideCopiedToken(service, directory);
    const { code, output } = await hsmKms('restore', archive, '--data-dir', dataDir);
    expect({ code, output }).toMatchObject({ code: 0 });
    expect(output).toContain(`What was changed after ${header.madeAt} is undone`);
    expect(output).toMatch(
      /warning: The token has 1 objects that no row of the database names: .*\n {2}-> they were made/,
    );
    expect(output).toContain(later);
    await withService(dataDir, async (endpoint) => {
      const kms = new KMS({ endpoint, region, credentials: administrator, maxAttempts: 1 });
      const reader = new KMS({ endpoint, region, credentials: user, maxAttempts: 1 });
      for (const CiphertextBlob of blobs) {
        const { Plaintext } = await kms.decrypt({ CiphertextBlob, EncryptionContext: context });
        expect(Buffer.from(Plaintext as Uint8Array)).toEqual(plaintext);
      }
      const [CiphertextBlob, ofRotated] = blobs;
      const granted = await reader.decrypt({ CiphertextBlob, EncryptionContext: context });
      expect(Buffer.from(granted.Plaintext as Uint8Array)).toEqual(plaintext);
      expect(await refusalName(reader.decrypt({ CiphertextBlob: ofRotated, EncryptionContext: context }))).toBe(
        'AccessDeniedException',
      );
      await reader.decrypt({ CiphertextBlob, EncryptionContext: context, GrantTokens: [grantToken] });
      const { KeyMetadata } = await kms.describeKey({ KeyId: 'alias/backed-up' });
      expect(KeyMetadata).toMatchObject({ KeyId: symmetric, Description: 'null \0, none \uffff, \u{1f511}' });
      expect((await kms.listResourceTags({ KeyId: symmetric })).Tags).toEqual([{ TagKey: 'of', TagValue: 'backup' }]);
      expect((await kms.describeKey({ KeyId: disabled })).KeyMetadata?.KeyState).toBe('Disabled');
      expect(await refusalName(kms.describeKey({ KeyId: later }))).toBe('NotFoundException');
      await kms.encrypt({ KeyId: symmetric, Plaintext: plaintext });
      await kms.sign({ KeyId: signing, Message: plaintext, SigningAlgorithm: 'ECDSA_SHA_256' });
      const { KeyMetadata: made } = await kms.createKey({});
      await kms.encrypt({ KeyId: made?.KeyId, Plaintext: plaintext });
      kms.destroy();
      reader.destroy();
    });
    const again = testedDatabase.query<{ revision: number }>(dataDir, 'select revision from store_revision', []);
    expect(again[0]?.revision).toBeGreaterThan(oldRevision + 2 ** 29);
    const [reserved] = testedDatabase.query<{ n: number }>(
      dataDir,
      'select encryptions_reserved as n from key_materials where key_id = ?',
      [signing],
    );
    expect(Number(reserved?.n)).toBeGreaterThan(2 ** 31 + 2 ** 20);
  });

  test('a key whose object the token does not have is named', async () => {
    const dataDir = besideCopiedToken(service, directory);
    const { KeyId } = await service.newKey();
    const file = join(directory, 'newer');
    await hsmKms('backup', file, '--data-dir', service.dataDir);
    const { code, output } = await hsmKms('restore', file, '--data-dir', dataDir);
    expect(code).toBe(1);
    expect(output).toMatch(
      new RegExp(
        `error: The token does not have the key material of these keys: .*${KeyId}.*\n {2}-> put the token back`,
      ),
    );
  });
});
