import { setTimeout as wait } from 'node:timers/promises';
import type { KMS } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type ReadMetrics, readMetrics } from '../service/metrics.js';
import { describeNodes, Nodes } from '../service/nodes.js';
import type { TestPostgres } from '../service/postgres/server.mjs';
import { patience, within } from '../service/within.js';

/** What clients are told while the database is away. */
const faultOfService = /^(KMSInternalException|DependencyTimeoutException|ThrottlingException)$/;
/** How connections to a node that was killed end; TimeoutError is the SDK's word for it, too. */
const lostConnection = /ECONN|EPIPE|socket hang up/;

describeNodes('failures under several nodes', () => {
  let nodes: Nodes;
  let standby: TestPostgres | undefined;
  beforeAll(async () => {
    nodes = await Nodes.start(3);
  });
  afterAll(async () => {
    await nodes.end();
    await standby?.stop();
  });

  const readiness = async (index: number) => {
    const answer = await fetch(`${nodes.services[index]?.url}/readyz`);
    return `${answer.status} ${await answer.text()}`;
  };
  const ready = '200 ready\n';
  const everyNode = [0, 1, 2] as const;

  /**
   * Clients of all nodes that use keys and change one thing of a key each, and hold the service to every answer.
   */
  class Load {
    readonly wrong: string[] = [];
    /** By node. */
    readonly answered = [0, 0, 0];
    /** While a node is killed. */
    mayLoseConnections = false;
    private going = true;
    private readonly lanes: Promise<void>[];

    private constructor(keys: readonly string[]) {
      this.lanes = everyNode.map((node) => this.by(node, keys[node] as string));
    }

    static async start(): Promise<Load> {
      return new Load(await Promise.all(nodes.services.map(async (service) => (await service.newKey()).KeyId)));
    }

    async end(): Promise<void> {
      this.going = false;
      await Promise.all(this.lanes);
    }

    /** Changes a description at one node, reads it at the next, encrypts here and decrypts there. */
    private async by(node: number, KeyId: string): Promise<void> {
      const here = () => nodes.clients[node] as KMS;
      const there = () => nodes.clients[(node + 1) % everyNode.length] as KMS;
      /** What it may be: one value, or more after a change that was not answered. */
      let possible = [''];
      for (let round = 0; this.going; round++) {
        const Description = `round ${round}`;
        possible = [...possible, Description];
        const isChanged = await this.ask(node, () => here().updateKeyDescription({ KeyId, Description }));
        if (isChanged) possible = [Description];
        // the other nodes are bound by it a second later at the latest
        if (isChanged && round % 10 === 0) await wait(1_000);
        if (round % 10 === 0) {
          const shown = await this.ask(node, () => there().describeKey({ KeyId }));
          const value = shown?.KeyMetadata?.Description;
          if (value !== undefined && !possible.includes(value)) {
            this.wrong.push(`${KeyId} is described as ${value}, and clients were told ${possible.join(' or ')}`);
          }
        }
        const Plaintext = Buffer.from(Description);
        const encrypted = await this.ask(node, () => here().encrypt({ KeyId, Plaintext }));
        if (encrypted === undefined) continue;
        const { CiphertextBlob } = encrypted;
        const decrypted = await this.ask(node, () => there().decrypt({ CiphertextBlob }));
        if (decrypted && !Plaintext.equals(decrypted.Plaintext ?? Buffer.alloc(0))) {
          this.wrong.push(`${KeyId} decrypts to something else`);
        }
      }
    }

    private async ask<T>(node: number, request: () => Promise<T>): Promise<T | undefined> {
      try {
        const answer = await request();
        this.answered[node] = (this.answered[node] ?? 0) + 1;
        return answer;
      } catch (error) {
        const { name, message } = error as Error;
        const isAllowed = lostConnection.test(message) ? this.mayLoseConnections : faultOfService.test(name);
        if (!isAllowed) this.wrong.push(`${name}: ${message}`);
        await wait(20);
        return undefined;
      }
    }

    /** Waits until every one of these nodes has answered so much more. */
    async goesOn(which: readonly number[], more = 20): Promise<void> {
      const before = [...this.answered];
      await within(patience, async () => {
        for (const node of which) expect(this.answered[node]).toBeGreaterThan((before[node] ?? 0) + more);
      });
    }
  }

  const refusedRequests = (metrics: ReadMetrics) =>
    metrics.sum('hsm_kms_requests_total', { result: 'KMSInternalException' }) ?? 0;

  test.each([
    { title: 'killed', end: () => nodes.commons.postgres.kill(), away: 500 },
    // for longer than requests wait for it
    { title: 'shut down for seven seconds', end: () => nodes.commons.postgres.shutDown(), away: 7_000 },
  ])('PostgreSQL is $title under load: no wrong answer, and all is back by itself', async ({ end, away }) => {
    const load = await Load.start();
    await load.goesOn(everyNode);
    await end();
    await wait(away);
    await within(patience, async () => {
      const said = await Promise.all(everyNode.map(readiness));
      expect(said).toEqual(Array(3).fill('503 not ready: the database does not answer\n'));
      const metrics = await Promise.all(nodes.services.map(readMetrics));
      if (away > 5_000) for (const each of metrics) expect(refusedRequests(each)).toBeGreaterThan(0);
    });
    await nodes.commons.postgres.run();
    await load.goesOn(everyNode);
    await load.end();
    expect(load.wrong).toEqual([]);
    expect(await Promise.all(everyNode.map(readiness))).toEqual(Array(3).fill(ready));
  });

  test('a node is killed under load: the others go on, and it is back when it is started', async () => {
    const load = await Load.start();
    await load.goesOn(everyNode);
    load.mayLoseConnections = true;
    const [killed] = nodes.services;
    const workers = killed?.workers ?? [];
    await killed?.kill();
    for (const pid of workers) endProcess(pid);
    // the third asks only itself and the first
    await load.goesOn([1]);
    await killed?.serve();
    await load.goesOn(everyNode);
    await load.end();
    expect(load.wrong).toEqual([]);
  });

  // the last, as the first server does not come back
  test('PostgreSQL fails over to a synchronous standby under load: nothing that was answered is lost', async () => {
    const next = await nodes.commons.postgres.standby();
    standby = next;
    const load = await Load.start();
    await load.goesOn(everyNode);
    await nodes.commons.postgres.kill();
    await next.promote();
    for (const { database } of nodes.all) database.leadTo(next.port);
    await load.goesOn(everyNode);
    await load.end();
    expect(load.wrong).toEqual([]);
    expect(await Promise.all(everyNode.map(readiness))).toEqual(Array(3).fill(ready));
  });

  function endProcess(pid: number): void {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // it has ended with its supervisor
    }
  }
});
