import Sqlite from 'better-sqlite3';

/**
 * Everything that better-sqlite3 has made in this process, so that none of it is collected as garbage: Node.js 24.19 and
 * later end the process (SIGABRT, "Assertion failed: (env) != nullptr") when that happens while no JavaScript runs, as in
 * a service that has nothing to do. better-sqlite3 13 is free of it, and needs Node.js 22.
 */
const kept: SqliteConnection[] = [];

export type Statement = Sqlite.Statement<unknown[]>;

/** A connection to a SQLite file. */
export class SqliteConnection {
  private readonly database: Sqlite.Database;
  private readonly statements = new Map<string, Statement>();

  /** @throws SqliteError */
  constructor(file: string, options?: Sqlite.Options) {
    this.database = new Sqlite(file, options);
    kept.push(this);
  }

  get inTransaction(): boolean {
    return this.database.inTransaction;
  }

  /** The statement of a text, which is made once: all queries of Kysely are of few texts. @throws SqliteError */
  prepare(text: string): Statement {
    const known = this.statements.get(text);
    if (known) return known;
    const statement = this.database.prepare<unknown[]>(text);
    this.statements.set(text, statement);
    return statement;
  }

  /** @throws SqliteError */
  rows(text: string): Record<string, unknown>[] {
    return this.prepare(text).all() as Record<string, unknown>[];
  }

  /** The first column of each row. @throws SqliteError */
  column(text: string): unknown[] {
    return this.rows(text).map((row) => Object.values(row)[0]);
  }

  /** The first column of the first row. @throws SqliteError */
  value(text: string): unknown {
    return this.column(text)[0];
  }

  /** Statements without an answer. @throws SqliteError */
  exec(text: string): void {
    this.database.exec(text);
  }

  close(): void {
    this.database.close();
  }
}
