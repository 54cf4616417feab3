export function whyNoPostgres(): string | undefined;

export class TestPostgres {
  static start(): Promise<TestPostgres>;
  readonly port: number;
  run(): Promise<unknown>;
  url(database: string): string;
  createDatabase(name?: string): Promise<string>;
  execute(database: string, statement: string): Promise<Record<string, unknown>[]>;
  standby(): Promise<TestPostgres>;
  promote(): Promise<void>;
  demandTls(role: string, files: { readonly certificate: string; readonly key: string }): Promise<void>;
  kill(): Promise<void>;
  shutDown(): Promise<void>;
  stop(): Promise<void>;
}
