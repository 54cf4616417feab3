import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { caseNamed } from './cases.mjs';
import { killChildProcesses } from './child-process.mjs';
import { judge } from './goals.mjs';
import { gitFacts, loadAverage, machineFacts } from './machine.mjs';
import { publishedJson, readOptions, usage } from './options.mjs';
import { writePage } from './page.mjs';
import { parts } from './parts.mjs';
import { circumstances, tables } from './report.mjs';
import { ServiceUnderTest } from './service-under-test.mjs';

/**
 * What is written.
 *
 * @typedef {object} Document
 * @property {string} startedAt
 * @property {string} [note] what a reader should know of the run
 * @property {string} [incomplete] why not everything was measured
 * @property {ReturnType<typeof gitFacts>} git
 * @property {ReturnType<typeof machineFacts>} machine
 * @property {{ start: number[], end: number[] }} loadAverage
 * @property {Omit<import('./options.mjs').Options, 'operations' | 'json' | 'publish' | 'note'>} options
 * @property {Record<string, number>} seconds that each part took
 * @property {import('./parts.mjs').Sections} sections
 * @property {import('./goals.mjs').Judgement[]} goals
 */

const warmUpCase = caseNamed('Encrypt SYMMETRIC_DEFAULT 32 bytes');

/** @param {import('./options.mjs').Options} options */
async function run(options) {
  const { operations, json: _, publish, note, ...shown } = options;
  let { json } = options;
  /** @type {Document} */
  const document = {
    startedAt: new Date().toISOString(),
    ...(note && { note }),
    git: gitFacts(),
    machine: machineFacts(),
    loadAverage: { start: loadAverage(), end: [] },
    options: shown,
    seconds: {},
    sections: {},
    goals: [],
  };
  // a terminal's Ctrl-C reaches the services and the other processes, too
  let interrupted = false;
  const interrupt = () => {
    interrupted = true;
    document.incomplete = 'interrupted';
    killChildProcesses();
  };
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  /** @type {Map<number, ServiceUnderTest>} */
  const shared = new Map();
  const warmed = async (/** @type {number} */ workers) => {
    if (interrupted) throw new Error('interrupted');
    const service = shared.get(workers) ?? (await ServiceUnderTest.start(workers));
    if (!shared.has(workers)) {
      shared.set(workers, service);
      await service.warmUp((await service.requestsOf(warmUpCase)).requests, options.firstRequests);
    }
    return service;
  };
  try {
    for (const part of options.parts) {
      const startedAt = performance.now();
      try {
        await runPart(part, options, document, { warmed, isInterrupted: () => interrupted });
      } catch (error) {
        if (!interrupted) document.incomplete = `${part}: ${/** @type {Error} */ (error).message}`;
      }
      document.seconds[part] = Number(((performance.now() - startedAt) / 1000).toFixed(1));
      if (document.incomplete) break;
    }
  } finally {
    for (const service of shared.values()) await service.stop();
    document.loadAverage.end = loadAverage();
    document.goals = judge(document.sections);
    json = publish && !document.incomplete ? publishedJson : options.json;
    mkdirSync(dirname(json), { recursive: true });
    writeFileSync(json, `${JSON.stringify(document, shortened, 1)}\n`);
  }
  console.log(
    [circumstances(document), ...Object.values(tables).map((table) => table(document))].filter(Boolean).join('\n\n'),
  );
  console.error(`\nwritten: ${json}`);
  if (document.incomplete) {
    console.error(`bench: not everything was measured: ${document.incomplete}`);
    process.exitCode = interrupted ? 130 : 1;
  } else if (publish) for (const file of writePage(document)) console.error(`written: ${file}`);
}

/** More digits than were measured help nobody. @param {string} _ @param {unknown} value */
const shortened = (_, value) => (typeof value === 'number' ? Number(value.toPrecision(6)) : value);

/**
 * @param {keyof typeof parts} part
 * @param {import('./options.mjs').Options} options
 * @param {Document} document
 * @param {{ warmed: import('./parts.mjs').Run['warmed'], isInterrupted: () => boolean }} run
 */
async function runPart(part, options, document, { warmed, isInterrupted }) {
  /** @type {ServiceUnderTest[]} */
  const services = [];
  try {
    await parts[part]({
      options,
      keep(section) {
        Object.assign(document.sections, { [part]: section });
        return section;
      },
      progress: (line) => console.error(`${part.padEnd(9)} ${line}`),
      async start(workers, environment) {
        if (isInterrupted()) throw new Error('interrupted');
        const service = await ServiceUnderTest.start(workers, environment);
        services.push(service);
        return service;
      },
      warmed,
    });
  } finally {
    for (const service of services) await service.stop();
  }
}

try {
  const options = readOptions(process.argv.slice(2));
  // the SDK warns of Node 20 going out of its support, which has nothing to do with the bench
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
  if (options === undefined) console.log(usage);
  else await run(options);
} catch (error) {
  console.error(`bench: ${/** @type {Error} */ (error).message}`);
  process.exitCode = 1;
}
