import { setTimeout as wait } from 'node:timers/promises';
import type { KMS } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { describeNodes, Nodes } from '../service/nodes.js';
import { outcomeOf, refusalName } from '../service/refusal.js';
import { hsmKms } from '../service/service.js';
import { patience, within } from '../service/within.js';

describeNodes('several nodes at the same time', () => {
  let nodes: Nodes;
  let kms: KMS;
  beforeAll(async () => {
    nodes = await Nodes.start(3, ['--schedule-milliseconds', '100']);
    [kms] = nodes.clients as [KMS];
  });
  afterAll(() => nodes.end());

  const Plaintext = Buffer.from('several nodes');
  const newKey = async (): Promise<string> => (await kms.createKey({})).KeyMetadata?.KeyId as string;

  describe('what is due is done once', () => {
    /** Time passes. */
    const past = async (column: string, KeyIds: readonly string[]) => {
      await nodes.execute(
        `update keys set ${column} = 1000, version = version + 1 where id in (${KeyIds.map((id) => `'${id}'`).join()});
      update store_revision set revision = revision + 1`,
      );
      const records = KeyIds.map((id) => `keys/${id}`);
      const { code, output } = await hsmKms('reseal', ...records, '--data-dir', nodes.services[0]?.dataDir as string);
      expect({ code, output }).toMatchObject({ code: 0 });
    };

    test('automatic rotation, with and without leases between the nodes', async () => {
      const keys = await Promise.all(Array.from({ length: 8 }, newKey));
      for (const KeyId of keys) await kms.enableKeyRotation({ KeyId });
      await past('next_rotation_at', keys);
      await within(patience, async () => {
        await nodes.execute('delete from leases');
        const listed = await Promise.all(keys.map((KeyId) => kms.listKeyRotations({ KeyId })));
        expect(listed.map(({ Rotations = [] }) => Rotations.length)).toEqual(keys.map(() => 1));
      });
      await wait(1_000);
      for (const KeyId of keys) {
        for (const { service } of nodes.all) {
          const { Rotations } = await service.kms.listKeyRotations({ KeyId });
          expect(Rotations).toMatchObject([{ RotationType: 'AUTOMATIC' }]);
        }
        const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext });
        const { Plaintext: back } = await (nodes.clients[1] as KMS).decrypt({ CiphertextBlob });
        expect(Buffer.from(back ?? [])).toEqual(Plaintext);
      }
    });

    test('deletion', async () => {
      const keys = await Promise.all(Array.from({ length: 4 }, newKey));
      for (const KeyId of keys) await kms.scheduleKeyDeletion({ KeyId });
      await past('deletion_at', keys);
      await within(patience, async () => {
        for (const client of nodes.clients) {
          for (const KeyId of keys) expect(await refusalName(client.describeKey({ KeyId }))).toBe('NotFoundException');
        }
      });
      const deletions = nodes.services.flatMap(({ stderr }) => stderr.match(/"done":\[[^\]]*\]/g) ?? []).join();
      for (const KeyId of keys) expect(deletions.split(KeyId)).toHaveLength(2);
      // but for those that met the keys between their change and their seal
      const failures = nodes.services.flatMap(({ stderr }) => stderr.match(/^.*a scheduled task failed.*$/gm) ?? []);
      for (const line of failures) expect(line).toContain('BrokenSealError');
    });
  });

  describe('requests that race on several nodes', () => {
    test('RotateKeyOnDemand: as many rotations as were answered', async () => {
      const KeyId = await newKey();
      const outcomes = await Promise.all(
        [...nodes.clients, ...nodes.clients].map((client) => outcomeOf(client.rotateKeyOnDemand({ KeyId }))),
      );
      const answered = outcomes.filter((each) => typeof each === 'object');
      const refused = outcomes.filter((each) => typeof each === 'string');
      for (const name of refused) expect(name).toMatch(/^ConflictException$/);
      expect(answered.length).toBeGreaterThan(0);
      for (const client of nodes.clients) {
        await within(patience, async () => {
          const { Rotations = [] } = await client.listKeyRotations({ KeyId });
          expect(Rotations).toHaveLength(answered.length);
        });
      }
    });

    test('CreateAlias of one name: one is answered, and the alias is its', async () => {
      const AliasName = 'alias/raced-for';
      const keys = await Promise.all(nodes.all.map(newKey));
      const outcomes = await Promise.all(
        nodes.clients.map((client, index) => outcomeOf(client.createAlias({ AliasName, TargetKeyId: keys[index] }))),
      );
      expect(outcomes.filter((each) => each === 'AlreadyExistsException')).toHaveLength(2);
      const winner = keys[outcomes.findIndex((each) => typeof each === 'object')];
      for (const client of nodes.clients) {
        await within(patience, async () => {
          expect((await client.describeKey({ KeyId: AliasName })).KeyMetadata?.KeyId).toBe(winner);
        });
      }
    });

    test('ScheduleKeyDeletion against CreateAlias, RotateKeyOnDemand and DisableKey: the state fits the answers', async () => {
      const [one, two, three] = nodes.clients as [KMS, KMS, KMS];
      for (let round = 0; round < 6; round++) {
        const KeyId = await newKey();
        const AliasName = `alias/race-${round}`;
        const [deletion, alias, rotation, disabling] = await Promise.all([
          outcomeOf(one.scheduleKeyDeletion({ KeyId })),
          outcomeOf(two.createAlias({ AliasName, TargetKeyId: KeyId })),
          outcomeOf(three.rotateKeyOnDemand({ KeyId })),
          outcomeOf(two.disableKey({ KeyId })),
        ]);
        expect(deletion).toMatchObject({ KeyState: 'PendingDeletion' });
        const expected = { Rotations: typeof rotation === 'object' ? 1 : 0, alias: typeof alias === 'object' };
        for (const refused of [alias, rotation, disabling].filter((each) => typeof each === 'string')) {
          expect(refused).toMatch(/^(KMSInvalidStateException|DisabledException|ConflictException)$/);
        }
        for (const client of nodes.clients) {
          // a change binds all nodes within a second
          await within(patience, async () => {
            expect((await client.describeKey({ KeyId })).KeyMetadata?.KeyState).toBe('PendingDeletion');
            const { Rotations = [] } = await client.listKeyRotations({ KeyId });
            const { Aliases = [] } = await client.listAliases({ KeyId });
            expect({ Rotations: Rotations.length, alias: Aliases.length === 1 }).toEqual(expected);
          });
        }
      }
    });
  });
});
