import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { cases, nameOf } from './cases.mjs';
import { decisionsText, measureDecisions } from './decisions.mjs';
import { loadAverage, machineFacts } from './machine.mjs';
import { Measurement } from './measurement.mjs';
import { readOptions, usage } from './options.mjs';
import { goalsText, legend, tableOf } from './report.mjs';
import { judge, resultOf } from './results.mjs';
import { startService } from './service.mjs';
import { requestSigner } from './signed-requests.mjs';

/** @typedef {import('./cases.mjs').Case} Case */

const firstWarmUpSeconds = 4;

/**
 * @param {import('./options.mjs').Options} options
 * @param {import('./service.mjs').Service} service
 * @param {(line: string) => void} progress
 */
async function measureAll(options, service, progress) {
  const chosen = cases.filter((each) => options.operations.test(nameOf(each)));
  if (chosen.length === 0) throw new Error('--operations matches none of the cases');
  const kms = new KMSClient({ endpoint: service.endpoint, credentials: service.credentials, region: 'us-east-1' });
  const sign = requestSigner(service);
  const keyOf = keysMadeOnce(kms);
  const requestsOf = async (/** @type {Case} */ each) => {
    const keyId = await keyOf(each);
    const { inputs, isRight } = await each.prepare({ kms, keyId });
    return { keyId, isRight, requests: await Promise.all(inputs.map((input) => sign(each.operation, input))) };
  };
  // most of the service's code is common to all operations, and V8 takes thousands of requests to compile it well
  const warmUp = async (/** @type {Case} */ each) =>
    measurement.load((await requestsOf(each)).requests, firstWarmUpSeconds);
  const measurement = new Measurement(service, options);
  /** @type {Map<Case, import('./measurement.mjs').Figures[]>} */
  const rounds = new Map(chosen.map((each) => [each, []]));
  try {
    progress('warming up');
    await warmUp(/** @type {Case} */ (chosen[0]));
    for (let round = 1; round <= options.rounds; round++) {
      for (const [index, each] of chosen.entries()) {
        const { keyId, isRight, requests } = await requestsOf(each);
        const { figures, samples } = await measurement.of(each, keyId, requests);
        for (const sample of samples) {
          if (!(await isRight(JSON.parse(sample.body), sample.index))) {
            throw new Error(`${nameOf(each)}: a wrong answer`);
          }
        }
        rounds.get(each)?.push(figures);
        const { requestsPerSecond, cpu } = figures;
        progress(
          `round ${round}/${options.rounds}  ${String(index + 1).padStart(2)}/${chosen.length}  ${nameOf(each).padEnd(60)} ` +
            `${requestsPerSecond.toFixed(0).padStart(6)} requests/s  ${cpu.toFixed(0).padStart(6)} us CPU`,
        );
      }
    }
  } finally {
    measurement.end();
    kms.destroy();
  }
  return chosen.map((each) => resultOf(each, options, rounds.get(each) ?? []));
}

/** Keys by what they are: cases share them. @param {KMSClient} kms */
function keysMadeOnce(kms) {
  /** @type {Map<string, Promise<string>>} */
  const made = new Map();
  return async (/** @type {Case} */ { key }) => {
    if (key === undefined) return '';
    const name = JSON.stringify(key);
    const keyId =
      made.get(name) ?? kms.send(new CreateKeyCommand(key)).then(({ KeyMetadata }) => KeyMetadata?.KeyId ?? '');
    made.set(name, keyId);
    return keyId;
  };
}

async function main() {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) return console.log(usage);
  // the SDK warns of Node 20 going out of its support, which has nothing to do with the bench
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
  const machine = machineFacts();
  const startedAt = new Date();
  const loadBefore = loadAverage();
  console.log(
    Object.entries(machine)
      .map(([name, value]) => `${name}: ${value}`)
      .join('\n'),
  );
  console.log(`load average at start: ${loadBefore.join(' ')}`);
  console.error(`starting the service with ${options.workers} worker(s), ${options.clients} clients`);

  const service = await startService(options.workers);
  const interrupted = () => void service.stop().finally(() => process.exit(130));
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  let results;
  try {
    results = await measureAll(options, service, (line) => console.error(line));
  } finally {
    await service.stop();
  }

  const decisions = measureDecisions();
  const goals = judge(results);
  const loadAfter = loadAverage();
  console.log(`load average at end: ${loadAfter.join(' ')}\n`);
  console.log(`${tableOf(results)}\n\n${legend}\n\n${decisionsText(decisions)}\n\n${goalsText(goals)}`);
  const { seconds, warmUpSeconds, rounds, workers, clients } = options;
  const document = {
    startedAt,
    machine,
    loadAverage: { before: loadBefore, after: loadAfter },
    options: { seconds, warmUpSeconds, rounds, workers, clients },
    results,
    decisions,
    goals,
  };
  mkdirSync(dirname(options.json), { recursive: true });
  writeFileSync(options.json, `${JSON.stringify(document, undefined, 2)}\n`);
  console.error(`written: ${options.json}`);
}

try {
  await main();
} catch (error) {
  console.error(`bench: ${/** @type {Error} */ (error).message}`);
  process.exitCode = 1;
}
