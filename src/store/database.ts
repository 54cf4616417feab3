import type { Dialect, Kysely, KyselyPlugin } from 'kysely';
import type { DatabaseState } from './database-identity.js';
import type { Schema } from './schema.js';

/** What differs between the databases that a store can be in. */
export interface Database {
  readonly kind: 'SQLite' | 'PostgreSQL';
  readonly dialect: Dialect;
  /** Whose database it is, and how old. @throws DatabaseRefusedError when it is not this program's */
  inspect(db: Kysely<Schema>): Promise<DatabaseState>;
  /** How migrations are made, where that is another way. */
  migrations?(): { readonly dialect: Dialect; readonly plugins: KyselyPlugin[] };
  /** The time by which all processes of the store go, in milliseconds since the epoch. */
  time(db: Kysely<unknown>): Promise<number>;
  /** Lets one process of all nodes at a time do something, where files of one machine do not see to that. */
  exclusively?<T>(task: string, work: () => Promise<T>): Promise<T>;
  /** How many connections other processes of this program have, where no file of one machine tells. */
  otherConnections?(db: Kysely<unknown>): Promise<number>;
  readonly changes: Changes;
  /** Ends what is beside the dialect. */
  close(): Promise<void>;
}

/** How a process learns that something it may have in memory has changed in the store. */
export interface Changes {
  /**
   * A number that differs from the previous one when anything was changed, by this process or by another; undefined
   * while that cannot be known, and nothing in memory may be believed.
   */
  revision(): number | undefined;
  /** Tells the other processes of a change, in its transaction. @param revision the store's, after the change */
  announce?(revision: number): { readonly sql: string; readonly parameters: readonly unknown[] };
  /** Others have committed at least this, which may not have been heard of yet. */
  saw?(revision: number): void;
  /** A change by this process was committed: done when the other processes are likely to have heard of it. */
  committed?(revision: number): Promise<void>;
}
