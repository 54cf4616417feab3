import { DecryptCommand } from '@aws-sdk/client-kms';
import { bestOf } from './rounds.mjs';

/**
 * What requests cost in a service with that many keys, in token and database.
 *
 * @typedef {object} KeyGrowthRow
 * @property {number} keys
 * @property {string} operation
 * @property {'one key' | 'all keys'} over which key the requests name
 * @property {number} differentKeys how many keys that is: half of them are symmetric
 * @property {number} cpu microseconds of the service per request
 * @property {number} tokenMicroseconds of that, in functions of the token's module
 * @property {number} requestsPerSecond
 */

/** @typedef {Pick<KeyGrowthRow, 'keys' | 'operation' | 'over' | 'differentKeys'>} Described */

/**
 * How long the first request for a key takes, one after the other, in milliseconds.
 *
 * @typedef {object} FirstUse
 * @property {number} keys
 * @property {string} operation
 * @property {'made by this worker' | 'after a restart'} when
 * @property {number} firsts how many keys were used for the first time
 * @property {number} mean
 * @property {number} most
 * @property {number} again the mean of the same requests the second time
 */

/**
 * @typedef {object} KeyGrowth
 * @property {{ keys: number, seconds: number }[]} fills how long CreateKey took to make them
 * @property {{ keys: number, seconds: number }[]} starts how long a restart took until the service listened
 * @property {KeyGrowthRow[]} rows
 * @property {FirstUse[]} firstUses
 */

/** @typedef {{ service: import('./service-under-test.mjs').ServiceUnderTest, keys: number, secret: string[], signing: string[] }} Filled */

const keysAtOnce = 500;
/** Services differ from start to start by what is looked for, so each is started anew; the best counts. */
const startsOfEach = 3;
/** Measurements after each start. */
const leastRounds = 2;
const firstsAfterRestart = 24;
/** Of each key before anything is measured: a secret key is one that is used often then (session-copies.ts). */
const earlierUses = { secret: 20, signing: 2 };

/** @type {import('@aws-sdk/client-kms').CreateKeyCommandInput} */
const secretKey = { KeySpec: 'SYMMETRIC_DEFAULT', KeyUsage: 'ENCRYPT_DECRYPT' };
/** @type {import('@aws-sdk/client-kms').CreateKeyCommandInput} */
const signingKey = { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' };

const Plaintext = Buffer.alloc(32, 7);
const encryptInput = (/** @type {string} */ KeyId) => ({ KeyId, Plaintext });
const signInput = (/** @type {string} */ KeyId) => ({
  KeyId,
  Message: Plaintext,
  MessageType: 'RAW',
  SigningAlgorithm: 'ECDSA_SHA_256',
});

const secretKeys = { keys: (/** @type {Filled} */ { secret }) => secret, uses: earlierUses.secret };
const signingKeys = { keys: (/** @type {Filled} */ { signing }) => signing, uses: earlierUses.signing };

/**
 * The operations that are measured: the keys that they use, how often each is used before, and their requests.
 *
 * @type {readonly { operation: string, uses: number, keys: (filled: Filled) => string[], inputs: (filled: Filled, keys: string[]) => Promise<object[]> }[]}
 */
const measured = [
  { operation: 'Encrypt', ...secretKeys, inputs: async (_, keys) => keys.map(encryptInput) },
  { operation: 'Decrypt', ...secretKeys, inputs: ciphertexts },
  { operation: 'Sign', ...signingKeys, inputs: async (_, keys) => keys.map(signInput) },
  { operation: 'DescribeKey', ...signingKeys, inputs: async (_, keys) => keys.map((KeyId) => ({ KeyId })) },
];

/**
 * Services with different numbers of keys run side by side, and one of them works at a time: what is compared is
 * measured within seconds. They have one worker, which has made all its keys; then one that was started with them.
 *
 * @type {import('./parts.mjs').Part}
 */
export async function measureKeyGrowth({ options, keep, progress, start }) {
  const { clients, seconds, warmUpSeconds } = options;
  /** @type {KeyGrowth} */
  const { fills, starts, rows, firstUses } = keep({ fills: [], starts: [], rows: [], firstUses: [] });
  /** @type {Filled[]} */
  const filled = [];
  for (const keys of options.keyCounts) {
    const startedAt = performance.now();
    const one = { service: await start(1), keys, secret: [], signing: [] };
    await fill(one, (made) => progress(`${made.toLocaleString('en')} of ${keys.toLocaleString('en')} keys made`));
    fills.push({ keys, seconds: (performance.now() - startedAt) / 1000 });
    filled.push(one);
  }
  for (const one of filled) {
    await warmUp(one, options);
    firstUses.push(await firstUse(one, 'Encrypt', one.secret.slice(1), 'made by this worker', encryptInput));
    progress(firstUseText(firstUses.at(-1)));
  }
  /** @type {Map<string, { described: Described, rounds: Omit<KeyGrowthRow, keyof Described>[] }>} */
  const results = new Map();
  for (let nth = 0; nth < startsOfEach; nth++) {
    if (nth > 0) {
      for (const one of filled) {
        await one.service.service.restart();
        await warmUp(one, options);
        if (nth === 1) await afterRestart(one);
      }
    }
    for (const { operation, uses, keys: keysOf, inputs } of measured) {
      for (const over of /** @type {const} */ (['one key', 'all keys'])) {
        const loads = [];
        for (const one of filled) {
          const keys = over === 'one key' ? keysOf(one).slice(0, 1) : keysOf(one);
          const requests = await one.service.signAll(operation, await inputs(one, keys));
          await one.service.load(requests, { clients, answers: requests.length * uses });
          const described = { keys: one.keys, operation, over, differentKeys: requests.length };
          const name = JSON.stringify(described);
          const result = results.get(name) ?? { described, rounds: [] };
          results.set(name, result);
          loads.push({ one, requests, result });
        }
        for (let round = 0; round < Math.max(leastRounds, options.rounds / startsOfEach); round++) {
          for (const { one, requests, result } of loads) {
            const before = await one.service.counted();
            const { cpu, requestsPerSecond } = await one.service.saturate(requests, { seconds, warmUpSeconds });
            const after = await one.service.counted();
            const tokenMicroseconds =
              (after.tokenMicroseconds - before.tokenMicroseconds) / (after.requests - before.requests);
            result.rounds.push({ cpu, requestsPerSecond, tokenMicroseconds });
          }
        }
        const soFar = loads.map(({ result }) => bestOf(result.rounds).cpu.toFixed(0)).join(', ');
        progress(`start ${nth + 1}: ${operation} over ${over}: ${soFar} us CPU`);
      }
    }
  }
  for (const { described, rounds } of results.values()) rows.push({ ...described, ...bestOf(rounds) });

  /** @param {Filled} one */
  async function afterRestart(one) {
    starts.push({ keys: one.keys, seconds: one.service.service.startSeconds });
    progress(`restart with ${one.keys.toLocaleString('en')} keys: ${one.service.service.startSeconds.toFixed(1)} s`);
    for (const { operation, of, input } of [
      { operation: 'Encrypt', of: one.secret, input: encryptInput },
      { operation: 'Sign', of: one.signing, input: signInput },
    ]) {
      const unused = of.slice(1, 1 + firstsAfterRestart);
      firstUses.push(await firstUse(one, operation, unused, 'after a restart', input));
      progress(firstUseText(firstUses.at(-1)));
    }
  }
}

/** Half symmetric keys, half for signatures. @param {Filled} one @param {(made: number) => void} progress */
async function fill({ service, keys, secret, signing }, progress) {
  while (secret.length + signing.length < keys) {
    const now = Math.min(keysAtOnce, keys - secret.length - signing.length);
    secret.push(...(await service.createKeys(secretKey, Math.ceil(now / 2))));
    signing.push(...(await service.createKeys(signingKey, Math.floor(now / 2))));
    progress(secret.length + signing.length);
  }
}

/** V8 compiles what requests need; nothing is used but one key of each kind. @param {Filled} one @param {import('./options.mjs').Options} options */
async function warmUp({ service, secret, signing }, { firstRequests }) {
  await service.warmUp(await service.signAll('Encrypt', secret.slice(0, 1).map(encryptInput)), firstRequests);
  await service.warmUp(await service.signAll('Sign', signing.slice(0, 1).map(signInput)), firstRequests / 10);
}

/** @param {Filled} one @param {string[]} keys @returns {Promise<object[]>} requests of Decrypt, one for each key */
async function ciphertexts({ service }, keys) {
  const requests = await service.signAll('Encrypt', keys.map(encryptInput));
  const { samples } = await service.load(requests, { clients: 4, answers: keys.length, samples: keys.length });
  const inputs = samples.map(({ body }) => ({
    CiphertextBlob: Buffer.from(JSON.parse(body).CiphertextBlob, 'base64'),
  }));
  const decrypted = await service.kms.send(
    new DecryptCommand(/** @type {{ CiphertextBlob: Buffer }} */ (inputs.at(-1))),
  );
  if (!Plaintext.equals(decrypted.Plaintext ?? Buffer.of())) throw new Error('Decrypt: a wrong answer');
  return inputs;
}

/**
 * @param {Filled} one
 * @param {string} operation
 * @param {string[]} keys
 * @param {FirstUse['when']} when
 * @param {(keyId: string) => object} input
 * @returns {Promise<FirstUse>}
 */
async function firstUse({ service, keys: count }, operation, keys, when, input) {
  const requests = await service.signAll(operation, keys.map(input));
  const once = { clients: 1, answers: requests.length };
  const first = await service.load(requests, once);
  const second = await service.load(requests, once);
  return {
    ...{ keys: count, operation, when, firsts: keys.length },
    ...{ mean: first.mean, most: first.most, again: second.mean },
  };
}

/** @param {FirstUse} [measured] */
function firstUseText(measured) {
  if (measured === undefined) return '';
  const { keys, operation, when, firsts, mean, most, again } = measured;
  return (
    `${operation} with ${keys.toLocaleString('en')} keys, first use of ${firsts} ${when}: mean ${mean.toFixed(1)} ms, ` +
    `at most ${most.toFixed(1)} ms; again ${again.toFixed(2)} ms`
  );
}
