import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { tokenObjects } from '../service/database.js';
import { refusalName } from '../service/refusal.js';
import { Service } from '../service/service.js';

let service: Service;
beforeAll(async () => {
  service = await Service.start({ flags: ['--keys-per-account', '2', '--aliases-per-key', '1'] });
});
afterAll(() => service?.end());

test('no more keys and aliases than the settings say, and nothing is left of what was refused', async () => {
  const { KeyId } = await service.newKey();
  await service.newKey();
  const objects = tokenObjects(service);
  expect(await refusalName(service.kms.createKey({}))).toBe('LimitExceededException');
  expect(await refusalName(service.kms.createKey({ Origin: 'EXTERNAL' }))).toBe('LimitExceededException');
  expect(tokenObjects(service)).toBe(objects);
  expect((await service.kms.listKeys({})).Keys).toHaveLength(2);

  await service.kms.createAlias({ AliasName: 'alias/one', TargetKeyId: KeyId });
  const second = service.kms.createAlias({ AliasName: 'alias/two', TargetKeyId: KeyId });
  expect(await refusalName(second)).toBe('LimitExceededException');
});

test('keys made at the same time do not exceed the quota together', async () => {
  const other = await Service.start({ flags: ['--keys-per-account', '3'], workers: 2 });
  try {
    const attempts = Array.from({ length: 8 }, () => other.kms.createKey({}));
    const outcomes = await Promise.allSettled(attempts);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    expect((await other.kms.listKeys({})).Keys).toHaveLength(3);
  } finally {
    await other.end();
  }
});
