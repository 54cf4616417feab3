import { setTimeout as sleep } from 'node:timers/promises';
import { caseNamed } from './cases.mjs';
import { median } from './rounds.mjs';

/**
 * The latency of a cheap operation while others keep the token busy, in milliseconds: the medians of all rounds.
 *
 * @typedef {object} FloodResult
 * @property {number} workers
 * @property {string} operation the cheap one
 * @property {string} flood what else goes on; '' for nothing
 * @property {number} floodRequestsPerSecond
 * @property {number} requestsPerSecond of the cheap operation, by a few clients
 * @property {number} p50
 * @property {number} p99
 * @property {number} most
 */

/** @typedef {Omit<FloodResult, 'workers' | 'operation' | 'flood'>} Latencies */

/**
 * @typedef {object} Stream requests that keep coming
 * @property {string} operation
 * @property {import('@aws-sdk/client-kms').CreateKeyCommandInput} [key]
 * @property {(keyId: string) => object} input
 * @property {number} clients
 */

/** @param {'RSA_2048' | 'RSA_4096'} KeySpec @returns {Stream} */
const signatures = (KeySpec) => ({
  operation: 'Sign',
  key: { KeySpec, KeyUsage: 'SIGN_VERIFY' },
  input: (KeyId) => ({
    KeyId,
    Message: Buffer.alloc(32, 1),
    MessageType: 'RAW',
    SigningAlgorithm: 'RSASSA_PSS_SHA_256',
  }),
  clients: 16,
});
/** @type {Stream} */
const keyMaking = {
  operation: 'CreateKey',
  input: () => ({ KeySpec: 'RSA_4096', KeyUsage: 'SIGN_VERIFY' }),
  clients: 1,
};
/** @type {Stream} */
const dataKeyPairs = {
  operation: 'GenerateDataKeyPair',
  key: { KeySpec: 'SYMMETRIC_DEFAULT', KeyUsage: 'ENCRYPT_DECRYPT' },
  input: (KeyId) => ({ KeyId, KeyPairSpec: 'RSA_4096' }),
  clients: 1,
};

const encrypt = caseNamed('Encrypt SYMMETRIC_DEFAULT 32 bytes');
/** Uses no token. */
const describeKey = caseNamed('DescribeKey SYMMETRIC_DEFAULT');

/** @type {readonly { cheap: import('./cases.mjs').Case, flood: string, streams: readonly Stream[] }[]} */
const measured = [
  { cheap: encrypt, flood: '', streams: [] },
  { cheap: encrypt, flood: 'Sign RSA_2048', streams: [signatures('RSA_2048')] },
  { cheap: encrypt, flood: 'Sign RSA_4096', streams: [signatures('RSA_4096')] },
  {
    cheap: encrypt,
    flood: 'Sign, CreateKey, GenerateDataKeyPair RSA_4096',
    streams: [signatures('RSA_4096'), keyMaking, dataKeyPairs],
  },
  { cheap: describeKey, flood: '', streams: [] },
  { cheap: describeKey, flood: 'Sign RSA_2048', streams: [signatures('RSA_2048')] },
];

const cheapClients = 4;
/** A p99 needs more requests than a mean. */
const longer = 2;
const risingSeconds = 0.5;

/** @type {import('./parts.mjs').Part} */
export async function measureFlood({ options, keep, progress, warmed }) {
  /** @type {FloodResult[]} */
  const results = keep([]);
  for (const workers of options.workers) {
    const service = await warmed(workers);
    for (const { cheap, flood, streams } of measured) {
      const { requests } = await service.requestsOf(cheap);
      /** @type {Latencies[]} */
      const rounds = [];
      for (let round = 0; round < options.rounds; round++)
        rounds.push(await underFlood(service, requests, streams, options));
      const medianOf = (/** @type {keyof Latencies} */ figure) => median(rounds.map((each) => each[figure]));
      const result = {
        ...{ workers, operation: cheap.operation, flood },
        floodRequestsPerSecond: medianOf('floodRequestsPerSecond'),
        ...{ requestsPerSecond: medianOf('requestsPerSecond'), p50: medianOf('p50'), p99: medianOf('p99') },
        most: Math.max(...rounds.map(({ most }) => most)),
      };
      results.push(result);
      progress(
        `${cheap.operation}, ${workers} worker(s), during ${flood || 'nothing else'}: ` +
          `p50 ${result.p50.toFixed(2)} ms, p99 ${result.p99.toFixed(1)} ms`,
      );
    }
  }
}

/**
 * @param {import('./service-under-test.mjs').ServiceUnderTest} service
 * @param {Buffer[]} requests of the cheap operation
 * @param {readonly Stream[]} streams
 * @param {import('./options.mjs').Options} options
 * @returns {Promise<Latencies>}
 */
async function underFlood(service, requests, streams, options) {
  const seconds = options.seconds * longer;
  const floodSeconds = options.warmUpSeconds + seconds + 2 * risingSeconds;
  const background = [];
  for (const { operation, key, input, clients } of streams) {
    const flooding = await service.signAll(operation, [input(key ? await service.keyOf(key) : '')]);
    background.push({ generator: service.newGenerator(), requests: flooding, clients });
  }
  const floodReports = Promise.all(
    background.map(({ generator, requests: flooding, clients }) =>
      service.load(flooding, { clients, seconds: floodSeconds }, generator).finally(() => generator.end()),
    ),
  );
  await sleep(risingSeconds * 1000);
  const [load, others] = await Promise.all([
    service.load(requests, { clients: cheapClients, seconds, warmUpSeconds: options.warmUpSeconds }),
    floodReports,
  ]);
  await service.untilIdle();
  return {
    floodRequestsPerSecond: others.reduce((total, other) => total + other.answers / other.seconds, 0),
    requestsPerSecond: load.answers / load.seconds,
    ...{ p50: load.p50, p99: load.p99, most: load.most },
  };
}
