import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { besideCopiedToken, killedAfter } from '../service/backup.js';
import { sql } from '../service/database.js';
import { hsmKms, Service } from '../service/service.js';
import { testedDatabase } from '../service/tested-database.js';
import { describeWith } from '../service/tested-token.js';

/** So many that writing them takes long enough to be killed in it. */
const rows = 30_000;

describeWith("the service's own SoftHSM2", 'killed in the middle of a backup or a restoration', () => {
  let directory: string;
  let service: Service;
  let archive: string;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'hsm-kms-backup-killed-'));
    archive = join(directory, 'archive');
    service = await Service.start();
    const { KeyId } = await service.newKey();
    sql(
      service,
      `insert into tags (key_id, tag_key, tag_value)
      with recursive n(i) as (select 1 union all select i + 1 from n where i < ${rows})
      select id, 'key ' || i, 'value' from n, keys where id = ?`,
      KeyId,
    );
    expect(await hsmKms('backup', archive, '--data-dir', service.dataDir)).toMatchObject({ code: 0 });
  });
  afterAll(async () => {
    await service?.end();
    rmSync(directory, { recursive: true, force: true });
  });

  test('there is no half archive', async () => {
    const place = mkdtempSync(join(directory, 'archives-'));
    let killed = 0;
    for (const milliseconds of [0, 20, 60]) {
      const file = join(place, `killed-${milliseconds}`);
      const code = await killedAfter(place, /^\.killed-.*unfinished$/, milliseconds, service.dataDir, 'backup', file);
      // it is whole where the kill comes too late
      expect({ code, exists: existsSync(file) }).toEqual({ code, exists: code === 0 });
      killed += code === null ? 1 : 0;
      for (const left of readdirSync(place)) rmSync(join(place, left));
    }
    expect(killed).toBeGreaterThan(0);
    const file = join(place, 'whole');
    expect(await hsmKms('backup', file, '--data-dir', service.dataDir)).toMatchObject({ code: 0 });
    expect(readdirSync(place)).toEqual(['whole']);
  });

  test('there is no half database: the restoration can be made again', async () => {
    for (const milliseconds of [0, 120]) {
      const dataDir = besideCopiedToken(service, directory);
      // written before the database is
      const code = await killedAfter(dataDir, /^credentials$/, milliseconds, dataDir, 'restore', archive);
      expect(code).toBeNull();
      const again = await hsmKms('restore', archive, '--data-dir', dataDir);
      expect(again).toMatchObject({ code: 0 });
      const [found] = testedDatabase.query<{ n: number }>(dataDir, 'select count(*) as n from tags', []);
      expect(Number(found?.n)).toBe(rows);
    }
  });
});
