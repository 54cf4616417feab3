import { expect, test } from '@jest/globals';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import type { RequestQuota } from '../../src/config/request-quotas.js';
import type { OperationName } from '../../src/contract/operation-types.js';
import type { Operation } from '../../src/operations/operation.js';
import type { RequestCounter } from '../../src/operations/quota-lease.js';
import { RequestQuotas } from '../../src/operations/request-quotas.js';

const accountId = '000000000000';
const user = (name: string) => ({ arn: `arn:aws:iam::${accountId}:user/${name}`, accountId });
const session = (role: string, name: string) => ({
  arn: `arn:aws:sts::${accountId}:assumed-role/${role}/${name}`,
  roleArn: `arn:aws:iam::${accountId}:role/${role}`,
  accountId,
});
const [alice, bob] = [user('alice'), user('bob')];

/** A day is longer than any test: what passes is a number, however slow the machine is. */
const quota = (members: Partial<RequestQuota>): RequestQuota => ({
  ...{ operations: ['*'], per: 'principal', requests: 10, seconds: 86_400 },
  ...members,
});

/** As many workers as one supervisor counts for. */
function workersWith(count: number, ...quotas: RequestQuota[]): RequestQuotas[] {
  const limiters = quotas.map(
    ({ requests, seconds }) => new RateLimiterMemory({ points: requests, duration: seconds }),
  );
  const counterOf = (_quota: RequestQuota, index: number): RequestCounter => ({
    async count(subject, asked) {
      await new Promise(setImmediate);
      const { consumedPoints, msBeforeNext } = await limiters[index]!.penalty(subject, asked);
      return { counted: consumedPoints, remainingMilliseconds: msBeforeNext };
    },
  });
  return Array.from({ length: count }, () => new RequestQuotas(quotas, counterOf, count));
}

const workerWith = (...quotas: RequestQuota[]) => workersWith(1, ...quotas)[0] as RequestQuotas;

/** How many of some attempts pass; all others are refused in KMS's words. */
async function passing(attempts: number, attempt: (index: number) => Promise<void>): Promise<number> {
  const outcomes = await Promise.allSettled(Array.from({ length: attempts }, (_, index) => attempt(index)));
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') {
      expect(outcome.reason).toMatchObject({ name: 'ThrottlingException', status: 400 });
    }
  }
  return outcomes.filter(({ status }) => status === 'fulfilled').length;
}

test.each([1, 9, 10, 11, 100, 997])(
  'a quota of %d is one for all workers together, to the last request',
  async (requests) => {
    const workers = workersWith(3, quota({ requests }));
    expect(await passing(3 * requests + 30, (index) => workers[index % 3]!.admit('Encrypt', alice))).toBe(requests);
    expect(await passing(3, (index) => workers[index]!.admit('Encrypt', alice))).toBe(0);
  },
);

test('a worker that seldom has requests keeps no more than its part of a tenth from the others', async () => {
  const [idle, busy] = workersWith(2, quota({ requests: 1_000 })) as [RequestQuotas, RequestQuotas];
  await idle.admit('Encrypt', alice);
  expect(await passing(1_500, () => busy.admit('Encrypt', alice))).toBe(950);
  expect(await passing(100, () => idle.admit('Encrypt', alice))).toBe(49);
});

test('in a new interval there is a new quota', async () => {
  const worker = workerWith(quota({ requests: 3, seconds: 1 }));
  const startedAt = Date.now();
  let passed = 0;
  while (passed <= 6 && Date.now() - startedAt < 30_000) {
    passed += await passing(10, () => worker.admit('Encrypt', alice));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const intervals = Math.floor((Date.now() - startedAt) / 1000) + 1;
  expect(passed).toBeGreaterThan(6);
  expect(passed).toBeLessThanOrEqual(3 * intervals);
});

test('operations of one quota share it; others have none', async () => {
  const worker = workerWith(
    quota({ operations: ['Encrypt', 'Decrypt'] }),
    quota({ operations: ['Sign'], requests: 2 }),
  );
  const operations: OperationName[] = ['Encrypt', 'Decrypt'];
  expect(await passing(40, (index) => worker.admit(operations[index % 2]!, alice))).toBe(10);
  expect(await passing(40, () => worker.admit('Sign', alice))).toBe(2);
  expect(await passing(40, () => worker.admit('Verify', alice))).toBe(40);
});

test('principals do not disturb each other; an account shares', async () => {
  const principals = [alice, bob, session('app', 'one')];
  const own = workerWith(quota({}));
  for (const principal of principals) expect(await passing(20, () => own.admit('Sign', principal))).toBe(10);
  const shared = workerWith(quota({ per: 'account' }));
  expect(await passing(30, (index) => shared.admit('Sign', principals[index % 3]!))).toBe(10);
  expect(await passing(5, () => shared.admit('Sign', { ...alice, accountId: '111111111111' }))).toBe(5);
});

test('sessions of a role share its quota, whatever they are called', async () => {
  const worker = workerWith(quota({}));
  expect(await passing(30, (index) => worker.admit('Sign', session('app', `s${index}`)))).toBe(10);
  expect(await passing(5, () => worker.admit('Sign', session('other', 's0')))).toBe(5);
});

test('a quota for some principals is for no others', async () => {
  const { roleArn } = session('batch', '');
  const worker = workerWith(quota({ principals: [roleArn, 'arn:aws:iam::*:user/b*'], per: 'account' }));
  expect(await passing(30, () => worker.admit('Sign', alice))).toBe(30);
  const limited = [bob, session('batch', 'x'), user('bertha')];
  expect(await passing(30, (index) => worker.admit('Sign', limited[index % 3]!))).toBe(10);
});

test('a request that one quota refuses counts towards none', async () => {
  const worker = workerWith(quota({ per: 'account', requests: 8 }), quota({ requests: 5 }));
  expect(await passing(50, () => worker.admit('Sign', alice))).toBe(5);
  expect(await passing(50, () => worker.admit('Sign', bob))).toBe(3);
});

test('where nobody counts, nothing passes', async () => {
  const broken = { count: () => Promise.reject(new Error('gone')) };
  const worker = new RequestQuotas([quota({ operations: ['Sign'] })], () => broken, 1);
  expect(await passing(3, () => worker.admit('Sign', alice))).toBe(0);
  await worker.admit('Verify', alice);
});

interface Use {
  readonly operation: OperationName;
  readonly input?: object;
  /** The specs of the request's keys, and the stores of those that are in one. */
  readonly keys?: readonly (readonly [spec: string, customKeyStoreId?: string])[];
}

const use = (worker: RequestQuotas, { operation, input = {}, keys = [] }: Use) =>
  worker.admitWithKeys(
    { name: operation, keys: keys.map((_, index) => ({ slot: `key${index}` })) } as unknown as Operation,
    alice,
    input,
    Object.fromEntries(keys.map(([spec, customKeyStoreId], index) => [`key${index}`, { spec, customKeyStoreId }])),
  );

const symmetric = quota({ keySpecs: ['SYMMETRIC_DEFAULT', 'HMAC_*'] });
const rsa = quota({ keySpecs: ['RSA_*'] });
const perStore = quota({ per: 'keyStore' });

test.each<[string, RequestQuota, Use, number]>([
  ['a symmetric key', symmetric, { operation: 'Encrypt', keys: [['SYMMETRIC_DEFAULT']] }, 10],
  ['an HMAC key', symmetric, { operation: 'GenerateMac', keys: [['HMAC_384']] }, 10],
  ['an RSA key and a quota for symmetric ones', symmetric, { operation: 'Encrypt', keys: [['RSA_2048']] }, 20],
  ['an RSA key', rsa, { operation: 'Encrypt', keys: [['RSA_4096']] }, 10],
  ['two keys, of which one fits', rsa, { operation: 'ReEncrypt', keys: [['SYMMETRIC_DEFAULT'], ['RSA_2048']] }, 10],
  ['two keys that fit', rsa, { operation: 'ReEncrypt', keys: [['RSA_2048'], ['RSA_3072']] }, 10],
  ['no key', symmetric, { operation: 'ListKeys' }, 20],
  ['random bytes, as symmetric keys', symmetric, { operation: 'GenerateRandom' }, 10],
  ['random bytes, not as RSA keys', rsa, { operation: 'GenerateRandom' }, 20],
  [
    'a data key pair by its own spec',
    rsa,
    { operation: 'GenerateDataKeyPair', input: { KeyPairSpec: 'RSA_2048' }, keys: [['SYMMETRIC_DEFAULT']] },
    10,
  ],
  [
    'a data key pair, not by the spec of the key that encrypts it',
    symmetric,
    {
      operation: 'GenerateDataKeyPairWithoutPlaintext',
      input: { KeyPairSpec: 'RSA_2048' },
      keys: [['SYMMETRIC_DEFAULT']],
    },
    20,
  ],
  ['a key to be made', rsa, { operation: 'CreateKey', input: { KeySpec: 'RSA_2048' } }, 10],
  ['a key to be made, of the default spec', symmetric, { operation: 'CreateKey' }, 10],
  ['a key store', perStore, { operation: 'Encrypt', keys: [['SYMMETRIC_DEFAULT', 'cks-1']] }, 10],
  ['a key in no key store', perStore, { operation: 'Encrypt', keys: [['SYMMETRIC_DEFAULT']] }, 20],
  [
    'a data key pair under a key in a key store',
    perStore,
    { operation: 'GenerateDataKeyPair', input: { KeyPairSpec: 'RSA_2048' }, keys: [['SYMMETRIC_DEFAULT', 'cks-1']] },
    10,
  ],
])('what counts: %s', async (_what, declared, request, passes) => {
  const worker = workerWith(declared);
  expect(await passing(20, () => use(worker, request))).toBe(passes);
});

test('each key store has a quota for itself, which all share', async () => {
  const worker = workerWith(perStore);
  const between: Use = {
    operation: 'ReEncrypt',
    keys: ['cks-1', 'cks-2'].map((store) => ['SYMMETRIC_DEFAULT', store]),
  };
  const inSecond: Use = { operation: 'Encrypt', keys: [['SYMMETRIC_DEFAULT', 'cks-2']] };
  expect(await passing(4, () => use(worker, inSecond))).toBe(4);
  expect(await passing(20, () => use(worker, between))).toBe(6);
  expect(await passing(20, () => use(worker, { operation: 'Encrypt', keys: [['SYMMETRIC_DEFAULT', 'cks-1']] }))).toBe(
    4,
  );
});

test('quotas that need keys are left alone before they are known, and the others afterwards', async () => {
  const worker = workerWith(rsa, perStore, quota({}));
  expect(await passing(20, () => worker.admit('Sign', alice))).toBe(10);
  expect(await passing(20, () => use(worker, { operation: 'Sign', keys: [['RSA_2048', 'cks-1']] }))).toBe(10);
});
