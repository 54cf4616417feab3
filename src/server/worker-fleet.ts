import cluster from 'node:cluster';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import type { Settings } from '../config/settings.js';
import type { AuditedWorker, AuditMessage } from './audit/audited-workers.js';
import type { ConnectionTaker } from './connections.js';
import { givePin, pinAnnouncement } from './environment-pin.js';
import { FleetMember, type WorkerState } from './fleet-member.js';
import type { CountingWorker } from './fleet-metrics.js';
import { allocatorVariables } from './memory-allocator.js';
import { WorkerGrowth } from './worker-growth.js';
import { assignmentVariable, type FromWorker, heartbeatMilliseconds } from './worker-messages.js';
import type { Counted } from './worker-metrics.js';
import type { WorkerAssignment } from './worker-process.js';

/** A worker that lived that long is not one that keeps ending, in milliseconds. */
const stableMilliseconds = 60_000;
/** After how many ends in a row a worker is replaced how much later, in milliseconds. */
const restartDelays = [
  { ends: 0, milliseconds: 0 },
  { ends: 1, milliseconds: 100 },
  { ends: 3, milliseconds: 400 },
  // for half a minute a module that crashes at each start is tried about twice a second, then less often
  { ends: 60, milliseconds: 2_000 },
  { ends: 120, milliseconds: 10_000 },
] as const;
/** A worker that starts may be silent so many times longer: a module's initialisation can take its time. */
const patienceForStart = 4;
/** A worker that was not heard of for so long is given no connection if there is another, in milliseconds. */
const silenceMilliseconds = 3 * heartbeatMilliseconds;
/** Threads of libuv that are not for the token: files, names. */
const otherThreads = 4;
/** How long a worker that is replaced keeps connections without a request, in milliseconds. */
const idleWhenReplaced = 5_000;
/** How long one that is stopped does. */
const idleWhenStopped = 250;
/** What a worker is given to end by itself beyond the drain, in milliseconds. */
const endMilliseconds = 2_000;
/** What one is given beyond that which is heard of: a slow disk still takes its last events. */
const lastWordsMilliseconds = 8_000;
/** What the last one is given beyond that, to sign the audit log when the others have ended. */
const signMilliseconds = 8_000;

/**
 * Why a worker was replaced: by a signal, by itself, silent for too long, at its own wish, by SIGHUP, because its memory
 * had grown.
 */
export type ReplacementReason = 'crashed' | 'ended' | 'hung' | 'stuck' | 'rolled' | 'grown';

interface WorkerEnd {
  readonly code: number | null;
  readonly signal: string | null;
}

/** What the fleet tells who keeps it. */
export interface FleetEvents {
  /** A worker takes connections that did not. */
  takes(): void;
  /** A connection that a worker was given and did not take: it has ended. */
  givenBack(socket: Socket): void;
  /** All workers are ready, for the first time. */
  ready(): void;
  /** A worker ended at the first start. */
  failed(message: string, code: number | null): void;
  /** A worker says what it has counted. */
  counted(worker: CountingWorker, counted: Counted): void;
  /** A worker has ended. */
  ended(worker: CountingWorker & AuditedWorker): void;
  /** One that was not told to. */
  replaced(process: number | undefined, reason: ReplacementReason): void;
  /** A worker was asked for everything that the service counts. */
  metricsAsked(worker: CountingWorker, id: number): void;
  /** A worker says what it was asked about the audit log, or that it begins a stream. */
  auditHeard(message: AuditMessage): void;
  /** After `stop`, only the worker is left that signs the audit log; it is to `leave` when it has. */
  lastLeft(): Promise<void>;
  /** The last worker has ended, after `stop`. */
  stopped(): void;
}

/** The worker processes: as many as are set, replaced when they end, hang or ask for it. */
export class WorkerFleet {
  private readonly members = new Set<FleetMember>();
  private readonly launches = new Set<NodeJS.Timeout>();
  private readonly heartbeat: NodeJS.Timeout;
  /** How often a worker was replaced, and why. */
  readonly replacements: Record<ReplacementReason, number> = {
    crashed: 0,
    ended: 0,
    hung: 0,
    stuck: 0,
    rolled: 0,
    grown: 0,
  };
  private readonly growth: WorkerGrowth;
  private announced = false;
  private stopping = false;
  private isSigning = false;
  private rolling = false;
  private ends = 0;

  constructor(
    private readonly settings: Settings,
    private readonly log: Logger,
    private readonly events: FleetEvents,
  ) {
    cluster.setupPrimary({ exec: fileURLToPath(new URL('../server/worker-main.js', import.meta.url)) });
    this.growth = new WorkerGrowth(settings.workerGrowthMegabytes);
    this.heartbeat = setInterval(() => this.endThoseThatHang(), heartbeatMilliseconds);
    for (let each = 0; each < settings.workers; each++) this.launch();
  }

  /** How many there are in each state. */
  states(): Readonly<Record<WorkerState, number>> {
    const states = { starting: 0, waiting: 0, ready: 0, leaving: 0 };
    for (const { state } of this.members) states[state] += 1;
    return states;
  }

  /** Those that can be asked what they have counted: one that starts does not listen yet. */
  counting(): readonly CountingWorker[] {
    return [...this.members].filter(({ state, worker }) => state !== 'starting' && worker.isConnected());
  }

  /** Those that write to the audit log, or are about to. */
  auditing(): readonly AuditedWorker[] {
    return [...this.members].filter(({ worker }) => worker.isConnected());
  }

  /** Those that can be given connections: those that are ready, not held up if possible, or else those that wait. */
  takers(): ConnectionTaker[] {
    const ready = [...this.members].filter(({ state }) => state === 'ready');
    if (ready.length === 0) return [...this.members].filter(({ state }) => state === 'waiting');
    const since = performance.now() - silenceMilliseconds;
    const lively = ready.filter(({ heard }) => heard > since);
    return lively.length > 0 ? lively : ready;
  }

  renewTls(): void {
    for (const member of this.members) member.send({ kind: 'renew TLS' });
  }

  /** Replaces all workers, one after the other; stops with that when a new one does not start. */
  async roll(): Promise<void> {
    if (this.rolling || !this.announced || this.stopping) return;
    this.rolling = true;
    try {
      for (const member of [...this.members].filter(({ state }) => state !== 'leaving')) {
        if (this.stopping) return;
        if (!(await this.replace(member, 'rolled'))) {
          this.log.error('a new worker does not start: the others are left as they are');
          return;
        }
      }
      this.log.info('all workers have been replaced');
    } finally {
      this.rolling = false;
    }
  }

  /** Ends all workers when they have answered what is under way, at the latest when the drain is over. */
  stop(): void {
    if (this.stopping) return;
    this.stopping = true;
    for (const launch of this.launches) clearTimeout(launch);
    const signer = this.settings.auditMode === 'off' ? undefined : [...this.members].find(({ isReady }) => isReady);
    for (const member of this.members) this.dismiss(member, idleWhenStopped, member === signer);
    this.lookWhetherStopped();
  }

  /** Ends all workers at once. */
  kill(): void {
    this.stopping = true;
    for (const { worker } of this.members) worker.process.kill('SIGKILL');
    this.lookWhetherStopped();
  }

  private launch(): FleetMember {
    const assignment: WorkerAssignment = { settings: this.settings, replaces: this.announced };
    const worker = cluster.fork({
      ...allocatorVariables(),
      UV_THREADPOOL_SIZE: String(this.settings.tokenSessions + otherThreads),
      [assignmentVariable]: JSON.stringify(assignment),
      ...pinAnnouncement(),
    });
    givePin(worker);
    const member = new FleetMember(worker);
    this.members.add(member);
    worker.on('message', (message: FromWorker) => this.hear(member, message));
    worker.on('error', (error) => {
      // what was written to a worker that has just ended is lost; its exit follows
      if (worker.process.pid === undefined) throw error;
    });
    worker.on('exit', (code, signal) => this.bury(member, code, signal));
    return member;
  }

  private hear(member: FleetMember, message: FromWorker): void {
    member.heard = performance.now();
    if (message.kind === 'alive') this.lookAt(member, message);
    else if (message.kind === 'took') member.took(message.id);
    else if (message.kind === 'failed') member.failure = message.message;
    else if (message.kind === 'replace me') void this.replace(member, 'stuck');
    else if (message.kind === 'counted') this.events.counted(member, message);
    else if (message.kind === 'metrics') this.events.metricsAsked(member, message.id);
    else if (message.kind === 'waiting' || message.kind === 'ready') this.welcome(member, message.kind);
    else if (message.kind === 'audit head' || message.kind === 'checkpoint' || message.kind === 'audit stream')
      this.events.auditHeard(message);
    else if (message.kind === 'drained') {
      member.isDrained = true;
      // it stays until the others have ended, to sign
      this.endLater(member, member.endAt - performance.now() + signMilliseconds);
      this.lookWhetherStopped();
    }
  }

  private lookAt(member: FleetMember, { connections, residentBytes }: Extract<FromWorker, { kind: 'alive' }>): void {
    member.connections = connections;
    if (member.state !== 'ready' || !this.announced || this.rolling) return;
    if (!this.growth.isToBeReplaced(member, residentBytes)) return;
    this.log.warn(
      { worker: member.worker.process.pid, residentBytes },
      'a worker has grown: a new one takes its place',
    );
    void this.replace(member, 'grown');
  }

  private welcome(member: FleetMember, state: 'waiting' | 'ready'): void {
    member.listens = true;
    if (member.state === 'leaving') {
      // what it was told before it listened is lost
      member.send({ kind: 'stop', idleMilliseconds: idleWhenStopped });
      return;
    }
    if (state === 'waiting' && member.state !== 'starting') return;
    member.state = state;
    if (state === 'ready') {
      member.isReady = true;
      member.settle(true);
    }
    this.events.takes();
    if (this.announced && state === 'ready') this.spreadConnections();
    if (!this.announced && [...this.members].every((each) => each.state === 'ready')) {
      this.announced = true;
      this.events.ready();
    }
  }

  /** Clients of a worker that has ended came to the others, and keep their connections: its successor would have none. */
  private spreadConnections(): void {
    const ready = [...this.members].filter(({ state }) => state === 'ready');
    const share = Math.ceil(ready.reduce((sum, { connections }) => sum + connections, 0) / ready.length);
    for (const member of ready) {
      const count = member.connections - share;
      if (count > 0) member.send({ kind: 'spare connections', count });
    }
  }

  private bury(member: FleetMember, code: number | null, signal: string | null): void {
    const { failure } = member;
    this.members.delete(member);
    this.events.ended(member);
    member.settle(false);
    for (const socket of member.untaken()) this.events.givenBack(socket);
    if (this.stopping) this.lookWhetherStopped();
    else if (!this.announced) this.events.failed(failure ?? `a worker ended at its start (${signal ?? code})`, code);
    else if (this.staying() + this.launches.size < this.settings.workers) this.launchLater(member, { code, signal });
  }

  /** How many workers there are, but for those that are to end. */
  private staying(): number {
    return [...this.members].filter(({ state }) => state !== 'leaving').length;
  }

  /** In the place of one that has ended. */
  private launchLater({ worker, failure, launchedAt, hangs }: FleetMember, end: WorkerEnd): void {
    const reason = hangs ? 'hung' : end.signal === null ? 'ended' : 'crashed';
    this.replacements[reason] += 1;
    this.events.replaced(worker.process.pid, reason);
    if (performance.now() - launchedAt > stableMilliseconds) this.ends = 0;
    const delay = restartDelays.findLast(({ ends }) => this.ends >= ends)?.milliseconds ?? 0;
    this.ends += 1;
    this.log.error({ worker: worker.process.pid, reason, ...end, failure, delay }, 'a worker ended and is replaced');
    const launch = setTimeout(() => {
      this.launches.delete(launch);
      this.launch();
    }, delay);
    this.launches.add(launch);
  }

  /** Has a new worker take the place of one. @returns whether it does */
  private async replace(member: FleetMember, reason: ReplacementReason): Promise<boolean> {
    if (member.isBeingReplaced || this.stopping) return true;
    member.isBeingReplaced = true;
    this.log.info({ worker: member.worker.process.pid, reason }, 'a worker is replaced');
    const isReady = await this.launch().settled;
    member.isBeingReplaced = false;
    if (isReady && !this.stopping && this.members.has(member)) {
      this.replacements[reason] += 1;
      this.events.replaced(member.worker.process.pid, reason);
      this.dismiss(member, idleWhenReplaced);
    }
    return isReady;
  }

  private dismiss(member: FleetMember, idleMilliseconds: number, signs = false): void {
    member.state = 'leaving';
    member.send({ kind: 'stop', idleMilliseconds, signs });
    this.endLater(member, Math.max(this.settings.drainMilliseconds, idleMilliseconds) + endMilliseconds);
  }

  /** Ends a worker that is leaving, unless it does so itself; what was said before about it is no longer true. */
  private endLater(member: FleetMember, milliseconds: number): void {
    member.endAt = performance.now() + milliseconds;
    this.endWhenSilent(member, milliseconds);
  }

  private endWhenSilent(member: FleetMember, milliseconds: number): void {
    clearTimeout(member.end);
    member.end = setTimeout(() => {
      const now = performance.now();
      const isHeard = now - member.heard < silenceMilliseconds;
      if (isHeard && now < member.endAt + lastWordsMilliseconds) this.endWhenSilent(member, heartbeatMilliseconds);
      else member.worker.process.kill('SIGKILL');
    }, milliseconds);
    member.end.unref();
  }

  private lookWhetherStopped(): void {
    const [last] = this.members;
    if (last?.isDrained && this.members.size === 1 && !this.isSigning) {
      this.isSigning = true;
      void this.events.lastLeft().finally(() => {
        last.send({ kind: 'leave' });
        this.endLater(last, endMilliseconds);
      });
    }
    if (last) return;
    clearInterval(this.heartbeat);
    this.events.stopped();
  }

  private lastLook = performance.now();

  private endThoseThatHang(): void {
    const now = performance.now();
    // this process was held up itself, by a machine that slept perhaps: its workers have still to be heard
    const wasHeldUp = now - this.lastLook > 4 * heartbeatMilliseconds;
    this.lastLook = now;
    for (const member of this.members) {
      if (wasHeldUp) member.heard = now;
      const silent = now - member.heard;
      const patience = this.settings.hangMilliseconds * (member.state === 'starting' ? patienceForStart : 1);
      if (silent <= patience) continue;
      this.log.error({ worker: member.worker.process.pid, silent: Math.round(silent) }, 'a worker hangs, and is ended');
      member.hangs = true;
      member.worker.process.kill('SIGKILL');
    }
  }
}
