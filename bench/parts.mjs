import { measureAudit } from './audit.mjs';
import { measureChanges } from './changes.mjs';
import { measureClientGrowth } from './client-growth.mjs';
import { measureDecisions } from './decisions.mjs';
import { measureFlood } from './flood.mjs';
import { measureKeyGrowth } from './key-growth.mjs';
import { measureMatrix } from './matrix.mjs';
import { measureMemory } from './memory.mjs';
import { measureProcesses } from './processes.mjs';

/**
 * What a part works with.
 *
 * @typedef {object} Run
 * @property {import('./options.mjs').Options} options
 * @property {<S extends object>(section: S) => S} keep takes the part's results, which it goes on to fill: an interrupted
 *   run writes what is in there
 * @property {(line: string) => void} progress tells the person at the terminal
 * @property {(workers: number, environment?: NodeJS.ProcessEnv) => Promise<ServiceUnderTest>} start a service that ends
 *   with the part, with more settings perhaps
 * @property {(workers: number) => Promise<ServiceUnderTest>} warmed a service that is warmed up, and that other parts
 *   use as well
 */

/** @typedef {import('./service-under-test.mjs').ServiceUnderTest} ServiceUnderTest */
/** @typedef {(run: Run) => Promise<void>} Part */

/**
 * The parts of the bench in their order: what fills the services that several use comes last. Their names are those of --parts and of the results' sections.
 *
 * @satisfies {Record<string, Part>}
 */
export const parts = {
  clients: measureClientGrowth,
  flood: measureFlood,
  audit: measureAudit,
  changes: measureChanges,
  processes: measureProcesses,
  matrix: measureMatrix,
  keys: measureKeyGrowth,
  memory: measureMemory,
  decisions: measureDecisions,
};

/**
 * What a run has measured: sections of parts that did not run, or did not end, are missing or incomplete.
 *
 * @typedef {object} Sections
 * @property {import('./results.mjs').Result[]} [matrix]
 * @property {import('./key-growth.mjs').KeyGrowth} [keys]
 * @property {import('./client-growth.mjs').ClientGrowth[]} [clients]
 * @property {import('./flood.mjs').FloodResult[]} [flood]
 * @property {import('./audit.mjs').AuditCost[]} [audit]
 * @property {import('./changes.mjs').ChangesCost[]} [changes]
 * @property {import('./processes.mjs').ProcessesCost[]} [processes]
 * @property {import('./memory.mjs').MemoryResult[]} [memory]
 * @property {import('./decisions.mjs').DecisionTime[]} [decisions]
 */
