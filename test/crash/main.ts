/** npm run test:crash: kills the service under load for some time, and looks at what is left. */
import { rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { CrashRun } from './crash-run.js';
import { type CrashStore, stores } from './stores.js';

const progressMilliseconds = 5_000;
const usage = `npm run test:crash -- [--seconds 60] [--seed NUMBER] [--store ${Object.keys(stores).join('|')}]`;

function options() {
  const { values } = parseArgs({
    options: { seconds: { type: 'string' }, seed: { type: 'string' }, store: { type: 'string', default: 'sqlite' } },
  });
  const seconds = Number(values.seconds ?? 60);
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
  if (!(seconds > 0)) throw new Error(`--seconds is ${values.seconds}: give a number above 0. ${usage}`);
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new Error(`--seed is ${values.seed}: give a whole number. ${usage}`);
  const makeStore = stores[values.store];
  if (makeStore === undefined) throw new Error(`--store is ${values.store}. ${usage}`);
  return { seconds, seed, makeStore };
}

const counted = (counts: ReadonlyMap<string, number>) =>
  [...counts].map(([name, count]) => `${name} ${count}`).join(', ') || 'none';

async function crash(): Promise<boolean> {
  const { seconds, seed, makeStore } = options();
  console.log(`seed ${seed}`);
  const store = await makeStore();
  try {
    return await crashOver(store, seconds, seed);
  } finally {
    await store.end();
  }
}

/** @returns whether nothing was lost */
async function crashOver(store: CrashStore, seconds: number, seed: number): Promise<boolean> {
  const run = await CrashRun.start({ seed, store });
  const { dataDir } = run.service;
  process.once('SIGINT', () => {
    console.error(`\nThe data directory is kept: ${dataDir}`);
    // the service goes with this process
    process.exit(130);
  });
  const begin = Date.now();
  let answersBefore = 0;
  const progress = setInterval(() => {
    const elapsed = (Date.now() - begin) / 1000;
    const rate = ((run.answers - answersBefore) / progressMilliseconds) * 1000;
    answersBefore = run.answers;
    const left = Math.max(0, seconds - elapsed).toFixed(0);
    console.log(
      `${elapsed.toFixed(0)} s: ${run.kills} kills, ${run.answers} operations (${rate.toFixed(0)}/s), ${run.model.keys.size} keys, ${left} s left`,
    );
  }, progressMilliseconds);
  try {
    await run.load(seconds * 1000);
    clearInterval(progress);
    console.log(`looking at ${run.model.keys.size} keys and ${run.model.artefacts.length} things made with them`);
    await run.checkEverything();
    console.log(`objects without a row, which doctor --repair has destroyed: ${await run.destroyOrphans()}`);
    await run.checkEverything();
  } catch (error) {
    run.losses.push((error as Error).message);
  } finally {
    clearInterval(progress);
    await run.end();
  }
  console.log(`killed: ${counted(run.killed)}`);
  console.log(`not answered: ${counted(run.unanswered)}`);
  console.log(`longest start: ${Math.max(0, ...run.starts).toFixed(0)} ms`);
  if (run.answers === 0) run.losses.push('no request was answered at all');
  for (const loss of run.losses) console.error(`LOST: ${loss}`);
  if (run.losses.length > 0) console.error(`The data directory is kept: ${dataDir}. To try again: --seed ${seed}`);
  else rmSync(dataDir, { recursive: true });
  console.log(`${run.kills} kills survived, ${run.answers} operations checked, ${run.losses.length} lost`);
  return run.losses.length === 0;
}

try {
  process.exitCode = (await crash()) ? 0 : 1;
} catch (error) {
  console.error(`test:crash: ${(error as Error).message}`);
  process.exitCode = 1;
}
