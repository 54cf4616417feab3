import { setTimeout as wait } from 'node:timers/promises';
import { loadModule, restartModule } from './module.js';
import type { ScoutReport } from './scout.js';
import { readWriteSession } from './session-pool.js';
import { selectSlot } from './token-selection.js';
import type { TokenPlace } from './token-settings.js';

/** How long after a failure the token is looked for again, in milliseconds. */
const pauseMilliseconds = 200;

process.on('message', (place: TokenPlace) => void lookFor(place));
// nobody waits for it any more; a module may have threads that would keep the process
process.on('disconnect', () => process.exit(0));

async function lookFor(place: TokenPlace): Promise<void> {
  for (let isFirst = true; ; isFirst = false) {
    const report = look(place, isFirst);
    process.send?.(report);
    if (report.answers) return;
    await wait(pauseMilliseconds);
  }
}

function look(place: TokenPlace, isFirst: boolean): ScoutReport {
  const start = performance.now();
  try {
    const cryptoki = loadModule(place.module, place.moduleParameters);
    if (!isFirst) restartModule(place.module, place.moduleParameters);
    cryptoki.C_CloseSession(cryptoki.C_OpenSession(selectSlot(cryptoki, place.selector), readWriteSession));
    return { answers: true };
  } catch (error) {
    return { answers: false, why: (error as Error).message, milliseconds: performance.now() - start };
  }
}
