import { setTimeout as wait } from 'node:timers/promises';
import type pg from 'pg';
import type { Changes } from './database.js';
import { type RevisionRow, SeenRevisions } from './seen-revisions.js';

/** Notifications of all stores in one database have one name: who hears of another's change only reads again. */
export const channel = 'hsm_kms_store_revision';

/** How often the revision is read, in milliseconds, in case that a notification is lost. */
const pollMilliseconds = 250;
/** How long what was read of the revision is believed, in milliseconds, from the moment it was asked for. */
const believedMilliseconds = 900;
/** How long after a failure another connection is tried, in milliseconds. */
const pauseMilliseconds = 200;

/** How long a change waits for its own announcement at the most, in milliseconds. */
const echoMilliseconds = 200;

/**
 * The store's revision as PostgreSQL announces it (LISTEN/NOTIFY) on a connection of its own, on which it is also asked
 * for regularly: an answer proves that all announcements before it have come. So what a process believes is never older
 * than a second, also when it is cut off from the database: then it believes nothing.
 */
export class PostgresChanges implements Changes {
  private readonly seen = new SeenRevisions();
  private heard = 0;
  private readonly waiting = new Set<{ readonly revision: number; readonly resolve: () => void }>();
  private believedUntil = 0;
  private client: pg.Client | undefined;
  private listening: Promise<void> | undefined;
  private isClosed = false;

  constructor(private readonly connect: () => pg.Client) {}

  revision(): number | undefined {
    // commands that remember nothing need no connection for this
    this.listening ??= this.listen();
    return performance.now() > this.believedUntil ? undefined : this.seen.revision;
  }

  announce(revision: number) {
    return { sql: 'select pg_notify($1, $2)', parameters: [channel, String(revision)] };
  }

  saw(revision: number): void {
    this.seen.raise(revision);
  }

  /** The announcement comes to all at the same time: when it has come back, the others have it, too. */
  async committed(revision: number): Promise<void> {
    if (this.seen.revision === undefined) return;
    this.seen.raise(revision);
    if (this.heard >= revision) return;
    await new Promise<void>((resolve) => {
      const waiting = { revision, resolve };
      this.waiting.add(waiting);
      setTimeout(() => this.waiting.delete(waiting) && resolve(), echoMilliseconds);
    });
  }

  /** An announcement is anybody's: it makes a process look, and what it finds is believed only where it is sealed. */
  private hear(revision: number): void {
    this.seen.raise(revision);
    this.heard = revision;
    for (const each of this.waiting) {
      if (each.revision <= revision && this.waiting.delete(each)) each.resolve();
    }
  }

  async close(): Promise<void> {
    this.isClosed = true;
    const { client } = this;
    await client?.end().catch(() => {});
  }

  private async listen(): Promise<void> {
    while (!this.isClosed) {
      try {
        await this.follow();
      } catch {
        // requests that need the store say what is wrong
      }
      this.seen.lose();
      this.client?.end().catch(() => {});
      this.client = undefined;
      if (!this.isClosed) await wait(pauseMilliseconds, undefined, { ref: false });
    }
  }

  /** Until the connection fails. */
  private async follow(): Promise<void> {
    const client = this.connect();
    this.client = client;
    client.on('error', () => {});
    await client.connect();
    client.on('notification', ({ payload }) => {
      const revision = Number(payload);
      if (this.client === client && Number.isSafeInteger(revision)) this.hear(revision);
    });
    await client.query(`listen ${channel}`);
    while (!this.isClosed) {
      const asked = performance.now();
      const { revision } = this.seen;
      const { rows } = await client.query<RevisionRow>('select revision, seal from store_revision');
      this.seen.read(rows[0], revision);
      this.believedUntil = asked + believedMilliseconds;
      await wait(pollMilliseconds, undefined, { ref: false });
    }
  }
}
