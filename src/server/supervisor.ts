import { type Logger, pino } from 'pino';
import { servesTls } from '../config/listener.js';
import type { Settings } from '../config/settings.js';
import { Metrics } from '../metrics/metrics.js';
import { SupervisorAudit } from './audit/supervisor-audit.js';
import { Connections } from './connections.js';
import { dataDirectory } from './data-directory.js';
import { checkDatabase, claimDataDirectory } from './data-directory-use.js';
import { watchDisks } from './disk-watch.js';
import { type CountingWorker, FleetMetrics } from './fleet-metrics.js';
import { serviceManager } from './service-manager.js';
import { WorkerFleet } from './worker-fleet.js';

const answering = 'answering requests';

/**
 * Accepts connections and runs the workers that serve them; loads no PKCS#11 module itself, so that a module that
 * crashes takes a worker with it and not the service.
 *
 * SIGTERM and SIGINT stop it, SIGHUP replaces the workers one after the other: but for the SIGHUP of a terminal that is
 * gone.
 *
 * @param ready is called when all workers are
 * @returns when SIGTERM or SIGINT has stopped everything
 * @throws Error that says what to do, when a worker cannot start the first time or another service is at work
 */
export async function supervise(
  settings: Settings,
  ready: (address: { host: string; port: number }) => void,
): Promise<void> {
  const directory = dataDirectory(settings);
  checkDatabase(settings);
  const claim = claimDataDirectory(directory);
  try {
    if (settings.requestQuotas.length > 0) (await import('./request-counters.js')).countForWorkers();
    await superviseWorkers(settings, ready);
  } finally {
    claim?.release();
  }
}

async function superviseWorkers(
  settings: Settings,
  ready: (address: { host: string; port: number }) => void,
): Promise<void> {
  const log = pino({ level: settings.logLevel, base: { pid: process.pid } }, pino.destination(2));
  const audit = await SupervisorAudit.open(settings, log);
  try {
    await runFleet(settings, log, audit, ready);
  } finally {
    await audit?.close();
  }
}

async function runFleet(
  settings: Settings,
  log: Logger,
  audit: SupervisorAudit | undefined,
  ready: (address: { host: string; port: number }) => void,
): Promise<void> {
  const manager = serviceManager(log);
  let fleet: WorkerFleet | undefined;
  const connections = await Connections.listen(settings, () => fleet?.takers() ?? [], log);
  const { port } = connections;
  const stopWatching = watchDisks(settings, log, (disk, state) =>
    audit?.tell('ChangeDiskState', { directory: disk, state }),
  );
  let failure: Error | undefined;
  const counted = new FleetMetrics(
    supervisorMetrics(connections, () => fleet, audit),
    () => fleet?.counting() ?? [],
  );

  await new Promise<void>((resolve) => {
    const workers = new WorkerFleet(settings, log, {
      takes: () => connections.distribute(),
      givenBack: (socket) => connections.accept(socket),
      ready() {
        ready({ host: settings.host, port });
        audit?.start(() => workers.auditing());
        manager.ready(answering);
      },
      failed(message, code) {
        failure ??= Object.assign(new Error(message), { exitCode: code ?? 1 });
        workers.kill();
      },
      counted: (worker, { samples, inventory }) => counted.hear(worker, samples, inventory),
      ended(worker) {
        counted.forget(worker);
        audit?.workers.gone(worker);
      },
      metricsAsked: (worker, id) => void answerMetrics(counted, worker, id),
      stopped: resolve,
      auditHeard: (answer) => audit?.workers.hear(answer),
      lastLeft: async () => audit?.end(),
      replaced(pid, reason) {
        audit?.tell('ReplaceWorker', { pid, reason });
        if (reason !== 'rolled' && reason !== 'grown') audit?.workerCrashed();
      },
    });
    fleet = workers;
    const stop = () => {
      manager.stopping();
      connections.close();
      workers.stop();
    };
    const reload = async () => {
      manager.reloading();
      if (servesTls(settings)) workers.renewTls();
      await workers.roll();
      manager.ready(answering);
    };
    // read now: when its terminal is gone, there is nothing to ask any more
    const hasTerminal = process.stdin.isTTY === true || process.stdout.isTTY === true;
    process.on('SIGHUP', hasTerminal ? stop : () => void reload());
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
  });
  stopWatching();
  connections.close();
  if (failure) throw failure;
}

async function answerMetrics(counted: FleetMetrics, worker: CountingWorker, id: number): Promise<void> {
  worker.send({ kind: 'metrics', id, text: await counted.text() });
}

/** What the supervisor counts itself. */
function supervisorMetrics(
  connections: Connections,
  fleet: () => WorkerFleet | undefined,
  audit: SupervisorAudit | undefined,
): Metrics {
  const metrics = new Metrics();
  audit?.publish(metrics);
  metrics.collect((families) => {
    families.connectionsGiven.at().value = connections.given;
    families.connectionsDropped.at().value = connections.dropped;
    families.connectionsWaiting.at().value = connections.waiting;
    const workers = fleet();
    if (workers === undefined) return;
    for (const [state, count] of Object.entries(workers.states())) families.workers.at(state).value = count;
    for (const [reason, count] of Object.entries(workers.replacements)) {
      families.workerReplacements.at(reason).value = count;
    }
  });
  return metrics;
}
