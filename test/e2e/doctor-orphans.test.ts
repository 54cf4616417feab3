import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sql } from '../service/database.js';
import { doctor } from '../service/doctor.js';
import { freePort } from '../service/free-port.mjs';
import { destroyObjects, makeObjects, ownKeyLabels } from '../service/further-token.js';
import { Service } from '../service/service.js';

let service: Service;
let port: number;
beforeAll(async () => {
  port = await freePort();
  service = await Service.start({ port, workers: 2 });
});
afterAll(() => service?.end());

const Plaintext = Buffer.from('still mine');
/** What a CKA_ID of the service looks like. */
const anyId = () => randomBytes(32).toString('hex');
const look = (...flags: string[]) => doctor(service.dataDir, ['--port', `${port}`, ...flags]);
/** Nobody makes keys: there is nothing to wait for. */
const lookStopped = (...flags: string[]) => look('--stopped', '--settle', '0', ...flags);

/** Keys that a crash left without a row: a symmetric one, a pair, and material of a rotation. @returns their labels */
async function leaveOrphans(): Promise<string[]> {
  const { KeyId: secret } = await service.newKey();
  const { KeyId: pair } = await service.newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
  const { KeyId: rotated } = await service.newKey();
  await service.stop();
  sql(service, 'delete from key_materials where key_id in (?, ?)', secret, pair);
  sql(service, 'delete from keys where id in (?, ?)', secret, pair);
  await makeObjects(service.dataDir, { [rotated]: anyId() });
  return [secret, pair, rotated];
}

/** Objects of others in the same token, which look like the service's own in one thing each. @returns their labels */
async function objectsOfOthers(): Promise<string[]> {
  const labels = ['payroll', randomUUID(), `import ${randomUUID()}`, 'hsm-kms of tomorrow', `${randomUUID()} (old)`];
  const ids = [anyId(), '01', 'aabb', anyId(), anyId()];
  await makeObjects(service.dataDir, Object.fromEntries(labels.map((label, index) => [label, ids[index]!])));
  return labels;
}

describe('beside a service that makes keys', () => {
  test('none that is being made is taken for one that a crash left', async () => {
    await makeObjects(service.dataDir, { [randomUUID()]: anyId() });
    let running = true;
    const made: string[] = [];
    const making = [1, 2, 3].map(async () => {
      while (running) made.push((await service.newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' })).KeyId);
    });
    while (made.length < 5) await new Promise((resolve) => setTimeout(resolve, 20));
    const before = made.length;
    const { code, bad } = await look('--settle', '8', '--repair');
    const during = made.length - before;
    running = false;
    await Promise.all(making);
    expect(during).toBeGreaterThan(2);
    expect({ code, bad }).toMatchObject({
      code: 0,
      bad: [{ what: expect.stringMatching(/has 1 objects that no row/) }],
    });
    for (const KeyId of made) {
      await service.kms.sign({ KeyId, Message: Plaintext, SigningAlgorithm: 'ECDSA_SHA_256' });
    }
    expect((await look()).findings.find(({ check }) => check === 'service')?.what).toMatch(/^A service runs: .+ready$/);
  });

  test('is not found on another port, and it says how it is', async () => {
    const { findings } = await look('--port', `${await freePort()}`);
    expect(findings.find(({ check }) => check === 'service')).toMatchObject({
      severity: 'error',
      what: expect.stringMatching(/is not ready: .+ECONNREFUSED/),
      toDo: expect.stringContaining('--port'),
    });
  });
});

describe('objects without a row', () => {
  test('are found, and destroyed by --repair: those of a key that lives are kept, and those of others', async () => {
    const { KeyId } = await service.newKey();
    const { CiphertextBlob } = await service.kms.encrypt({ KeyId, Plaintext });
    const [secret, , rotated] = await leaveOrphans();
    const others = await objectsOfOthers();

    const { code, bad } = await lookStopped();
    expect({ code, bad }).toMatchObject({
      code: 1,
      bad: [
        { check: 'keys and objects', severity: 'warning', what: expect.stringMatching(/has 4 objects that no row/) },
      ],
    });
    expect(bad[0]?.toDo).toMatch(/^hsm-kms doctor --repair/);
    // of more keys than crashes leave: the database may be old
    const limited = await lookStopped('--repair', '--most-orphans', '2');
    expect(limited).toMatchObject({
      code: 1,
      bad: [{ what: expect.stringMatching(/of more keys \(3\) than crashes leave/) }],
    });
    expect(limited.bad[0]?.toDo).toMatch(/--most-orphans 3$/);
    expect(await ownKeyLabels(service.dataDir)).toEqual(expect.arrayContaining([secret, rotated]));
    const repaired = await lookStopped('--repair', '--most-orphans', '3');
    expect(repaired).toMatchObject({ code: 0, bad: [{ check: 'keys and objects' }] });
    expect(repaired.bad[0]?.done).toHaveLength(4);
    expect(await lookStopped('--repair')).toMatchObject({ code: 0, bad: [] });

    const left = await ownKeyLabels(service.dataDir);
    expect(left.filter((label) => others.includes(label)).sort()).toEqual([...others].sort());
    await service.serve();
    const decrypted = await service.kms.decrypt({ CiphertextBlob });
    expect(Buffer.from(decrypted.Plaintext!)).toEqual(Plaintext);
    const { KeyId: id } = await service.kms.encrypt({ KeyId: rotated!, Plaintext });
    expect(id).toContain(rotated);
    expect((await look()).bad).toEqual([]);
  });

  test('are left alone while keys are missing: token and database are not of one time', async () => {
    const { KeyId } = await service.newKey();
    const [secret] = await leaveOrphans();
    expect(await destroyObjects(service.dataDir, KeyId)).toBe(1);
    const { code, bad } = await lookStopped('--repair');
    expect(code).toBe(2);
    expect(bad.map(({ what }) => what)).toEqual([
      expect.stringMatching(`does not have the key material of these keys: ${KeyId}`),
      expect.stringMatching(/left alone, as keys of the database are not in the token/),
    ]);
    expect(await ownKeyLabels(service.dataDir)).toContain(secret);
  });
});
