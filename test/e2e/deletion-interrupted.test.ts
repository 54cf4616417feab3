import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sql, tokenObjects } from '../service/database.js';
import { Service } from '../service/service.js';
import { until } from '../service/within.js';

const deleted = 40;
/** When the worker is killed, in milliseconds after the key deletions have begun. */
const delays = [0, 5, 15, 40];

let service: Service;
beforeAll(async () => {
  service = await Service.start({ flags: ['--schedule-milliseconds', '20'] });
});
afterAll(() => service.end());

const keysLeft = () => sql<{ id: string }>(service, 'select id from keys').length;

test('kill -9 while keys are deleted leaves keys that are still due, and in the end neither rows nor objects', async () => {
  const { KeyId: kept } = await service.newKey();
  const objects = tokenObjects(service);
  const { CiphertextBlob } = await service.kms.encrypt({ KeyId: kept, Plaintext: Buffer.from('kept') });
  for (let i = 0; i < deleted; i++) {
    const { KeyId } = await service.newKey(i % 4 === 0 ? { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' } : {});
    await service.kms.createAlias({ AliasName: `alias/${i}`, TargetKeyId: KeyId });
    await service.kms.scheduleKeyDeletion({ KeyId, PendingWindowInDays: 7 });
  }
  sql(service, `update keys set deletion_at = ? where state = 'PendingDeletion'`, Date.now() - 1);
  let kills = 0;
  for (const delay of delays) {
    const before = tokenObjects(service);
    while (keysLeft() > 1 && tokenObjects(service) === before) await wait(1);
    if (keysLeft() === 1) break;
    await wait(delay);
    for (const worker of service.workers) process.kill(worker, 'SIGKILL');
    await service.kill();
    kills += 1;
    // the lease of a worker that was killed ends by itself, after a minute
    sql(service, 'delete from leases');
    await service.serve();
  }
  // who is slower than the service comes too late for the others
  expect(kills).toBeGreaterThan(0);
  await until('all are deleted', () => keysLeft() === 1);
  expect(tokenObjects(service)).toBe(objects);
  expect((await service.kms.listKeys({})).Keys).toEqual([expect.objectContaining({ KeyId: kept })]);
  expect((await service.kms.listAliases({})).Aliases).toEqual([]);
  await service.kms.decrypt({ CiphertextBlob });
});
