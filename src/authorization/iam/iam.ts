import type { Kysely } from 'kysely';
import type { Schema } from '../../store/schema.js';
import { administratorAccessArn } from '../aws-managed-policies.js';
import { AccessKeys } from './access-keys.js';
import type { IamPlace } from './iam-place.js';
import { ManagedPolicies } from './managed-policies.js';
import { Principals } from './principals.js';

/**
 * What AWS IAM manages of the account, in one change of the store. Nothing here authorizes: who may open the database and
 * the token may do everything.
 *
 * @example await store.change((change) => new Iam(change, accountId, now).users.delete('bob'))
 */
export class Iam {
  readonly users: Principals;
  readonly roles: Principals;
  readonly policies: ManagedPolicies;
  readonly accessKeys: AccessKeys;

  private readonly db: Kysely<Schema>;

  /** @param place a change, or `onlyLooking`. @param now what is made is dated */
  constructor(
    place: IamPlace,
    readonly accountId: string,
    readonly now: Date,
  ) {
    this.db = place.db;
    this.policies = new ManagedPolicies(place, accountId);
    this.users = new Principals(place, accountId, 'user', this.policies);
    this.roles = new Principals(place, accountId, 'role', this.policies);
    this.accessKeys = new AccessKeys(place, this.users);
  }

  /** Whether somebody can administer the account by signed requests: an administrator with an active access key. */
  async hasAdministrator(): Promise<boolean> {
    const row = await this.db
      .selectFrom('attached_policies')
      .innerJoin('access_keys', 'access_keys.principal_arn', 'attached_policies.principal_arn')
      .select('access_keys.id')
      .where('policy_arn', '=', administratorAccessArn)
      .where('active', '=', 1)
      .executeTakeFirst();
    return row !== undefined;
  }

  /** How many key policies, trust policies and grants name somebody. */
  async namings(arn: string): Promise<{ keyPolicies: number; trustPolicies: number; grants: number }> {
    const named = `%"${arn}"%`;
    const { keyPolicies } = await this.db
      .selectFrom('keys')
      .select(({ fn }) => fn.countAll<number>().as('keyPolicies'))
      .where('policy', 'like', named)
      .executeTakeFirstOrThrow();
    const { trustPolicies } = await this.db
      .selectFrom('principals')
      .select(({ fn }) => fn.countAll<number>().as('trustPolicies'))
      .where('trust_policy', 'like', named)
      .executeTakeFirstOrThrow();
    const { grants } = await this.db
      .selectFrom('grants')
      .select(({ fn }) => fn.countAll<number>().as('grants'))
      .where((row) => row.or([row('grantee', '=', arn), row('retiring', '=', arn)]))
      .executeTakeFirstOrThrow();
    return { keyPolicies: Number(keyPolicies), trustPolicies: Number(trustPolicies), grants: Number(grants) };
  }
}
