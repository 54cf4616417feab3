import { randomBytes } from 'node:crypto';
import type { GrantConstraints, GrantOperation } from '@aws-sdk/client-kms';
import type { Kysely, Selectable } from 'kysely';
import { namedPrincipalsFrom, namedPrincipalsText } from '../authorization/named-principals.js';
import type { NamedPrincipals } from '../authorization/policy/named-principals.js';
import { KmsError } from '../contract/kms-error.js';
import { RevisionCache } from '../store/revision-cache.js';
import type { GrantsTable, Schema } from '../store/schema.js';
import type { Store } from '../store/store.js';
import type { KeyRecord } from './key-record.js';
import { StaleKeyError } from './key-repository.js';

/** A grant on a key. Of the two grantees there is one, of the two retiring principals one or none. */
export interface GrantRecord {
  /** 64 hexadecimal digits. */
  readonly id: string;
  readonly keyId: string;
  /** '' without a name. */
  readonly name: string;
  readonly granteePrincipal: string | undefined;
  readonly granteeServicePrincipal: string | undefined;
  readonly retiringPrincipal: string | undefined;
  readonly retiringServicePrincipal: string | undefined;
  /** Account id of who created it. */
  readonly issuingAccount: string;
  /** Sorted, each once. */
  readonly operations: readonly GrantOperation[];
  readonly constraints: GrantConstraints | undefined;
  readonly createdAt: Date;
  /** Who grantee and retiring principal were when it was made. */
  readonly principals: NamedPrincipals;
}

export type NewGrant = Omit<GrantRecord, 'id'>;

/** A principal by its ARN, or a service by its name. */
export interface NamedPrincipal {
  readonly name: string;
  readonly isService: boolean;
}

/** Which grants of a key are listed: all, unless told. */
export interface GrantFilter {
  readonly id?: string | undefined;
  readonly grantee?: NamedPrincipal | undefined;
}

/** Key and grantees whose grants are kept in memory. */
const cachedGrantees = 10_000;

/** The grants in the store. */
export class GrantRepository {
  private readonly cache: RevisionCache<readonly GrantRecord[]>;

  /** @param grantsPerKey quota; AWS has 50,000 */
  constructor(
    private readonly store: Store,
    private readonly grantsPerKey: number,
  ) {
    // a grant belongs to its key
    this.cache = new RevisionCache(store, cachedGrantees, 'grants', { of: 'keys' });
  }

  /**
   * The grants on a key that some principals have: few, of the many that a key may have.
   *
   * @param grantees ARNs
   */
  readonly ofGrantees = (
    keyId: string,
    grantees: readonly string[],
  ): readonly GrantRecord[] | Promise<readonly GrantRecord[]> => {
    const load = () =>
      this.sealed(
        this.store.db
          .selectFrom('grants')
          .selectAll()
          .where('key_id', '=', keyId)
          .where('grantee', 'in', grantees)
          .where('grantee_is_service', '=', 0),
      );
    // `load` always finds a list, an empty one at the least
    return this.cache.get(keyId, load, grantees.join(' ')) as readonly GrantRecord[] | Promise<GrantRecord[]>;
  };

  /**
   * Commits a grant. One that has a name and is the same as an existing one in every respect is that one.
   *
   * @returns its id
   * @throws KmsError LimitExceededException; StaleKeyError when the key has changed meanwhile
   */
  async create(key: KeyRecord, grant: NewGrant): Promise<string> {
    return this.store.change(async (change) => {
      const existing = await this.admit(change.db, grant);
      if (existing !== undefined) return existing;
      const current = await change.find('keys', key.id);
      if (current?.row.version !== key.version) throw new StaleKeyError(`key ${key.id} has changed`);
      const id = randomBytes(32).toString('hex');
      await change.insert('grants', { id, ...rowOf(grant) });
      return id;
    });
  }

  /** Throws what `create` would throw, and changes nothing. @throws KmsError LimitExceededException */
  async rehearse(grant: NewGrant): Promise<void> {
    await this.admit(this.store.db, grant);
  }

  async find(keyId: string, id: string): Promise<GrantRecord | undefined> {
    const [grant] = await this.listOfKey(keyId, { id }, '', 1);
    return grant;
  }

  /** Grants of a key in the order of their ids, from the one after `after`. */
  async listOfKey(keyId: string, { id, grantee }: GrantFilter, after: string, limit: number): Promise<GrantRecord[]> {
    let query = this.store.db.selectFrom('grants').selectAll().where('key_id', '=', keyId).where('id', '>', after);
    if (id !== undefined) query = query.where('id', '=', id);
    if (grantee) {
      query = query.where('grantee', '=', grantee.name).where('grantee_is_service', '=', grantee.isService ? 1 : 0);
    }
    return this.sealed(query.orderBy('id').limit(limit));
  }

  /** Grants of all keys that a principal may retire, in the order of their ids, from the one after `after`. */
  async listRetirable(retiring: NamedPrincipal, after: string, limit: number): Promise<GrantRecord[]> {
    return this.sealed(
      this.store.db
        .selectFrom('grants')
        .selectAll()
        .where('retiring', '=', retiring.name)
        .where('retiring_is_service', '=', retiring.isService ? 1 : 0)
        .where('id', '>', after)
        .orderBy('id')
        .limit(limit),
    );
  }

  /** @returns false when there is no such grant */
  async delete(keyId: string, id: string): Promise<boolean> {
    return this.store.change(async (change) => {
      const grant = await change.open('grants', id, 'whatever');
      return grant?.row.key_id === keyId && change.delete('grants', id);
    });
  }

  /** @throws BrokenSealError */
  private async sealed(query: { execute(): Promise<Selectable<GrantsTable>[]> }): Promise<GrantRecord[]> {
    return (await this.store.records().list('grants', () => query.execute())).map(recordOf);
  }

  /** The id of the same grant, made earlier under its name; otherwise undefined, and there is room for it. */
  private async admit(db: Kysely<Schema>, grant: NewGrant): Promise<string | undefined> {
    const existing = grant.name === '' ? undefined : await sameGrant(db, rowOf(grant));
    if (existing !== undefined) return existing;
    const { count } = await db
      .selectFrom('grants')
      .select((row) => row.fn.countAll<number>().as('count'))
      .where('key_id', '=', grant.keyId)
      .executeTakeFirstOrThrow();
    if (Number(count) < this.grantsPerKey) return undefined;
    throw new KmsError('LimitExceededException', `The key has ${this.grantsPerKey} grants already, which is the limit`);
  }
}

type GrantRow = Omit<Selectable<GrantsTable>, 'id' | 'seal'>;

async function sameGrant(db: Kysely<Schema>, row: GrantRow): Promise<string | undefined> {
  const found = await db
    .selectFrom('grants')
    .select('id')
    .where('key_id', '=', row.key_id)
    .where('name', '=', row.name)
    .where('grantee', '=', row.grantee)
    .where('grantee_is_service', '=', row.grantee_is_service)
    .where('retiring', row.retiring === null ? 'is' : '=', row.retiring)
    .where('retiring_is_service', '=', row.retiring_is_service)
    .where('issuing_account', '=', row.issuing_account)
    .where('operations', '=', row.operations)
    .where('principals', row.principals === null ? 'is' : '=', row.principals)
    .where('constraints', row.constraints === null ? 'is' : '=', row.constraints)
    .executeTakeFirst();
  return found?.id;
}

function rowOf(grant: NewGrant): GrantRow {
  const grantee = grant.granteePrincipal ?? grant.granteeServicePrincipal;
  if (grantee === undefined) throw new Error('a grant needs a grantee');
  return {
    key_id: grant.keyId,
    name: grant.name,
    grantee,
    grantee_is_service: grant.granteePrincipal === undefined ? 1 : 0,
    retiring: grant.retiringPrincipal ?? grant.retiringServicePrincipal ?? null,
    retiring_is_service: grant.retiringServicePrincipal === undefined ? 0 : 1,
    issuing_account: grant.issuingAccount,
    operations: JSON.stringify(grant.operations),
    constraints: constraintsText(grant.constraints),
    created_at: grant.createdAt.getTime(),
    principals: namedPrincipalsText(grant.principals),
  };
}

function recordOf(row: Selectable<GrantsTable>): GrantRecord {
  const retiring = row.retiring ?? undefined;
  return {
    id: row.id,
    keyId: row.key_id,
    name: row.name,
    granteePrincipal: row.grantee_is_service === 1 ? undefined : row.grantee,
    granteeServicePrincipal: row.grantee_is_service === 1 ? row.grantee : undefined,
    retiringPrincipal: row.retiring_is_service === 1 ? undefined : retiring,
    retiringServicePrincipal: row.retiring_is_service === 1 ? retiring : undefined,
    issuingAccount: row.issuing_account,
    operations: JSON.parse(row.operations),
    constraints: row.constraints === null ? undefined : JSON.parse(row.constraints),
    createdAt: new Date(row.created_at),
    principals: namedPrincipalsFrom(row.principals),
  };
}

/** The same text for the same constraints, in whichever order they were sent; null for none. */
function constraintsText(constraints: GrantConstraints | undefined): string | null {
  if (constraints === undefined) return null;
  const text = JSON.stringify({
    EncryptionContextEquals: sorted(constraints.EncryptionContextEquals),
    EncryptionContextSubset: sorted(constraints.EncryptionContextSubset),
    SourceArn: constraints.SourceArn,
  });
  return text === '{}' ? null : text;
}

function sorted(pairs: Readonly<Record<string, string>> | undefined): Record<string, string> | undefined {
  return pairs && Object.fromEntries(Object.entries(pairs).sort(([one], [other]) => (one < other ? -1 : 1)));
}
