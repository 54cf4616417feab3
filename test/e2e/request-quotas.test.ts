import { KMS } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { newUser } from '../service/identities.js';
import { type Refusal, refusal, refusalName } from '../service/refusal.js';
import { type Credentials, hsmKms, Service } from '../service/service.js';
import { patience, until } from '../service/within.js';

const throttled: Refusal = {
  name: 'ThrottlingException',
  message: 'You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.',
};

/** Longer than the test: what passes is a number, however slow the machine is. */
const day = { seconds: 86_400 };
const quotas = [
  { operations: ['GenerateRandom'], per: 'principal', requests: 40, ...day },
  { operations: ['GenerateRandom'], per: 'account', requests: 100, ...day },
  { operations: ['ListKeys'], per: 'principal', requests: 7, ...day },
  { operations: ['DescribeKey'], per: 'principal', requests: 3, ...day },
  { operations: ['ListAliases'], per: 'account', requests: 4, seconds: 1 },
  { operations: ['ListRetirableGrants'], per: 'account', requests: 2, seconds: 1 },
  { operations: ['Sign', 'Verify'], keySpecs: ['ECC_*'], per: 'account', requests: 2, ...day },
  { operations: ['ListKeyPolicies'], per: 'principal', requests: 19, seconds: 1 },
  { operations: ['ListGrants'], per: 'principal', requests: 2, ...day },
];

let service: Service;
let alice: Credentials;
let bob: Credentials;
beforeAll(async () => {
  service = await Service.start({ workers: 2, flags: ['--request-quotas', JSON.stringify(quotas)] });
  alice = await newUser(service, 'alice', {});
  bob = await newUser(service, 'bob', {});
});
afterAll(() => service?.end());

/** How many of many requests over connections of their own pass; all others are throttled. */
async function passing(attempts: number, clients: readonly KMS[], request: (kms: KMS) => Promise<unknown>) {
  const sent = Array.from({ length: attempts }, (_, index) => request(clients[index % clients.length] as KMS));
  const outcomes = await Promise.allSettled(sent);
  const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
  for (const { name, message, $metadata } of refused) {
    expect({ name, message }).toEqual(throttled);
    expect($metadata.httpStatusCode).toBe(400);
  }
  return attempts - refused.length;
}

const clientsOf = (credentials: Credentials, count = 8) =>
  Array.from({ length: count }, () => service.newClient(credentials));

test('a quota holds for both workers together, and principals do not disturb each other', async () => {
  const random = (kms: KMS) => kms.generateRandom({ NumberOfBytes: 16 });
  const [ofAlice, ofBob] = [clientsOf(alice), clientsOf(bob)];
  const [first, other] = await Promise.all([passing(200, ofAlice, random), passing(200, ofBob, random)]);
  // a block of two may be at the worker that is not asked any more
  for (const passed of [first, other]) {
    expect(passed).toBeLessThanOrEqual(40);
    expect(passed).toBeGreaterThanOrEqual(38);
  }
  // what was refused has not been counted for the account; of that, a block is five
  const rest = 100 - first - other;
  const third = await passing(60, clientsOf(service.credentials, 4), random);
  expect(third).toBeLessThanOrEqual(rest);
  expect(third).toBeGreaterThanOrEqual(rest - 5);
});

test('a small quota is exact over many connections; an operation of another name is not concerned', async () => {
  expect(await passing(60, clientsOf(alice), (kms) => kms.listKeys({}))).toBe(7);
  expect(await passing(10, clientsOf(bob, 2), (kms) => kms.listKeys({}))).toBe(7);
  expect(await passing(30, clientsOf(alice), (kms) => kms.describeCustomKeyStores({}))).toBe(30);
});

test('within any time no more pass than its intervals allow, and every interval lets some pass', async () => {
  const clients = clientsOf(alice, 4);
  const startedAt = Date.now();
  let passed = 0;
  while (passed <= 8 && Date.now() - startedAt < patience) {
    passed += await passing(12, clients, (kms) => kms.listAliases({}));
  }
  const intervals = Math.floor((Date.now() - startedAt) / 1000) + 1;
  expect(passed).toBeGreaterThan(8);
  expect(passed).toBeLessThanOrEqual(4 * intervals);
});

test('denied and invalid requests count, unauthenticated ones do not', async () => {
  const nobody = await newUser(service, 'nobody');
  const [kms, stranger] = [
    service.newClient(nobody),
    service.newClient({ ...nobody, secretAccessKey: 'not-the-secret-of-nobody' }),
  ];
  const KeyId = '11111111-1111-1111-1111-111111111111';
  for (let attempt = 0; attempt < 5; attempt++) {
    expect(await refusalName(stranger.describeKey({ KeyId }))).toBe('InvalidSignatureException');
  }
  expect(await refusalName(kms.describeKey({ KeyId }))).toBe('AccessDeniedException');
  expect(await refusalName(kms.describeKey({ KeyId: '' }))).toBe('ValidationException');
  expect(await refusalName(kms.describeKey({ KeyId }))).toBe('AccessDeniedException');
  expect(await refusal(kms.describeKey({ KeyId }))).toEqual(throttled);
  expect(await refusal(kms.describeKey({ KeyId: '' }))).toEqual(throttled);
});

test('a quota for key specs counts the use of such keys, by those who may use them', async () => {
  const nobody = service.newClient(await newUser(service, 'nobody-else'));
  const sign = (kms: KMS, KeyId: string, SigningAlgorithm: 'ECDSA_SHA_256' | 'RSASSA_PSS_SHA_256') =>
    kms.sign({ KeyId, Message: Buffer.from('x'), SigningAlgorithm });
  const ecc = (await service.newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' })).Arn;
  const rsa = (await service.newKey({ KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' })).Arn;
  for (let attempt = 0; attempt < 4; attempt++) {
    expect(await refusalName(sign(nobody, ecc, 'ECDSA_SHA_256'))).toBe('AccessDeniedException');
  }
  expect(await passing(4, clientsOf(alice, 2), (kms) => sign(kms, ecc, 'ECDSA_SHA_256'))).toBe(2);
  expect(await refusal(sign(service.newClient(bob), ecc, 'ECDSA_SHA_256'))).toEqual(throttled);
  expect(await refusalName(sign(nobody, ecc, 'ECDSA_SHA_256'))).toBe('AccessDeniedException');
  expect(await passing(4, clientsOf(alice, 2), (kms) => sign(kms, rsa, 'RSASSA_PSS_SHA_256'))).toBe(4);
});

test("an SDK's own retries succeed in the next interval", async () => {
  const kms = new KMS({ endpoint: service.url, region: 'us-east-1', credentials: alice, maxAttempts: 20 });
  try {
    const RetiringPrincipal = 'arn:aws:iam::000000000000:user/alice';
    const answers = await Promise.all(Array.from({ length: 8 }, () => kms.listRetirableGrants({ RetiringPrincipal })));
    const retries = answers.reduce((sum, { $metadata }) => sum + (($metadata.attempts as number) - 1), 0);
    expect(retries).toBeGreaterThan(0);
    // the log comes later than the answers, perhaps
    const refused = () => service.stderr.match(/^.*ListRetirableGrants.*ThrottlingException.*$/gm) ?? [];
    await until('all refusals are logged', () => refused().length === retries);
  } finally {
    kms.destroy();
  }
});

test('the supervisor outlives workers that end while it counts for them; what was counted stays counted', async () => {
  const { KeyId } = await service.newKey();
  const listGrants = (kms: KMS) => kms.listGrants({ KeyId });
  expect(await passing(2, clientsOf(bob, 2), listGrants)).toBe(2);
  const clients = clientsOf(bob, 4);
  const listKeyPolicies = (kms: KMS) => kms.listKeyPolicies({ KeyId });
  for (const kms of clients) await listKeyPolicies(kms);
  const before = service.workers;
  // it finds their questions when they are gone
  process.kill(service.supervisor, 'SIGSTOP');
  const asked = Promise.allSettled(clients.map(listKeyPolicies));
  await shortly(500);
  for (const worker of before) process.kill(worker, 'SIGKILL');
  await asked;
  process.kill(service.supervisor, 'SIGCONT');
  while (service.workers.length < 2 || service.workers.some((worker) => before.includes(worker))) await shortly();
  // a connection that was handed to a worker that ended may stay open, and without an answer
  const answered = () => fetch(`${service.url}/healthz`, { signal: AbortSignal.timeout(5_000) });
  while ((await answered().catch(() => undefined)) === undefined) await shortly();
  expect(await passing(6, clientsOf(bob, 3), listGrants)).toBe(0);
});

const shortly = (milliseconds = 50) => new Promise((resolve) => setTimeout(resolve, milliseconds));

test('there is no quota unless a setting says so', async () => {
  const without = await Service.start();
  try {
    expect((await hsmKms('config')).output).toMatch(/^requestQuotas: \[\] +# default$/m);
    const sent = Array.from({ length: 300 }, () => without.kms.listKeys({}));
    expect(await Promise.all(sent)).toHaveLength(300);
  } finally {
    await without.end();
  }
});

test("AWS's quotas by one word", async () => {
  const as = await Service.start({ workers: 2, flags: ['--request-quotas', 'aws'] });
  try {
    const startedAt = Date.now();
    const outcomes = await Promise.allSettled(Array.from({ length: 60 }, () => as.kms.describeCustomKeyStores({})));
    const passed = outcomes.filter(({ status }) => status === 'fulfilled').length;
    expect(passed).toBeGreaterThanOrEqual(5);
    expect(passed).toBeLessThanOrEqual(5 * (Math.floor((Date.now() - startedAt) / 1000) + 1));
    const { KeyId } = await as.newKey();
    const { CiphertextBlob } = await as.kms.encrypt({ KeyId, Plaintext: Buffer.from('x') });
    expect((await as.kms.decrypt({ CiphertextBlob })).Plaintext).toEqual(new Uint8Array(Buffer.from('x')));
  } finally {
    await as.end();
  }
});

test.each([
  [
    'an unknown operation',
    [{ operations: ['Encrypted'], per: 'account', requests: 1 }],
    'KMS has no operation "Encrypted"',
  ],
  ['no number of requests', [{ operations: ['Encrypt'], per: 'account' }], 'requests is a whole number'],
  ['a single quota', { operations: ['Encrypt'], per: 'account', requests: 1 }, 'is neither aws nor a list'],
])('%s is refused at the start, in a sentence', async (_what, setting, message) => {
  const { code, output } = await hsmKms(
    'serve',
    '--data-dir',
    service.dataDir,
    '--request-quotas',
    JSON.stringify(setting),
  );
  expect(code).toBe(1);
  expect(output).toContain('--request-quotas: ');
  expect(output).toContain(message);
  expect(output).not.toMatch(/\n\s+at /);
});
