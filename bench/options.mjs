import { parseArgs } from 'node:util';

/**
 * What is measured, and how long.
 *
 * @typedef {object} Options
 * @property {RegExp} operations only the cases whose name it matches
 * @property {number} seconds length of a measurement
 * @property {number} warmUpSeconds what is not measured before it
 * @property {number} rounds how often everything is measured; the medians are reported
 * @property {number} workers of the service, and processes of the direct calls
 * @property {number} clients connections, each with one request under way
 * @property {string} json file that is written
 */

export const usage = `npm run bench -- [options]

Measures the service and, in the same run, the same operations called directly through pkcs11js.

  --operations TEXT   only the cases whose name holds TEXT, a regular expression ('Encrypt', 'Sign RSA')
  --seconds N         length of a measurement (3)
  --warm-up N         seconds before it that are not measured (1)
  --rounds N          how often everything is measured; the medians are reported (1)
  --workers N         workers of the service, and processes of the direct calls (1)
  --clients N         connections, each with one request under way (16)
  --json FILE         results for programs (bench/results/latest.json)
`;

/**
 * @param {string[]} args
 * @returns {Options | undefined} undefined when help was asked for
 * @throws {Error} that says what does not fit
 */
export function readOptions(args) {
  const { values } = parseArgs({
    args,
    options: {
      operations: { type: 'string', default: '' },
      seconds: { type: 'string', default: '3' },
      'warm-up': { type: 'string', default: '1' },
      rounds: { type: 'string', default: '1' },
      workers: { type: 'string', default: '1' },
      clients: { type: 'string', default: '16' },
      json: { type: 'string', default: 'bench/results/latest.json' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  return {
    operations: new RegExp(values.operations, 'i'),
    seconds: numberBetween('--seconds', values.seconds, 0.2, 600),
    warmUpSeconds: numberBetween('--warm-up', values['warm-up'], 0, 60),
    rounds: wholeNumber('--rounds', values.rounds, 100),
    workers: wholeNumber('--workers', values.workers, 64),
    clients: wholeNumber('--clients', values.clients, 1024),
    json: values.json,
  };
}

/** @param {string} name @param {string} text @param {number} most */
function wholeNumber(name, text, most) {
  const value = numberBetween(name, text, 1, most);
  if (!Number.isInteger(value)) throw new Error(`${name} takes a whole number, not ${text}`);
  return value;
}

/** @param {string} name @param {string} text @param {number} least @param {number} most */
function numberBetween(name, text, least, most) {
  const value = Number(text);
  if (!(value >= least && value <= most))
    throw new Error(`${name} takes a number from ${least} to ${most}, not ${text}`);
  return value;
}
