import { setTimeout as wait } from 'node:timers/promises';
import { TestPostgres } from '../service/postgres/server.mjs';
import type { Kill } from './kills.js';

/** Where the service keeps its metadata, and what of it can be killed. */
export interface CrashStore {
  /** What tells the service of it. */
  readonly environment: NodeJS.ProcessEnv;
  readonly kills: readonly Kill[];
  readonly end: () => Promise<void>;
}

/** After a SIGKILL, PostgreSQL's other processes need a moment to end, before it can start again. */
const starts = { attempts: 500, milliseconds: 200 } as const;

async function startAgain(server: TestPostgres): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await server.run();
      return;
    } catch (error) {
      if (attempt === starts.attempts) throw error;
    }
    await wait(starts.milliseconds);
  }
}

async function postgres(): Promise<CrashStore> {
  const server = await TestPostgres.start();
  return {
    environment: { DATABASE_URL: await server.createDatabase('crash') },
    kills: [
      {
        name: 'PostgreSQL',
        weight: 5,
        ends: false,
        async run() {
          await server.kill();
          await startAgain(server);
        },
      },
    ],
    end: () => server.stop(),
  };
}

/** By what --store says. */
export const stores: Readonly<Record<string, () => Promise<CrashStore>>> = {
  sqlite: async () => ({ environment: {}, kills: [], end: async () => {} }),
  postgres,
};
