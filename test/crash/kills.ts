import type { Random } from './random.js';
import type { ServiceProcess } from './service-process.js';

/** A way to end processes of the service. */
export interface Kill {
  readonly name: string;
  /** How often, beside the others. */
  readonly weight: number;
  /** Whether the service has to be started again. */
  readonly ends: boolean;
  readonly run: (service: ServiceProcess, random: Random) => Promise<void>;
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it has ended by itself: a worker whose supervisor was killed
  }
}

export const kills: readonly Kill[] = [
  {
    name: 'a worker',
    weight: 6,
    ends: false,
    async run(service, random) {
      const workers = service.workers();
      if (workers.length > 0) end(random.pick(workers));
    },
  },
  {
    name: 'all workers',
    weight: 3,
    ends: false,
    async run(service) {
      for (const worker of service.workers()) end(worker);
    },
  },
  { name: 'the supervisor', weight: 3, ends: true, run: (service) => service.signal('SIGKILL') },
  { name: 'everything', weight: 4, ends: true, run: (service) => service.kill() },
  { name: 'SIGTERM', weight: 1, ends: true, run: (service) => service.signal('SIGTERM') },
];
