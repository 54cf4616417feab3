import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KMS } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { commandEvents } from '../service/audit.js';
import { besideCopiedToken, contentOf, withService } from '../service/backup.js';
import { sql } from '../service/database.js';
import { TestPostgres, whyNoPostgres } from '../service/postgres/server.mjs';
import { type Credentials, hsmKms, region, Service, userArn } from '../service/service.js';
import { describeOfSqlite } from '../service/tested-database.js';
import { describeWith } from '../service/tested-token.js';

const why = whyNoPostgres();
/** Each is written otherwise somewhere, or not at all: escaped in PostgreSQL, in JSON, in UTF-8. */
const texts = ['null \0', 'none \uffff', '\uffff0\uffff1', '"\\ \n \u2028', '\u{1f511}', ''];

describeWith("the service's own SoftHSM2", 'between databases', () => {
  const describeHere = why === undefined ? describeOfSqlite : describe.skip;
  describeHere(`SQLite and PostgreSQL${why ? `: ${why}` : ''}`, () => {
    let directory: string;
    let service: Service;
    let server: TestPostgres;
    let url: string;
    /** What the store held before anything was copied. */
    let archive: string;
    let administrator: Credentials;
    let ciphertext: Uint8Array;

    beforeAll(async () => {
      directory = mkdtempSync(join(tmpdir(), 'hsm-kms-copy-store-'));
      archive = join(directory, 'archive');
      [server, service] = await Promise.all([TestPostgres.start(), Service.start()]);
      url = await server.createDatabase();
      administrator = service.credentials;
      const { kms } = service;
      for (const Description of texts) await service.newKey({ Description });
      const { KeyId } = await service.newKey({ KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' });
      await kms.createAlias({ AliasName: 'alias/copied', TargetKeyId: KeyId });
      await kms.createGrant({ KeyId, GranteePrincipal: userArn('administrator'), Operations: ['Verify'] });
      const symmetric = await service.newKey();
      const encrypted = await kms.encrypt({ KeyId: symmetric.KeyId, Plaintext: Buffer.from('kept') });
      ciphertext = encrypted.CiphertextBlob as Uint8Array;
      sql(service, 'update key_materials set encryptions_reserved = ? where key_id = ?', 2 ** 52 + 1, symmetric.KeyId);
      // more than a page of keys that come in parts
      sql(
        service,
        `insert into tags (key_id, tag_key, tag_value)
        with recursive n(i) as (select 1 union all select i + 1 from n where i < 450)
        select id, 'key ' || i, 'value' from n, keys where id = ?`,
        KeyId,
      );
    });
    afterAll(async () => {
      await service?.end();
      await server?.stop();
      rmSync(directory, { recursive: true, force: true });
    });

    test('what cannot be copied is refused', async () => {
      const copy = (...flags: string[]) => hsmKms('copy-store', '--data-dir', service.dataDir, ...flags);
      for (const [flags, says] of [
        [['--to', url], 'Another hsm-kms serves'],
        [[], 'Say where to'],
        [['--to-sqlite'], 'SQLite already'],
        [['--to', 'mysql://somewhere/db'], '--to is not the URL of a PostgreSQL database'],
        [['--to', 'postgres://user:secret@localhost/db'], '--to has a password in it'],
      ] as const) {
        const { code, output } = await copy(...flags);
        expect(output).toContain(says);
        expect(output).not.toContain('secret');
        expect(output.trim().split('\n')).toHaveLength(1);
        expect(code).toBe(1);
      }
    });

    test('to PostgreSQL and back nothing is lost', async () => {
      // last uses are written at the end
      await service.stop();
      expect(await hsmKms('backup', archive, '--data-dir', service.dataDir)).toMatchObject({ code: 0 });
      const copied = await hsmKms('copy-store', '--data-dir', service.dataDir, '--to', url);
      expect(copied).toMatchObject({ code: 0, output: expect.stringContaining(`set DATABASE_URL=${url}`) });
      expect(await hsmKms('copy-store', '--data-dir', service.dataDir, '--to', url)).toMatchObject({
        code: 1,
        output: expect.stringContaining('holds something already'),
      });
      expect(commandEvents(service.dataDir, 'CopyStore')).toMatchObject([
        { requestParameters: { to: url }, responseElements: { rows: expect.any(Number), digest: expect.any(String) } },
        { requestParameters: { to: url }, errorMessage: expect.stringContaining('holds something already') },
      ]);
      const inPostgres = join(directory, 'in-postgres');
      const there = ['--data-dir', service.dataDir, '--database-url', url];
      expect(await hsmKms('backup', inPostgres, ...there)).toMatchObject({ code: 0 });
      expect(sorted(inPostgres)).toEqual(sorted(archive));
      const descriptions = contentOf(inPostgres).rows.keys?.map(({ description }) => description);
      for (const text of texts) expect(descriptions).toContain(text);

      const dataDir = besideCopiedToken(service, directory);
      const back = await hsmKms('copy-store', '--to-sqlite', '--data-dir', dataDir, '--database-url', url);
      expect(back).toMatchObject({ code: 0, output: expect.stringContaining('unset DATABASE_URL') });
      expect(existsSync(join(dataDir, 'hsm-kms.db'))).toBe(true);
      // points SoftHSM2 to the copy of the token
      await hsmKms('init', '--data-dir', dataDir);
      const inSqlite = join(directory, 'in-sqlite');
      expect(await hsmKms('backup', inSqlite, '--data-dir', dataDir)).toMatchObject({ code: 0 });
      expect(withoutCounts(inSqlite)).toEqual(withoutCounts(archive));
      await decrypts(dataDir);
    });

    test('an archive of SQLite is restored into PostgreSQL, and the other way round', async () => {
      const first = await server.createDatabase();
      const dataDir = besideCopiedToken(service, directory);
      const there = ['--data-dir', dataDir, '--database-url', first];
      expect(await hsmKms('restore', archive, ...there)).toMatchObject({ code: 0 });
      const between = join(directory, 'between');
      expect(await hsmKms('backup', between, ...there)).toMatchObject({ code: 0 });
      expect(withoutCounts(between)).toEqual(withoutCounts(archive));
      await decrypts(dataDir, '--database-url', first);
      // PostgreSQL tells who else is connected
      await withService(
        dataDir,
        async () => {
          expect(
            await hsmKms(
              'copy-store',
              '--to-sqlite',
              '--data-dir',
              mkdtempSync(join(directory, 'node-')),
              '--database-url',
              first,
            ),
          ).toMatchObject({
            code: 1,
            output: expect.stringContaining('stop the service on all nodes'),
          });
        },
        '--database-url',
        first,
      );
      const other = besideCopiedToken(service, directory);
      expect(await hsmKms('restore', between, '--data-dir', other)).toMatchObject({ code: 0 });
      const last = join(directory, 'last');
      expect(await hsmKms('backup', last, '--data-dir', other)).toMatchObject({ code: 0 });
      expect(withoutCounts(last)).toEqual(withoutCounts(archive));
    });

    /** The old ciphertext, and an alias. */
    async function decrypts(dataDir: string, ...flags: string[]): Promise<void> {
      await withService(
        dataDir,
        async (endpoint) => {
          const kms = new KMS({ endpoint, region, credentials: administrator, maxAttempts: 1 });
          const { Plaintext } = await kms.decrypt({ CiphertextBlob: ciphertext });
          expect(Buffer.from(Plaintext as Uint8Array).toString()).toBe('kept');
          expect((await kms.describeKey({ KeyId: 'alias/copied' })).KeyMetadata?.KeySpec).toBe('RSA_2048');
          kms.destroy();
        },
        ...flags,
      );
    }
  });
});

/** The rows of an archive, table by table. */
function sorted(archive: string): Record<string, string[]> {
  const tables = Object.entries(contentOf(archive).rows).map(([table, rows]) => [
    table,
    rows.map((row) => JSON.stringify(row)).sort(),
  ]);
  return Object.fromEntries(tables);
}

/** A restoration raises these; `init` makes a change of nothing where the last one is not written down. */
function withoutCounts(archive: string): Record<string, string[]> {
  const tables = Object.entries(sorted(archive)).filter(([table]) => table !== 'store_revision');
  const uncounted = (row: string) => row.replace(/"encryptions_reserved":\d+,/, '');
  return Object.fromEntries(tables.map(([table, rows]) => [table, rows.map(uncounted).sort()]));
}
