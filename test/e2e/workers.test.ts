import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sql, tokenObjects } from '../service/database.js';
import { logInOftenToOwnToken } from '../service/further-token.js';
import { refusalName } from '../service/refusal.js';
import { Service } from '../service/service.js';
import { until } from '../service/within.js';

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
  for (const KeyId of ids) await one.scheduleKeyDeletion({ KeyId });
  sql(service, 'update keys set deletion_at = ? where deletion_at is not null', Date.now() - 1);
  const pending = () => sql(service, `select id from keys where state = 'PendingDeletion'`);
  await until('they are deleted', () => pending().length === 0);
  expect(tokenObjects(service)).toBe(objects);
});

test('while other processes log in, the service tells wrong ciphertexts from an ill token, and starts', async () => {
  const { KeyId } = await service.newKey();
  const { CiphertextBlob } = await service.kms.encrypt({ KeyId, Plaintext: Buffer.from('x') });
  const wrong = Buffer.from(CiphertextBlob ?? []);
  wrong.writeUInt8(wrong.readUInt8(wrong.length - 1) ^ 1, wrong.length - 1);
  const logins = logInOftenToOwnToken(service.dataDir, 3_000);
  const names = new Set<string | undefined>();
  const sent: Promise<void>[] = [];
  for (let index = 0; index < 600; index++) {
    sent.push(refusalName(service.kms.decrypt({ CiphertextBlob: wrong })).then((name) => void names.add(name)));
    if (sent.length % 50 === 0) await Promise.all(sent);
  }
  expect([...names]).toEqual(['InvalidCiphertextException']);
  await service.restart();
  await service.kms.decrypt({ CiphertextBlob });
  await service.newKey();
  expect(await logins).toBeGreaterThan(10);
});
