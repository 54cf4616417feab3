import { parseArgs } from 'node:util';
import { parts } from './parts.mjs';

/**
 * What is measured, and how long.
 *
 * @typedef {object} Options
 * @property {(keyof typeof parts)[]} parts
 * @property {RegExp} operations only the cases of the matrix whose name it matches
 * @property {number[]} workers of the services that are compared; direct calls are made by as many processes
 * @property {number} seconds length of a measurement
 * @property {number} warmUpSeconds what is not measured before it
 * @property {number} firstRequests to each worker that was started, before anything is measured
 * @property {number} rounds how often everything is measured; the best is reported, of floods the median
 * @property {number} clients connections that wait to be woken, each with one request under way
 * @property {number[]} clientCounts of the part clients
 * @property {number[]} keyCounts of the part keys, the fewest first
 * @property {number} memoryRequests of the part memory
 * @property {number} decisions of the part decisions
 * @property {string} json file that is written
 * @property {boolean} publish writes the page and its results instead, when everything was measured
 * @property {string} [note]
 */

/** The page's own results, from the repository's root. */
export const publishedJson = 'docs/bench/results.json';

/** What each option is by default, and with --quick. */
const usual = {
  parts: Object.keys(parts).join(','),
  operations: '',
  workers: '1,2',
  seconds: '1',
  'warm-up': '0.25',
  'first-requests': '30000',
  rounds: '4',
  clients: '16',
  'client-counts': '1,2,4,8,16,32,64',
  'key-counts': '10,1000,10000',
  'memory-requests': '1000000',
  decisions: '1000000',
  json: 'bench/results/latest.json',
};
const quick = {
  ...usual,
  rounds: '1',
  seconds: '0.3',
  'warm-up': '0.1',
  'first-requests': '5000',
  'client-counts': '1,16',
  'key-counts': '10,100',
  'memory-requests': '20000',
  decisions: '200000',
};

export const usage = `npm run bench -- [options]

Measures the service and, in the same run, the same operations called directly through pkcs11js.

  --parts LIST           of ${Object.keys(parts).join(', ')} (all)
  --quick                short settings for everything that is not given: less than two minutes, and rough
  --operations TEXT      in the matrix, only cases whose name matches the regular expression TEXT ('Encrypt', 'Sign RSA')
  --workers LIST         workers of the service, compared side by side; as many processes call directly (${usual.workers})
  --seconds N            length of a measurement (${usual.seconds})
  --warm-up N            seconds before it that are not measured (${usual['warm-up']})
  --first-requests N     to each worker that was started, before anything is measured: V8 compiles (${usual['first-requests']})
  --rounds N             how often each is measured; the best counts, of floods the median (${usual.rounds})
  --clients N            connections that wait to be woken by their answers, each with one request under way, where
                         latencies are measured (${usual.clients})
  --client-counts LIST   of the part clients (${usual['client-counts']})
  --key-counts LIST      of the part keys (${usual['key-counts']})
  --memory-requests N    of the part memory (${usual['memory-requests']})
  --decisions N          of each kind, of the part decisions (${usual.decisions})
  --json FILE            results for programs (${usual.json})
  --publish              writes ${publishedJson}, and the page's tables and charts from it
  --note TEXT            said in the results and on the page, as in 'Provisional: others used the machine'
`;

/**
 * @param {string[]} args
 * @returns {Options | undefined} undefined when help was asked for
 * @throws {Error} that says what does not fit
 */
export function readOptions(args) {
  const text = /** @type {const} */ ({ type: 'string' });
  const flag = /** @type {const} */ ({ type: 'boolean', default: false });
  const { values: given } = parseArgs({
    args,
    options: {
      ...{ parts: text, operations: text, workers: text, seconds: text, 'warm-up': text, rounds: text, clients: text },
      'first-requests': text,
      ...{
        'client-counts': text,
        'key-counts': text,
        'memory-requests': text,
        decisions: text,
        json: text,
        note: text,
      },
      ...{ quick: flag, publish: flag, help: flag },
    },
  });
  if (given.help) return undefined;
  if (given.publish && (given.parts ?? given.operations) !== undefined) {
    throw new Error('--publish measures everything: leave out --parts and --operations');
  }
  const values = { ...(given.quick ? quick : usual), ...given };
  return {
    parts: values.parts.split(',').map(partNamed),
    operations: new RegExp(values.operations, 'i'),
    workers: wholeNumbers('--workers', values.workers, 64),
    seconds: numberBetween('--seconds', values.seconds, 0.2, 600),
    warmUpSeconds: numberBetween('--warm-up', values['warm-up'], 0.05, 60),
    firstRequests: wholeNumber('--first-requests', values['first-requests'], 10_000_000),
    rounds: wholeNumber('--rounds', values.rounds, 100),
    clients: wholeNumber('--clients', values.clients, 1024),
    clientCounts: wholeNumbers('--client-counts', values['client-counts'], 1024),
    keyCounts: wholeNumbers('--key-counts', values['key-counts'], 100_000, 4),
    memoryRequests: wholeNumber('--memory-requests', values['memory-requests'], 1_000_000_000),
    decisions: wholeNumber('--decisions', values.decisions, 1_000_000_000),
    json: values.json,
    publish: values.publish,
    ...(values.note !== undefined && { note: values.note }),
  };
}

/** @param {string} name @returns {keyof typeof parts} */
function partNamed(name) {
  if (name in parts) return /** @type {keyof typeof parts} */ (name);
  throw new Error(`--parts takes ${Object.keys(parts).join(', ')}, not ${JSON.stringify(name)}`);
}

/** Sorted. @param {string} name @param {string} list @param {number} most @param {number} [least] */
function wholeNumbers(name, list, most, least = 1) {
  return list
    .split(',')
    .map((text) => wholeNumber(name, text, most, least))
    .sort((a, b) => a - b);
}

/** @param {string} name @param {string} text @param {number} most @param {number} [least] */
function wholeNumber(name, text, most, least = 1) {
  const value = numberBetween(name, text, least, most);
  if (!Number.isInteger(value)) throw new Error(`${name} takes whole numbers, not ${text}`);
  return value;
}

/** @param {string} name @param {string} text @param {number} least @param {number} most */
function numberBetween(name, text, least, most) {
  const value = Number(text);
  if (!(value >= least && value <= most))
    throw new Error(`${name} takes numbers from ${least} to ${most}, not ${JSON.stringify(text)}`);
  return value;
}
