import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { caseNamed } from './cases.mjs';
import { killChildProcesses } from './child-process.mjs';
import { judge } from './goals.mjs';
import { gitFacts, loadAverage, machineFacts } from './machine.mjs';
import { readOptions, usage } from './options.mjs';
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
 * @property {boolean} [interrupted]
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
  const { operations, json, publish, note, ...shown } = options;
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
  const interrupt = () => {
    document.interrupted = true;
    killChildProcesses();
  };
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  /** @type {Map<number, ServiceUnderTest>} */
  const shared = new Map();
  const warmed = async (/** @type {number} */ workers) => {
    if (document.interrupted) throw new Error('interrupted');
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
        await runPart(part, options, document, warmed);
      } catch (error) {
        if (!document.interrupted) throw error;
      }
      document.seconds[part] = Number(((performance.now() - startedAt) / 1000).toFixed(1));
      if (document.interrupted) break;
    }
  } finally {
    for (const service of shared.values()) await service.stop();
    document.loadAverage.end = loadAverage();
    document.goals = judge(document.sections);
    mkdirSync(dirname(json), { recursive: true });
    writeFileSync(json, `${JSON.stringify(document, undefined, 1)}\n`);
  }
  console.log(
    [circumstances(document), ...Object.values(tables).map((table) => table(document))].filter(Boolean).join('\n\n'),
  );
  console.error(`\nwritten: ${json}`);
  if (publish) for (const file of writePage(document)) console.error(`written: ${file}`);
  if (document.interrupted) process.exitCode = 130;
}

/**
 * @param {keyof typeof parts} part
 * @param {import('./options.mjs').Options} options
 * @param {Document} document
 * @param {(workers: number) => Promise<ServiceUnderTest>} warmed
 */
async function runPart(part, options, document, warmed) {
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
      async start(workers) {
        if (document.interrupted) throw new Error('interrupted');
        const service = await ServiceUnderTest.start(workers);
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
