import { barChart, lineCharts } from './svg.mjs';

/** @typedef {import('./run.mjs').Document} Document */

/**
 * The page's charts; undefined where a run has not measured what they show.
 *
 * @satisfies {Record<string, (document: Document) => string | undefined>}
 */
export const charts = {
  operations({ sections: { matrix = [] } }) {
    const groups = matrix
      .filter(({ workers }) => workers === 1)
      .map((one) => {
        const two = matrix.find((other) => other.workers === 2 && nameOf(other) === nameOf(one));
        const values = [one, two].flatMap((each) => [each?.figures.requestsPerSecond, each?.figures.direct?.perSecond]);
        return { label: nameOf(one), values };
      });
    if (groups.length === 0) return undefined;
    return barChart({
      title: 'Requests per second, and the same PKCS#11 calls without the service',
      axis: { label: 'per second (logarithmic)', logarithmic: true, from: 50 },
      series: ['1 worker', 'direct, 1 process', '2 workers', 'direct, 2 processes'],
      groups,
    });
  },

  cpu({ sections: { matrix = [] } }) {
    const groups = matrix
      .filter(({ workers, operation }) => workers === 1 && operation !== 'CreateKey')
      .map((one) => ({ label: nameOf(one), values: [one.figures.cpu, one.figures.direct?.cpu] }));
    if (groups.length === 0) return undefined;
    return barChart({
      title: 'CPU of the service per request, and of the same PKCS#11 calls without it; one worker',
      axis: { label: 'microseconds (logarithmic)', logarithmic: true, from: 1 },
      series: ['service', 'direct'],
      groups,
    });
  },

  keys({ sections: { keys } }) {
    if (!keys || keys.rows.length === 0) return undefined;
    const operations = [...new Set(keys.rows.map(({ operation }) => operation))];
    const panels = /** @type {const} */ (['one key', 'all keys']).map((over) => ({
      title: `Requests over ${over === 'one key' ? 'one key of all' : 'all keys'}`,
      x: { label: 'keys in token and database', logarithmic: true },
      y: { label: 'us of CPU per request' },
      lines: operations.map((operation, colour) => ({
        name: operation,
        colour,
        points: keys.rows
          .filter((row) => row.operation === operation && row.over === over)
          .map((row) => /** @type {const} */ ([row.keys, row.cpu])),
      })),
    }));
    return lineCharts(panels);
  },

  clients({ sections: { clients = [] } }) {
    if (clients.length === 0) return undefined;
    const kinds = [...new Set(clients.map(({ operation, keySpec }) => `${operation} ${keySpec}`))];
    const workerCounts = [...new Set(clients.map(({ workers }) => workers))];
    const lines = (/** @type {'requestsPerSecond' | 'p99'} */ figure) =>
      kinds.flatMap((kind, colour) =>
        workerCounts.map((workers, index) => ({
          name: `${kind.replace(' SYMMETRIC_DEFAULT', '')}, ${workers} worker(s)`,
          colour,
          dashed: index === 0,
          points: clients
            .filter((row) => `${row.operation} ${row.keySpec}` === kind && row.workers === workers)
            .map((row) => /** @type {const} */ ([row.clients, row[figure]])),
        })),
      );
    const x = { label: 'clients', logarithmic: true };
    return lineCharts([
      { title: 'Requests per second', x, y: { label: '' }, lines: lines('requestsPerSecond') },
      { title: 'p99 of the latency', x, y: { label: 'ms, logarithmic', logarithmic: true }, lines: lines('p99') },
    ]);
  },

  flood({ sections: { flood = [] } }) {
    if (flood.length === 0) return undefined;
    return barChart({
      title: 'Latency while RSA keeps the token busy; the goal for p99 is 10 ms',
      axis: { label: 'milliseconds (logarithmic)', logarithmic: true, from: 0.1 },
      series: ['p50', 'p99'],
      groups: flood.map(({ operation, flood: what, workers, p50, p99 }) => ({
        label: `${operation}; ${(what || 'nothing else').replace(/, CreateKey.*/, ', make keys')}; ${workers} w.`,
        values: [p50, p99],
      })),
      limit: 10,
      digits: 1,
    });
  },

  memory({ sections: { memory = [] } }) {
    if (memory.every(({ samples }) => samples.length === 0)) return undefined;
    return lineCharts([
      {
        title: 'Resident memory of a worker',
        x: { label: 'requests, all workers together' },
        y: { label: 'MiB' },
        lines: memory.flatMap(({ worker, workers, samples, withoutGarbage }, index) =>
          [
            { name: `worker ${worker} of ${workers}`, points: samples },
            { name: `worker ${worker}, without garbage`, points: withoutGarbage },
          ].map((line, kind) => ({ ...line, colour: (2 * index + kind) % 4 })),
        ),
      },
    ]);
  },
};

/** @param {import('./results.mjs').Result} result */
function nameOf({ operation, keySpec, detail }) {
  const short = detail.replace(/RSASSA_|_SHA_\d+$/g, '').replace('context of 2 pairs', 'context');
  return [operation, keySpec.replace('SYMMETRIC_DEFAULT', ''), /^ECDSA$|^ED25519$|^HMAC$/.test(short) ? '' : short]
    .filter(Boolean)
    .join(' ');
}
