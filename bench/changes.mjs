import { setTimeout as sleep } from 'node:timers/promises';
import { TagResourceCommand } from '@aws-sdk/client-kms';
import { bestOf } from './rounds.mjs';

/**
 * What an Encrypt costs while the store is changed: the service's CPU, that of the changes included, in microseconds per
 * Encrypt.
 *
 * @typedef {object} ChangesCost
 * @property {number} changesPerSecond of another key, one after the other
 * @property {number} keys that are encrypted with, in turn
 * @property {number} requestsPerSecond
 * @property {number} cpu
 */

const keyCount = 500;
const rates = [0, 1, 10, 50];
const Plaintext = Buffer.alloc(32, 7);

/** @type {import('./parts.mjs').Part} */
export async function measureChanges({ options, keep, progress, start }) {
  const { seconds, warmUpSeconds } = options;
  const service = await start(1);
  const keys = await service.createKeys({ KeySpec: 'SYMMETRIC_DEFAULT' }, keyCount);
  const other = await service.keyOf({ Description: 'changed meanwhile' });
  const inputs = keys.map((KeyId) => ({ KeyId, Plaintext }));
  await service.warmUp(await service.signAll('Encrypt', inputs), options.firstRequests);
  const rounds = rates.map(() => /** @type {Pick<ChangesCost, 'requestsPerSecond' | 'cpu'>[]} */ ([]));
  for (let round = 0; round < options.rounds; round++) {
    for (const [index, rate] of rates.entries()) {
      const requests = await service.signAll('Encrypt', inputs);
      const stop = keepChanging(service, other, rate);
      const { requestsPerSecond, cpu } = await service.saturate(requests, { seconds, warmUpSeconds });
      await stop();
      rounds[index]?.push({ requestsPerSecond, cpu });
    }
  }
  const results = keep(/** @type {ChangesCost[]} */ ([]));
  for (const [index, changesPerSecond] of rates.entries()) {
    const best = bestOf(rounds[index] ?? []);
    results.push({ changesPerSecond, keys: keyCount, ...best });
    progress(`Encrypt over ${keyCount} keys, ${changesPerSecond} changes/s: ${best.cpu.toFixed(0)} us CPU`);
  }
}

/**
 * @param {import('./service-under-test.mjs').ServiceUnderTest} service
 * @param {string} KeyId
 * @param {number} rate changes per second; none for 0
 * @returns {() => Promise<void>} stops it
 */
function keepChanging(service, KeyId, rate) {
  let isOver = rate === 0;
  const changing = (async () => {
    for (let count = 0; !isOver; count++) {
      await service.kms.send(new TagResourceCommand({ KeyId, Tags: [{ TagKey: 'count', TagValue: String(count) }] }));
      await sleep(1000 / rate);
    }
  })();
  return () => {
    isOver = true;
    return changing;
  };
}
