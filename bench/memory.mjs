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
 * @property {number} endMiB
 * @property {number} mostMiB
 * @property {number} slope MiB per million requests, by least squares over the last two thirds: over the least of
 *   every few samples, as what is between two collections of garbage is no leak
 * @property {[requests: number, megabytes: number][]} samples in MiB
 */

/** Cheap operations of every kind, each with all its different requests. */
const measured = cases.filter(
  ({ operation, keySpec }) => !/^RSA|P384/.test(keySpec) && !['CreateKey', 'DeriveSharedSecret'].includes(operation),
);
/** Fewer requests than these go by before they are signed anew: a signature is good for five minutes. */
const requestsAtOnce = 100_000;
const samplesKept = 100;
/** What the first requests make V8 and the caches take is no leak. */
const settledFrom = 1 / 3;
/** The least of so many samples in a row is what is left after a collection. */
const samplesPerLeast = 5;

/** @type {import('./parts.mjs').Part} */
export async function measureMemory({ options, keep, progress, start }) {
  const { clients } = options;
  const total = options.memoryRequests;
  const workers = Math.max(...options.workers);
  const service = await start(workers);
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
    })),
  );
  let done = 0;
  const sample = () => {
    for (const [index, pid] of pids.entries()) {
      results[index]?.samples.push([done, Number(residentMiB(pid).toFixed(2))]);
    }
  };
  const step = Math.max(1, Math.floor(total / samplesKept));
  sample();
  while (done < total) {
    const requests = [];
    for (const each of measured) requests.push(...(await service.requestsOf(each)).requests);
    for (let end = Math.min(done + requestsAtOnce, total); done < end; ) {
      const answers = Math.min(step, end - done);
      await service.load(shuffled(requests), { clients, answers });
      done += answers;
      sample();
      for (const result of results) Object.assign(result, summary(result.samples));
    }
    progress(
      `${done.toLocaleString('en')} of ${total.toLocaleString('en')} requests (${measured.map(nameOf).length} kinds): ` +
        results.map(({ endMiB, slope }) => `${endMiB.toFixed(0)} MiB, ${slope.toFixed(1)} MiB per million`).join('; '),
    );
  }
}

/** @param {MemoryResult['samples']} samples */
function summary(samples) {
  const sizes = samples.map(([, size]) => size);
  const requests = samples.at(-1)?.[0] ?? 0;
  return {
    requests,
    startMiB: sizes[0] ?? 0,
    endMiB: sizes.at(-1) ?? 0,
    mostMiB: Math.max(...sizes),
    slope: slopeOf(leastOf(samples.filter(([at]) => at >= requests * settledFrom))) * 1_000_000,
  };
}

/** @param {MemoryResult['samples']} samples */
function leastOf(samples) {
  const groups = Array.from({ length: Math.floor(samples.length / samplesPerLeast) }, (_, group) =>
    samples.slice(group * samplesPerLeast, (group + 1) * samplesPerLeast),
  );
  return groups.map((group) => group.reduce((least, sample) => (sample[1] < least[1] ? sample : least)));
}

/** Least squares. @param {MemoryResult['samples']} points */
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
