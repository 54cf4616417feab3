import { setTimeout as wait } from 'node:timers/promises';
import type { KMS } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { identity, newUser } from '../service/identities.js';
import { describeNodes, type Node, Nodes } from '../service/nodes.js';
import { outcomeOf, refusal, refusalName } from '../service/refusal.js';
import { accountId, type Credentials, userArn } from '../service/service.js';
import { patience, within } from '../service/within.js';

/** Within which a change on one node binds the others, in milliseconds. */
const bound = 1_000;
/** What a node says that does not know what has changed: it goes by nothing then. */
const unsure = 'KMSInternalException';

describeNodes('changes on several nodes', () => {
  let nodes: Nodes;
  let first: Node;
  let others: Node[];
  let user: Credentials;
  beforeAll(async () => {
    nodes = await Nodes.start(3, ['--schedule-milliseconds', '100']);
    [first, ...others] = nodes.all as [Node, Node, Node];
    user = await newUser(first.service, 'app');
  });
  afterAll(() => nodes.end());

  const kms = () => first.service.kms;
  const Plaintext = Buffer.from('several nodes');
  const administrator = userArn('administrator');

  async function newKey(): Promise<string> {
    return (await first.service.newKey()).KeyId;
  }

  /** A change, and what it does to a request on any node. */
  interface Change {
    readonly title: string;
    /** What is so before: `use` is answered. */
    readonly prepare: () => Promise<string>;
    /** As it is asked on every node again and again. */
    readonly use: (client: KMS, id: string) => Promise<unknown>;
    readonly client?: (node: Node) => KMS;
    readonly change: (id: string) => Promise<unknown>;
    /** Of the exception that follows; or what the answer is then. */
    readonly refused?: string;
    readonly answer?: (id: string) => Promise<unknown>;
  }

  const encrypt = (client: KMS, KeyId: string) => client.encrypt({ KeyId, Plaintext });
  const asUser = ({ service }: Node) => service.newClient(user);
  let target: string;

  const changes: readonly Change[] = [
    {
      title: 'DisableKey',
      prepare: newKey,
      use: encrypt,
      change: (KeyId) => kms().disableKey({ KeyId }),
      refused: 'DisabledException',
    },
    {
      title: 'ScheduleKeyDeletion',
      prepare: newKey,
      use: encrypt,
      change: (KeyId) => kms().scheduleKeyDeletion({ KeyId }),
      refused: 'KMSInvalidStateException',
    },
    {
      title: 'PutKeyPolicy',
      async prepare() {
        const KeyId = await newKey();
        await kms().putKeyPolicy({ KeyId, Policy: policyFor(userArn('app')) });
        return KeyId;
      },
      use: encrypt,
      client: asUser,
      change: (KeyId) => kms().putKeyPolicy({ KeyId, Policy: policyFor() }),
      refused: 'AccessDeniedException',
    },
    {
      title: 'RevokeGrant',
      async prepare() {
        const KeyId = await newKey();
        await kms().createGrant({ KeyId, GranteePrincipal: userArn('app'), Operations: ['Encrypt'] });
        return KeyId;
      },
      use: encrypt,
      client: asUser,
      async change(KeyId) {
        const { Grants } = await kms().listGrants({ KeyId });
        await kms().revokeGrant({ KeyId, GrantId: Grants?.[0]?.GrantId });
      },
      refused: 'AccessDeniedException',
    },
    {
      title: 'UpdateAlias',
      async prepare() {
        const AliasName = `alias/several-nodes-${Date.now()}`;
        target = await newKey();
        await kms().createAlias({ AliasName, TargetKeyId: await newKey() });
        return AliasName;
      },
      use: async (client, KeyId) => (await client.describeKey({ KeyId })).KeyMetadata?.KeyId,
      change: (AliasName) => kms().updateAlias({ AliasName, TargetKeyId: target }),
      answer: async () => target,
    },
    {
      title: 'identity update-access-key --status Inactive',
      prepare: newKey,
      use: (client) => client.listAliases({}),
      client: (node) => node.service.newClient(leaver),
      change: () =>
        identity(
          first.service,
          'update-access-key',
          ...['--access-key-id', leaver.accessKeyId, '--status', 'Inactive', '--user-name', leaverName],
        ),
      refused: 'UnrecognizedClientException',
    },
  ];

  /** Whose access key is made inactive. */
  let leaver: Credentials;
  let leaverName: string;
  async function newLeaver(): Promise<void> {
    leaverName = `leaver-${Date.now()}`;
    const statement = { Effect: 'Allow', Action: 'kms:ListAliases', Resource: '*' };
    leaver = await newUser(first.service, leaverName, statement);
  }

  function policyFor(...arns: string[]): string {
    const all = { Effect: 'Allow', Principal: { AWS: [administrator, ...arns] }, Action: 'kms:*', Resource: '*' };
    return JSON.stringify({ Version: '2012-10-17', Statement: all });
  }

  /** How the way of announcements can be. */
  const circumstances: readonly { readonly title: string; readonly begin: () => void; readonly end: () => void }[] = [
    { title: 'as nodes hear of it', begin: () => {}, end: () => {} },
    {
      title: 'when notifications are lost',
      begin: () => {
        for (const { database } of nodes.all) database.losesNotifications = true;
      },
      end: () => {
        for (const { database } of nodes.all) database.losesNotifications = false;
        for (const { database } of others) expect(database.lost).toBeGreaterThan(0);
      },
    },
    {
      title: 'when the connections for announcements are ended again and again',
      begin: () => {
        ending = setInterval(() => void endListening(), 120);
      },
      end: () => clearInterval(ending),
    },
  ];
  let ending: NodeJS.Timeout;

  /** Ends the connections on which nodes hear of changes. */
  async function endListening(): Promise<void> {
    await nodes.execute(
      `select pg_terminate_backend(pid) from pg_stat_activity
      where query like 'listen %' or query = 'select revision, seal from store_revision'`,
    );
  }

  describe.each(circumstances)('a change on one node binds the others within a second, $title', ({ begin, end }) => {
    let ids: string[];
    beforeAll(async () => {
      await newLeaver();
      ids = await Promise.all(changes.map(({ prepare }) => prepare()));
      begin();
      await wait(bound);
    });
    afterAll(end);

    test.each(changes.map((row, index) => ({ ...row, index })))('$title', async ({ index, ...row }) => {
      const { use, change, client = ({ service }) => service.kms } = row;
      const id = ids[index] as string;
      const clients = others.map(client);
      // in the memory of all
      for (const each of clients) for (let n = 0; n < 3; n++) await use(each, id);
      await change(id);
      const changedAt = performance.now();
      const expected = row.refused ?? (await row.answer?.(id));
      for (;;) {
        const askedAt = performance.now();
        const outcomes = await Promise.all(clients.map((each) => outcomeOf(use(each, id))));
        if (outcomes.every((each) => each === expected)) break;
        const asBefore = outcomes.filter((each) => each !== expected && each !== unsure);
        // what was asked later may not be answered as before
        const late = askedAt - changedAt;
        if (late > bound) expect({ late, asBefore }).toEqual({ late, asBefore: [] });
        if (late > patience) expect(outcomes).toEqual(clients.map(() => expected));
      }
    });
  });

  test('a node that is cut off refuses rather than go on by what it remembers, and is back by itself', async () => {
    const [cutOff] = others as [Node];
    const KeyId = await newKey();
    for (let n = 0; n < 3; n++) await cutOff.service.kms.encrypt({ KeyId, Plaintext });
    cutOff.database.cut();
    try {
      await kms().disableKey({ KeyId });
      await wait(bound);
      const why = await Promise.all([1, 2, 3].map(() => refusalName(cutOff.service.kms.encrypt({ KeyId, Plaintext }))));
      expect(why).toEqual(Array(3).fill('KMSInternalException'));
      const ready = await fetch(`${cutOff.service.url}/readyz`);
      expect([ready.status, await ready.text()]).toEqual([503, 'not ready: the database does not answer\n']);
      // the others go on
      expect(await (await fetch(`${first.service.url}/readyz`)).text()).toBe('ready\n');
    } finally {
      cutOff.database.mend();
    }
    await within(patience, async () => {
      expect(await refusal(cutOff.service.kms.encrypt({ KeyId, Plaintext }))).toMatchObject({
        name: 'DisabledException',
      });
    });
    expect((await fetch(`${cutOff.service.url}/readyz`)).status).toBe(200);
  });

  test('nodes have one account, and one administrator', async () => {
    const listed = await Promise.all(nodes.services.map((service) => identity(service, 'list-users')));
    for (const text of listed) expect(text).toBe(listed[0]);
    expect(listed[0]).toContain(`arn:aws:iam::${accountId}:user/administrator`);
  });
});
