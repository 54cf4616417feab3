import type { LoadClient } from './client.js';
import { takeAll } from './facet.js';
import type { Alias, KeyModel } from './model.js';
import type { LoadOperation } from './operations.js';

/** So many names are given, taken and moved. */
const names = 60;

/** Does something with an alias that nobody else uses meanwhile. @returns false when it is used, or not so */
async function withAlias(
  client: LoadClient,
  isThere: boolean,
  work: (name: string, alias: Alias, target: string) => Promise<void>,
): Promise<boolean> {
  const name = `alias/crash-${client.random.between(1, names)}`;
  const alias = client.model.alias(name);
  const release = takeAll([() => alias.own()]);
  if (release === undefined) return false;
  try {
    const target = await alias.known(client.kms);
    if ((target !== null) !== isThere) return false;
    await work(name, alias, target ?? '');
    return true;
  } finally {
    release();
  }
}

/** Aliases move between keys of one kind. */
const isLike = (one: KeyModel, other: KeyModel | undefined) =>
  other !== undefined &&
  one.request.KeySpec === other.request.KeySpec &&
  one.request.KeyUsage === other.request.KeyUsage;

export const aliasOperations: readonly LoadOperation[] = [
  {
    name: 'CreateAlias',
    weight: 5,
    run: (client) =>
      withAlias(client, false, async (AliasName, alias) => {
        await client.withKey({}, ({ id }) =>
          client
            .change<string | null, unknown>(alias, id, () => client.kms.createAlias({ AliasName, TargetKeyId: id }))
            .then(() => {}),
        );
      }),
  },
  {
    name: 'UpdateAlias',
    weight: 4,
    run: (client) =>
      withAlias(client, true, async (AliasName, alias, target) => {
        const like = client.model.keys.get(target);
        await client.withKey({ also: (key) => isLike(key, like) }, ({ id }) =>
          client
            .change<string | null, unknown>(alias, id, () => client.kms.updateAlias({ AliasName, TargetKeyId: id }))
            .then(() => {}),
        );
      }),
  },
  {
    name: 'DeleteAlias',
    weight: 3,
    run: (client) =>
      withAlias(client, true, async (AliasName, alias) => {
        await client.change<string | null, unknown>(alias, null, () => client.kms.deleteAlias({ AliasName }));
      }),
  },
  {
    name: 'Encrypt by an alias',
    weight: 4,
    run: (client) =>
      withAlias(client, true, async (name, _alias, target) => {
        const key = client.model.keys.get(target);
        if (!key?.isSymmetric) return;
        await client.withThisKey(key, {}, async () => {
          const plaintext = client.random.bytes(16);
          const EncryptionContext = { of: 'crash test' };
          const { CiphertextBlob: blob = new Uint8Array() } = await client.ask(
            client.kms.encrypt({ KeyId: name, Plaintext: plaintext, EncryptionContext }),
          );
          client.keep({ kind: 'ciphertext', key, blob, plaintext });
        });
      }),
  },
];
