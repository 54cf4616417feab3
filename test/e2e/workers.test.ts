import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sql, tokenObjects } from '../service/database.js';
import { Service } from '../service/service.js';

let service: Service;
beforeAll(async () => {
  service = await Service.start({ workers: 2, flags: ['--schedule-milliseconds', '25'] });
});
afterAll(() => service.end());

/** Clients on connections of their own, which the supervisor hands to its workers in turn. */
const clients = () => [service.newClient(), service.newClient()] as const;

test('a key that one worker made is there for the other, which has made one since', async () => {
  const [one, other] = clients();
  const makers = [one, other, one, one, other, other];
  const ids: string[] = [];
  for (const maker of makers) ids.push((await maker.createKey({})).KeyMetadata?.KeyId as string);
  for (const KeyId of ids) {
    const Plaintext = Buffer.from(KeyId);
    const { CiphertextBlob } = await one.encrypt({ KeyId, Plaintext });
    for (const reader of [one, other]) {
      const decrypted = await reader.decrypt({ CiphertextBlob });
      expect(Buffer.from(decrypted.Plaintext ?? [])).toEqual(Plaintext);
    }
  }
});

test('a key is deleted with its objects by whichever worker finds it due', async () => {
  const [one, other] = clients();
  const objects = tokenObjects(service);
  const ids: string[] = [];
  for (const maker of [one, other, one, other]) {
    const { KeyMetadata } = await maker.createKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
    ids.push(KeyMetadata?.KeyId as string);
  }
  expect(tokenObjects(service)).toBe(objects + 2 * ids.length);
  for (const KeyId of ids) {
    await one.scheduleKeyDeletion({ KeyId });
    sql(service, 'update keys set deletion_at = ? where id = ?', Date.now() - 1, KeyId);
  }
  const end = Date.now() + 10_000;
  while (sql(service, `select id from keys where state = 'PendingDeletion'`).length > 0 && Date.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(tokenObjects(service)).toBe(objects);
});
