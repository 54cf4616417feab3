import { tableOf } from './table.mjs';

/** @typedef {import('./run.mjs').Document} Document */
/** @typedef {import('./goals.mjs').Judgement} Judgement */

/**
 * The tables of a run's sections, in the words of the page and the terminal.
 *
 * @satisfies {Record<string, (document: Document) => string | undefined>}
 */
export const tables = {
  goals: ({ goals }) =>
    rowsOr([...new Set(goals.map(({ goal }) => goal))], (rows) =>
      tableOf(
        [
          { title: 'goal', value: (goal) => goal },
          { title: 'least', value: (goal) => Math.min(...valuesOf(goals, goal)), digits: 2 },
          { title: 'most', value: (goal) => Math.max(...valuesOf(goals, goal)), digits: 2 },
          { title: 'reached', value: (goal) => verdictOn(goals.filter((each) => each.goal === goal)) },
        ],
        rows,
      ),
    ),

  missed: ({ goals }) =>
    rowsOr(
      goals.filter(({ reached }) => reached === false),
      (rows) => rows.map(({ goal, of, value }) => `- ${goal}: ${of}: **${value.toFixed(2)}**`).join('\n'),
    ) ?? (goals.length > 0 ? 'Nothing.' : undefined),

  matrix: ({ sections: { matrix } }) =>
    rowsOr(matrix, (rows) =>
      tableOf(
        [
          { title: 'operation', value: ({ operation }) => operation },
          { title: 'key spec', value: ({ keySpec }) => keySpec },
          { title: 'detail', value: ({ detail }) => detail },
          { title: 'workers', value: ({ workers }) => workers },
          { title: 'requests/s', value: ({ figures }) => figures.requestsPerSecond },
          { title: 'CPU us', value: ({ figures }) => figures.cpu },
          { title: 'waking, CPU us', value: ({ figures }) => figures.wakingCpu },
          { title: 'p50 ms', value: ({ figures }) => figures.p50, digits: 2 },
          { title: 'p99 ms', value: ({ figures }) => figures.p99, digits: 2 },
          { title: 'direct/s', value: ({ figures }) => figures.direct?.perSecond },
          { title: 'direct CPU us', value: ({ figures }) => figures.direct?.cpu },
          { title: 'ratio', value: ({ ratio }) => ratio, digits: 2 },
          { title: 'sync/s', value: ({ figures }) => figures.directSynchronous?.perSecond },
          { title: 'sync ratio', value: ({ synchronousRatio }) => synchronousRatio, digits: 2 },
        ],
        rows,
      ),
    ),

  keys: ({ sections: { keys } }) =>
    rowsOr(keys?.rows, (rows) =>
      tableOf(
        [
          { title: 'operation', value: ({ operation }) => operation },
          { title: 'over', value: ({ over }) => over },
          { title: 'keys', value: ({ keys }) => keys },
          { title: 'different', value: ({ differentKeys }) => differentKeys },
          { title: 'CPU us', value: ({ cpu }) => cpu },
          { title: 'in the token us', value: ({ tokenMicroseconds }) => tokenMicroseconds },
          { title: 'outside us', value: ({ cpu, tokenMicroseconds }) => cpu - tokenMicroseconds },
          { title: 'requests/s', value: ({ requestsPerSecond }) => requestsPerSecond },
        ],
        rows,
      ),
    ),

  firstUses: ({ sections: { keys } }) =>
    rowsOr(keys?.firstUses, (rows) =>
      tableOf(
        [
          { title: 'operation', value: ({ operation }) => operation },
          { title: 'key', value: ({ when }) => when },
          { title: 'keys', value: ({ keys }) => keys },
          { title: 'used', value: ({ firsts }) => firsts },
          { title: 'first ms', value: ({ mean }) => mean, digits: 2 },
          { title: 'at most ms', value: ({ most }) => most, digits: 2 },
          { title: 'again ms', value: ({ again }) => again, digits: 2 },
        ],
        rows,
      ),
    ),

  starts: ({ sections: { keys } }) =>
    rowsOr(keys?.fills, (rows) =>
      tableOf(
        [
          { title: 'keys', value: ({ keys }) => keys },
          { title: 'made in s', value: ({ seconds }) => seconds, digits: 1 },
          { title: 'ms per key', value: ({ keys, seconds }) => (seconds * 1000) / keys, digits: 1 },
          {
            title: 'restart in s',
            value: ({ keys: count }) => keys?.starts.find((start) => start.keys === count)?.seconds,
            digits: 1,
          },
        ],
        rows,
      ),
    ),

  clients: ({ sections: { clients } }) =>
    rowsOr(clients, (rows) =>
      tableOf(
        [
          { title: 'operation', value: ({ operation }) => operation },
          { title: 'key spec', value: ({ keySpec }) => keySpec },
          { title: 'workers', value: ({ workers }) => workers },
          { title: 'clients', value: ({ clients }) => clients },
          { title: 'requests/s', value: ({ requestsPerSecond }) => requestsPerSecond },
          { title: 'CPU us', value: ({ cpu }) => cpu },
          { title: 'p50 ms', value: ({ p50 }) => p50, digits: 2 },
          { title: 'p99 ms', value: ({ p99 }) => p99, digits: 2 },
        ],
        rows,
      ),
    ),

  flood: ({ sections: { flood } }) =>
    rowsOr(flood, (rows) =>
      tableOf(
        [
          { title: 'workers', value: ({ workers }) => workers },
          { title: 'operation', value: ({ operation }) => operation },
          { title: 'meanwhile', value: ({ flood }) => flood || 'nothing else' },
          {
            title: 'of these/s',
            value: ({ flood, floodRequestsPerSecond }) => (flood ? floodRequestsPerSecond : undefined),
          },
          { title: 'requests/s', value: ({ requestsPerSecond }) => requestsPerSecond },
          { title: 'p50 ms', value: ({ p50 }) => p50, digits: 2 },
          { title: 'p99 ms', value: ({ p99 }) => p99, digits: 2 },
          { title: 'at most ms', value: ({ most }) => most, digits: 1 },
        ],
        rows,
      ),
    ),

  audit: ({ sections: { audit } }) =>
    rowsOr(audit, (rows) =>
      tableOf(
        [
          { title: 'auditMode', value: ({ mode }) => mode },
          { title: 'clients', value: ({ clients }) => clients },
          { title: 'Encrypt/s', value: ({ requestsPerSecond }) => requestsPerSecond },
          { title: 'CPU us', value: ({ cpu }) => cpu },
          { title: 'p50 ms', value: ({ p50 }) => p50, digits: 2 },
          { title: 'p99 ms', value: ({ p99 }) => p99, digits: 2 },
        ],
        rows,
      ),
    ),

  changes: ({ sections: { changes } }) =>
    rowsOr(changes, (rows) =>
      tableOf(
        [
          { title: 'changes/s', value: ({ changesPerSecond }) => changesPerSecond },
          { title: 'keys', value: ({ keys }) => keys },
          { title: 'Encrypt/s', value: ({ requestsPerSecond }) => requestsPerSecond },
          { title: 'CPU us', value: ({ cpu }) => cpu },
        ],
        rows,
      ),
    ),

  processes: ({ sections: { processes } }) =>
    rowsOr(processes, (rows) =>
      tableOf(
        [
          { title: 'arrangement', value: ({ arrangement }) => arrangement },
          { title: 'Encrypt/s', value: ({ requestsPerSecond }) => requestsPerSecond },
          { title: 'CPU us', value: ({ cpu }) => cpu },
        ],
        rows,
      ),
    ),

  memory: ({ sections: { memory } }) =>
    rowsOr(memory, (rows) =>
      tableOf(
        [
          { title: 'worker', value: ({ worker, workers }) => `${worker} of ${workers}` },
          { title: 'requests', value: ({ requests }) => requests },
          { title: 'start MiB', value: ({ startMiB }) => startMiB },
          { title: 'most MiB', value: ({ mostMiB }) => mostMiB },
          { title: 'end MiB, without garbage', value: ({ endMiB }) => endMiB },
          { title: 'MiB per million requests', value: ({ slope }) => slope, digits: 1 },
        ],
        rows,
      ),
    ),

  decisions: ({ sections: { decisions } }) =>
    rowsOr(decisions, (rows) =>
      tableOf(
        [
          { title: 'decision with', value: ({ name }) => name },
          { title: 'us', value: ({ microseconds }) => microseconds, digits: 2 },
        ],
        rows,
      ),
    ),
};

/** @param {readonly Judgement[]} goals @param {string} goal */
const valuesOf = (goals, goal) => goals.filter((each) => each.goal === goal).map(({ value }) => value);

/** @param {readonly Judgement[]} judgements of one goal */
function verdictOn(judgements) {
  if (judgements.some(({ reached }) => reached === null)) return 'the run was too short to tell';
  const missed = judgements.filter(({ reached }) => !reached).length;
  return missed === 0 ? 'yes' : `**no**: ${missed} of ${judgements.length} did not`;
}

/** @template R @param {readonly R[] | undefined} rows @param {(rows: readonly R[]) => string} write */
function rowsOr(rows, write) {
  return rows && rows.length > 0 ? write(rows) : undefined;
}

/** When and where a run was made, in a few sentences. @param {Document} document */
export function circumstances({ startedAt, seconds, machine, git, loadAverage, options, note, incomplete }) {
  const parts = Object.entries(seconds).map(([part, taken]) => `${part} ${taken.toFixed(0)} s`);
  return [
    note && `**${note}**\n\n`,
    incomplete && `**Not everything was measured: ${incomplete}**\n\n`,
    `${startedAt.slice(0, 16).replace('T', ' ')} UTC, revision ${git.revision}${git.changed ? ' with changes' : ''}. `,
    `${machine.processor}, ${machine.cores} cores, ${machine.memoryGiB} GiB; Node ${machine.node}; ${machine.token}. `,
    `${options.seconds} s per measurement after ${options.warmUpSeconds} s of warm-up, ${options.rounds} `,
    `round(s), of which the best counts, of floods the median; ${options.clients} clients where nothing else is said. `,
    `Load average ${loadAverage.start[0]} at the start, ${loadAverage.end[0]} at the end. Time taken: ${parts.join(', ')}.`,
  ]
    .filter(Boolean)
    .join('');
}
