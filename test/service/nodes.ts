import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KMS } from '@aws-sdk/client-kms';
import { describe } from '@jest/globals';
import { softHsmConfiguration, softHsmModule } from '../../src/token/softhsm.js';
import { expectFreshBuild } from './built-service.js';
import { keyLabels, makeToken } from './further-token.js';
import { PostgresProxy } from './postgres/proxy.js';
import { TestPostgres, whyNoPostgres } from './postgres/server.mjs';
import { Service } from './service.js';
import { testedToken, whyLacking } from './tested-token.js';

const label = 'of-all-nodes';
const pin = '20251122';

/** Tests of several nodes, which need a PostgreSQL server and SoftHSM2. */
export function describeNodes(title: string, tests: () => void): void {
  const lacksToken = whyLacking("the service's own SoftHSM2");
  const why = lacksToken === undefined ? whyNoPostgres() : `${testedToken.title}: ${lacksToken}`;
  if (why === undefined) describe(title, tests);
  else describe.skip(`${title} [${why}]`, tests);
}

/** A node, and its way to the database. */
export interface Node {
  readonly service: Service;
  readonly database: PostgresProxy;
}

/** A SoftHSM2 token that no node has made, and a PostgreSQL server: what nodes have in common. */
export class Commons {
  readonly directory = mkdtempSync(join(tmpdir(), 'hsm-kms-nodes-'));

  private constructor(readonly postgres: TestPostgres) {}

  static async make(): Promise<Commons> {
    expectFreshBuild();
    const commons = new Commons(await TestPostgres.start());
    const { directory } = commons;
    const tokens = join(directory, 'tokens');
    mkdirSync(tokens, { mode: 0o700 });
    writeFileSync(join(directory, 'softhsm2.conf'), softHsmConfiguration(tokens));
    writeFileSync(join(directory, 'pin'), pin, { mode: 0o600 });
    await makeToken(directory, label, pin);
    return commons;
  }

  /** CKA_LABELs of the secret keys in the token, in their order. */
  async secretKeys(): Promise<string[]> {
    return (await keyLabels(this.directory, label, pin)).sort();
  }

  /** What tells a node of them. */
  environment(databaseUrl: string): NodeJS.ProcessEnv {
    return {
      HSM_KMS_PKCS11_MODULE: softHsmModule(),
      SOFTHSM2_CONF: join(this.directory, 'softhsm2.conf'),
      HSM_KMS_TOKEN_LABEL: label,
      HSM_KMS_TOKEN_PIN_FILE: join(this.directory, 'pin'),
      DATABASE_URL: databaseUrl,
    };
  }

  async end(): Promise<void> {
    await this.postgres.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Nodes of one service, with a data directory each. */
export class Nodes {
  readonly all: Node[] = [];
  /** Name of the database. */
  database = '';

  private constructor(readonly commons: Commons) {}

  /** @param flags more of `serve` */
  static async start(count: number, flags: readonly string[] = []): Promise<Nodes> {
    const nodes = new Nodes(await Commons.make());
    try {
      const url = await nodes.commons.postgres.createDatabase();
      nodes.database = new URL(url).pathname.slice(1);
      // the first makes the administrator, whose credentials the others are given
      nodes.all.push(await nodes.node(url, flags));
      nodes.all.push(...(await Promise.all(Array.from({ length: count - 1 }, () => nodes.node(url, flags)))));
    } catch (error) {
      await nodes.end();
      throw error;
    }
    return nodes;
  }

  get services(): Service[] {
    return this.all.map(({ service }) => service);
  }

  /** A client of each, as the administrator. */
  get clients(): KMS[] {
    return this.services.map(({ kms }) => kms);
  }

  /** A statement on the database, beside all nodes. */
  execute(statement: string): Promise<Record<string, unknown>[]> {
    return this.commons.postgres.execute(this.database, statement);
  }

  async end(): Promise<void> {
    for (const { database } of this.all) database.mend();
    await Promise.all(this.services.map((service) => service.end()));
    await Promise.all(this.all.map(({ database }) => database.end()));
    await this.commons.end();
  }

  private async node(url: string, flags: readonly string[]): Promise<Node> {
    const database = await PostgresProxy.start(url);
    const [first] = this.services;
    const service = await Service.start({
      environment: this.commons.environment(database.url),
      flags,
      // only the node whose init made the administrator has the credentials
      prepare: async (dataDir) => {
        if (first) copyFileSync(join(first.dataDir, 'credentials'), join(dataDir, 'credentials'));
      },
    });
    return { service, database };
  }
}
