import { randomBytes } from 'node:crypto';
import type { ConnectionErrorCodeType, ConnectionStateType } from '@aws-sdk/client-kms';
import type { Kysely, Selectable } from 'kysely';
import { KmsError } from '../contract/kms-error.js';
import { RevisionCache } from '../store/revision-cache.js';
import type { CustomKeyStoresTable, Schema } from '../store/schema.js';
import type { Store } from '../store/store.js';
import type { Sealer } from '../token/sealing.js';
import { StaleKeyError } from './key-repository.js';

/** A custom key store: a token of the configuration, under the name and with the PIN that a client gave. */
export interface KeyStoreRecord {
  /** cks- and 17 hexadecimal digits. */
  readonly id: string;
  readonly name: string;
  /** CloudHsmClusterId. */
  readonly clusterId: string;
  readonly trustAnchorCertificate: string;
  readonly connectionState: ConnectionStateType;
  /** Only while the state is FAILED. */
  readonly connectionError: ConnectionErrorCodeType | undefined;
  /** Counts the connections. */
  readonly connection: number;
  readonly createdAt: Date;
  /** Counts the changes of the store's row. */
  readonly version: number;
}

/** What a new store is to be. */
export type NewKeyStore = Pick<KeyStoreRecord, 'name' | 'clusterId' | 'trustAnchorCertificate' | 'createdAt'>;

/** What may change; a connection that begins is a new one. */
export type KeyStoreChanges = Partial<Pick<KeyStoreRecord, 'name' | 'clusterId'>> & {
  readonly password?: string | undefined;
  readonly connectionState?: ConnectionStateType;
  readonly connectionError?: ConnectionErrorCodeType;
};

const cachedKeyStores = 1_000;

/** The custom key stores in the store. Their passwords are there too, sealed by the service's own token. */
export class KeyStoreRepository {
  private readonly cache: RevisionCache<KeyStoreRecord>;

  /** @param quota how many there may be; AWS has 10 */
  constructor(
    private readonly store: Store,
    private readonly sealer: Sealer,
    private readonly quota: number,
  ) {
    this.cache = new RevisionCache(store, cachedKeyStores, 'key stores', { of: 'custom_key_stores' });
  }

  /** The store, from memory as long as nothing has changed. */
  find(id: string): KeyStoreRecord | undefined | Promise<KeyStoreRecord | undefined> {
    return this.cache.get(id, () => this.load('id', id));
  }

  findByName(name: string): Promise<KeyStoreRecord | undefined> {
    return this.load('name', name);
  }

  /** In the order of their ids, from the one after `after`. */
  async list(after: string, limit: number): Promise<KeyStoreRecord[]> {
    const all = this.store.db.selectFrom('custom_key_stores').selectAll();
    const page = all.where('id', '>', after).orderBy('id').limit(limit);
    return (await this.store.records().list('custom_key_stores', () => page.execute())).map(recordOf);
  }

  /**
   * @returns the new store's id
   * @throws KmsError CustomKeyStoreNameInUseException, CloudHsmClusterInUseException, LimitExceededException
   */
  async create(wanted: NewKeyStore, password: string): Promise<string> {
    const id = `cks-${randomBytes(9).toString('hex').slice(1)}`;
    const sealed = await this.seal(id, password);
    await this.store.change(async (change) => {
      await expectFreeName(change.db, wanted.name);
      await expectFreeCluster(change.db, wanted.clusterId, 'CloudHsmClusterInUseException');
      const { count } = await change.db
        .selectFrom('custom_key_stores')
        .select((row) => row.fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow();
      if (Number(count) >= this.quota) {
        throw new KmsError('LimitExceededException', `There are ${this.quota} custom key stores, which is the limit.`);
      }
      await change.insert('custom_key_stores', {
        id,
        name: wanted.name,
        cluster_id: wanted.clusterId,
        trust_anchor_certificate: wanted.trustAnchorCertificate,
        sealed_password: sealed,
        connection_state: 'DISCONNECTED',
        connection_error: null,
        created_at: wanted.createdAt.getTime(),
        connection: 0,
        version: 1,
      });
    });
    return id;
  }

  /**
   * Changes a store that has not changed since it was read.
   *
   * @returns the store as it is now
   * @throws StaleKeyError when it has changed; KmsError CustomKeyStoreNameInUseException,
   * CloudHsmClusterNotRelatedException for a cluster that is another store
   */
  async change(keyStore: KeyStoreRecord, changes: KeyStoreChanges): Promise<KeyStoreRecord> {
    const { name, clusterId, password, connectionState, connectionError } = changes;
    const sealed = password === undefined ? undefined : await this.seal(keyStore.id, password);
    return this.store.change(async (change) => {
      if (name !== undefined && name !== keyStore.name) await expectFreeName(change.db, name);
      if (clusterId !== undefined && clusterId !== keyStore.clusterId) {
        await expectFreeCluster(change.db, clusterId, 'CloudHsmClusterNotRelatedException');
      }
      const record = await change.find('custom_key_stores', keyStore.id);
      if (record?.row.version !== keyStore.version) {
        throw new StaleKeyError(`custom key store ${keyStore.id} has changed`);
      }
      await record.set({
        version: keyStore.version + 1,
        ...(name !== undefined && { name }),
        ...(clusterId !== undefined && { cluster_id: clusterId }),
        ...(sealed !== undefined && { sealed_password: sealed }),
        ...(connectionState !== undefined && {
          connection_state: connectionState,
          connection_error: connectionError ?? null,
        }),
        ...(connectionState === 'CONNECTING' && { connection: record.row.connection + 1 }),
      });
      return recordOf(record.row);
    });
  }

  /** @throws StaleKeyError when the store has changed; KmsError CustomKeyStoreHasCMKsException */
  async delete(keyStore: KeyStoreRecord): Promise<void> {
    await this.store.change(async (change) => {
      const key = await change.db
        .selectFrom('keys')
        .select('id')
        .where('custom_key_store_id', '=', keyStore.id)
        .limit(1)
        .executeTakeFirst();
      if (key) {
        throw new KmsError('CustomKeyStoreHasCMKsException', `Custom key store ${keyStore.id} contains KMS keys.`);
      }
      const record = await change.find('custom_key_stores', keyStore.id);
      if (record?.row.version !== keyStore.version) {
        throw new StaleKeyError(`custom key store ${keyStore.id} has changed`);
      }
      await change.delete('custom_key_stores', keyStore.id);
    });
  }

  /** The token's user PIN. @throws Error when this service's token did not seal it */
  async password({ id }: Pick<KeyStoreRecord, 'id'>): Promise<string> {
    const record = await this.store.records().find('custom_key_stores', id);
    const opened = record && (await this.sealer.open(purposeOf(id), record.row.sealed_password));
    if (opened === undefined) throw new Error(`the password of ${id} was not sealed by this service's token`);
    try {
      return opened.toString('utf8');
    } finally {
      opened.fill(0);
    }
  }

  /** CKA_IDs of the newest material that the store's token holds. */
  async newestMaterialIds({ id }: Pick<KeyStoreRecord, 'id'>, limit: number): Promise<Buffer[]> {
    const rows = await this.store.db
      .selectFrom('key_materials')
      .innerJoin('keys', 'keys.id', 'key_materials.key_id')
      .select('key_materials.id')
      .where('keys.custom_key_store_id', '=', id)
      .orderBy('key_materials.created_at', 'desc')
      .limit(limit)
      .execute();
    return rows.map((row) => Buffer.from(row.id, 'hex'));
  }

  private async seal(id: string, password: string): Promise<Buffer> {
    const secret = Buffer.from(password);
    try {
      return await this.sealer.seal(purposeOf(id), secret);
    } finally {
      secret.fill(0);
    }
  }

  private async load(column: 'id' | 'name', value: string): Promise<KeyStoreRecord | undefined> {
    const found = this.store.db.selectFrom('custom_key_stores').selectAll().where(column, '=', value);
    const [row] = await this.store.records().list('custom_key_stores', () => found.execute());
    return row && recordOf(row);
  }
}

/** Throws unless a store is connected at this moment of a transaction: a key is about to be committed to it. */
export async function expectConnected(db: Kysely<Schema>, id: string): Promise<void> {
  const row = await db
    .selectFrom('custom_key_stores')
    .select('connection_state')
    .where('id', '=', id)
    .executeTakeFirst();
  if (row === undefined) throw keyStoreNotFound(id);
  if (row.connection_state !== 'CONNECTED') throw keyStoreInvalidState(id, row.connection_state);
}

export function keyStoreNotFound(idOrName: string): KmsError {
  return new KmsError('CustomKeyStoreNotFoundException', `Custom key store ${idOrName} does not exist.`);
}

export function keyStoreInvalidState(id: string, state: string): KmsError {
  return new KmsError(
    'CustomKeyStoreInvalidStateException',
    `Custom key store ${id} has the connection state ${state}, which does not allow the request.`,
  );
}

async function expectFreeName(db: Kysely<Schema>, name: string): Promise<void> {
  const taken = await db.selectFrom('custom_key_stores').select('id').where('name', '=', name).execute();
  if (taken.length > 0) {
    throw new KmsError('CustomKeyStoreNameInUseException', `A custom key store with the name ${name} exists already.`);
  }
}

/** @param refusal what the operation calls a cluster that is another store */
async function expectFreeCluster(
  db: Kysely<Schema>,
  clusterId: string,
  refusal: 'CloudHsmClusterInUseException' | 'CloudHsmClusterNotRelatedException',
): Promise<void> {
  const taken = await db.selectFrom('custom_key_stores').select('id').where('cluster_id', '=', clusterId).execute();
  if (taken.length > 0) throw new KmsError(refusal, `The CloudHSM cluster ${clusterId} is a custom key store already.`);
}

/** What a password is sealed for, so that it opens for no other store. */
function purposeOf(id: string): string {
  return `password of custom key store ${id}`;
}

function recordOf(row: Selectable<CustomKeyStoresTable>): KeyStoreRecord {
  return {
    id: row.id,
    name: row.name,
    clusterId: row.cluster_id,
    trustAnchorCertificate: row.trust_anchor_certificate,
    connectionState: row.connection_state as ConnectionStateType,
    connectionError: (row.connection_error ?? undefined) as ConnectionErrorCodeType | undefined,
    connection: row.connection,
    createdAt: new Date(row.created_at),
    version: row.version,
  };
}
