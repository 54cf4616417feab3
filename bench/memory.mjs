import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { cases, nameOf } from './cases.mjs';
import { residentMiB } from './process-cpu.mjs';

/**
 * Resident memory of one worker over a long run.
 *
 * @typedef {object} MemoryResult
 * @property {number} workers
 * @property {number} worker which of them
 * @property {number} requests answered by all workers together
 * @property {number} startMiB
 * @property {number} endMiB without garbage
 * @property {number} mostMiB
 * @property {number} slope MiB per million requests that stay when garbage is collected, by least squares over the last
 *   two thirds
 * @property {Sample[]} samples in between
 * @property {Sample[]} withoutGarbage right after a collection of all garbage
 */

/** @typedef {[requests: number, megabytes: number]} Sample in MiB */

/** Cheap operations of every kind, each with all its different requests. */
const measured = cases.filter(
  ({ operation, keySpec }) =>
    !/^RSA|P384/.test(keySpec) &&
    !['CreateKey', 'DeriveSharedSecret'].includes(operation) &&
    // SoftHSM2 2.6.1 itself loses 67 bytes with each (docs/hsm/softhsm2.md)
    !(operation === 'Sign' && keySpec === 'ECC_NIST_EDWARDS25519'),
);
/** Fewer requests than these go by before they are signed anew: a signature is good for five minutes. */
const requestsAtOnce = 100_000;
const samplesKept = 100;
/** What the first requests make V8 and the caches take is no leak. */
const settledFrom = 1 / 3;
const collector = fileURLToPath(new URL('./garbage-collector.mjs', import.meta.url));
/** V8 gives pages back in a thread. */
const collectionMilliseconds = 1_000;

/** @type {import('./parts.mjs').Part} */
export async function measureMemory({ options, keep, progress, start }) {
  const { clients } = options;
  const total = options.memoryRequests;
  const workers = Math.max(...options.workers);
  const service = await start(workers, { NODE_OPTIONS: `--import=${collector}` });
  const pids = service.service.pids.slice(1);
  /** @type {MemoryResult[]} */
  const results = keep(
    pids.map((_, worker) => ({
      workers,
      worker: worker + 1,
      requests: 0,
      startMiB: 0,
      endMiB: 0,
      mostMiB: 0,
      slope: 0,
      samples: [],
      withoutGarbage: [],
    })),
  );
  let done = 0;
  const sample = (/** @type {'samples' | 'withoutGarbage'} */ kind) => {
    for (const [index, pid] of pids.entries()) {
      results[index]?.[kind].push([done, Number(residentMiB(pid).toFixed(2))]);
    }
    for (const result of results) Object.assign(result, summary(result));
  };
  const collectGarbage = async () => {
    for (const pid of pids) process.kill(pid, 'SIGUSR2');
    await sleep(collectionMilliseconds);
    sample('withoutGarbage');
  };
  const step = Math.max(1, Math.floor(total / samplesKept));
  sample('samples');
  await collectGarbage();
  while (done < total) {
    const requests = [];
    for (const each of measured) requests.push(...(await service.requestsOf(each)).requests);
    for (let end = Math.min(done + requestsAtOnce, total); done < end; ) {
      const answers = Math.min(step, end - done);
      await service.load(shuffled(requests), { clients, answers });
      done += answers;
      sample('samples');
    }
    await collectGarbage();
    progress(
      `${done.toLocaleString('en')} of ${total.toLocaleString('en')} requests (${measured.map(nameOf).length} kinds): ` +
        results.map(({ endMiB, slope }) => `${endMiB.toFixed(0)} MiB, ${slope.toFixed(1)} MiB per million`).join('; '),
    );
  }
}

/** @param {MemoryResult} result */
function summary({ samples, withoutGarbage }) {
  const sizes = samples.map(([, size]) => size);
  const requests = samples.at(-1)?.[0] ?? 0;
  return {
    requests,
    startMiB: sizes[0] ?? 0,
    endMiB: withoutGarbage.at(-1)?.[1] ?? 0,
    mostMiB: Math.max(...sizes),
    slope: slopeOf(withoutGarbage.filter(([at]) => at >= requests * settledFrom)) * 1_000_000,
  };
}

/** Least squares. @param {Sample[]} points */
function slopeOf(points) {
  const meanOf = (/** @type {number[]} */ values) => values.reduce((total, value) => total + value, 0) / values.length;
  const meanX = meanOf(points.map(([x]) => x));
  const meanY = meanOf(points.map(([, y]) => y));
  const spread = points.reduce((total, [x]) => total + (x - meanX) ** 2, 0);
  return spread === 0 ? 0 : points.reduce((total, [x, y]) => total + (x - meanX) * (y - meanY), 0) / spread;
}

/** The operations mixed, not one after the other. @template T @param {readonly T[]} list */
function shuffled(list) {
  const result = [...list];
  for (let last = result.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1));
    [result[last], result[other]] = [/** @type {T} */ (result[other]), /** @type {T} */ (result[last])];
  }
  return result;
}
