import type { Kysely } from 'kysely';
import { RevisionCache } from '../store/revision-cache.js';
import type { PrincipalsTable, Schema } from '../store/schema.js';
import type { StoredRecord } from '../store/seal/records.js';
import type { Store } from '../store/store.js';
import type { Sealer } from '../token/sealing.js';
import { administratorAccessArn, awsManagedPolicies } from './aws-managed-policies.js';
import { type FoundPrincipals, findNamedPrincipals, namedPrincipalsFrom } from './named-principals.js';
import type { PolicyDocument } from './policy/document.js';
import { accountRoot, type Permissions, type Principal, type Role, sessionPrincipal } from './principal.js';
import { purposeOfSecret } from './secret-purpose.js';
import type { StoredPolicies } from './stored-policies.js';

/** An access key that requests are signed with. */
export interface AccessKey {
  readonly accessKeyId: string;
  /** UTF-8. The Buffer lives as long as this record is current: what is derived from it may be kept by its identity. */
  readonly secretAccessKey: Buffer;
  readonly principal: Principal;
  /** Belongs to a session, and is good with its session token only. */
  readonly temporary?: true;
}

const cachedAccessKeys = 10_000;
const cachedRoles = 10_000;

type PrincipalRecord = StoredRecord<'principals'>;

/** Users, roles and access keys, as requests need them. What manages them is in `iam/`. */
export class Identities {
  private readonly accessKeys: RevisionCache<AccessKey>;
  private readonly roles: RevisionCache<Role>;
  /** Opened secrets by access key id and sealed form: a change elsewhere in the store costs no token operation. */
  private readonly opened = new Map<string, { readonly sealed: Buffer; readonly secret: Buffer }>();

  constructor(
    private readonly store: Store,
    private readonly sealer: Pick<Sealer, 'open'>,
    private readonly accountId: string,
    private readonly policies: StoredPolicies,
  ) {
    const of = ['principals', 'managed_policies'] as const;
    this.accessKeys = new RevisionCache(store, cachedAccessKeys, 'access keys', { on: ['access_keys', ...of] });
    this.roles = new RevisionCache(store, cachedRoles, 'roles', { on: of });
  }

  /** The active access key, or undefined. @throws TokenError, or Error when its secret was sealed by another token */
  find(accessKeyId: string): AccessKey | undefined | Promise<AccessKey | undefined> {
    return this.accessKeys.get(accessKeyId, () => this.loadAccessKey(accessKeyId));
  }

  /** @param arn with the role's path, as it is written */
  findRole(arn: string): Role | undefined | Promise<Role | undefined> {
    return this.roles.get(arn, () => this.store.read((db) => this.loadRole(db, arn)));
  }

  /** A user by its ARN; read from the store each time. */
  findUser(arn: string): Promise<Principal | undefined> {
    return this.store.read(async (db) => {
      const found = await this.principalRecord(db, arn, 'user');
      return found && this.principalOf(db, found);
    });
  }

  /**
   * Whoever an ARN names: a user, a role session, a role (as a session of it), the account root. Read from the store
   * each time.
   *
   * @param at when the session began
   */
  async findPrincipal(arn: string, at: Date): Promise<Principal | undefined> {
    if (arn === `arn:aws:iam::${this.accountId}:root`) return accountRoot(this.accountId);
    const user = await this.findUser(arn);
    if (user) return user;
    const [, account, roleName, sessionName = 'session'] =
      /^arn:aws:sts::(\d{12}):assumed-role\/([^/]+)\/([^/]+)$/.exec(arn) ?? [];
    if (roleName !== undefined && account !== this.accountId) return undefined;
    const role = await this.findRole(roleName === undefined ? arn : await this.arnOfRole(roleName));
    return (
      role &&
      sessionPrincipal(role, {
        sessionName,
        tags: new Map(),
        sessionPolicies: undefined,
        issuedAt: at,
        sourceIdentity: undefined,
      })
    );
  }

  /** Of users that are administrators, the one that was made first. */
  firstAdministrator(): Promise<Principal | undefined> {
    return this.store.read(async (db) => {
      const row = await db
        .selectFrom('principals')
        .innerJoin('attached_policies', 'attached_policies.principal_arn', 'principals.arn')
        .select('arn')
        .where('kind', '=', 'user')
        .where('policy_arn', '=', administratorAccessArn)
        .orderBy('created_at')
        .orderBy('arn')
        .executeTakeFirst();
      const found = row && (await this.principalRecord(db, row.arn, 'user'));
      return found && this.principalOf(db, found);
    });
  }

  /** Whom some ARNs name; see findNamedPrincipals. */
  named(arns: readonly string[]): Promise<FoundPrincipals> {
    return findNamedPrincipals(this.store.db, this.accountId, arns);
  }

  /** '' when there is no such role. */
  private async arnOfRole(name: string): Promise<string> {
    const row = await this.store.db
      .selectFrom('principals')
      .select('arn')
      .where('kind', '=', 'role')
      .where('name', '=', name)
      .executeTakeFirst();
    return row?.arn ?? '';
  }

  private async loadAccessKey(accessKeyId: string): Promise<AccessKey | undefined> {
    const found = await this.store.read(async (db) => {
      const accessKey = (await this.store.records(db).find('access_keys', accessKeyId))?.row;
      const user =
        accessKey?.active === 1 && (await this.store.records(db).find('principals', accessKey.principal_arn));
      return user ? { sealed: accessKey.sealed_secret, principal: await this.principalOf(db, user) } : undefined;
    });
    if (found === undefined) return undefined;
    const secretAccessKey = await this.secretOf(accessKeyId, found.sealed);
    return { accessKeyId, secretAccessKey, principal: found.principal };
  }

  private async loadRole(db: Kysely<Schema>, arn: string): Promise<Role | undefined> {
    const role = await this.principalRecord(db, arn, 'role');
    if (role === undefined) return undefined;
    const { row } = role;
    const permissions = await this.permissionsOf(db, role);
    return {
      arn,
      accountId: this.accountId,
      uniqueId: row.unique_id,
      name: row.name,
      tags: tagsOf(role),
      ...permissions,
      trustPolicy: this.policies.get(row.trust_policy ?? undefined, 'trust', `the trust policy of ${arn}`),
      trustedPrincipals: namedPrincipalsFrom(row.trust_principals),
      maxSessionSeconds: row.max_session_seconds ?? 0,
    };
  }

  private async principalRecord(
    db: Kysely<Schema>,
    arn: string,
    kind: PrincipalsTable['kind'],
  ): Promise<PrincipalRecord | undefined> {
    const found = await this.store.records(db).find('principals', arn);
    return found?.row.kind === kind ? found : undefined;
  }

  private async principalOf(db: Kysely<Schema>, record: PrincipalRecord): Promise<Principal> {
    const { identityPolicies, policyNames, permissionsBoundary } = await this.permissionsOf(db, record);
    const { row } = record;
    return {
      arn: row.arn,
      accountId: this.accountId,
      kind: 'user',
      uniqueId: row.unique_id,
      name: row.name,
      tags: tagsOf(record),
      identityPolicies,
      policyNames,
      permissionsBoundary,
      sessionPolicies: undefined,
      tokenIssuedAt: undefined,
      sourceIdentity: undefined,
    };
  }

  private async permissionsOf(db: Kysely<Schema>, { row, parts }: PrincipalRecord): Promise<Permissions> {
    const { arn, permissions_boundary: boundary } = row;
    const inline = [...parts.inline_policies].sort((one, other) => (one.name < other.name ? -1 : 1));
    const attached = parts.attached_policies.map(({ policy_arn }) => policy_arn).sort();
    const identityPolicies = inline.map(({ name, document }) =>
      this.policies.get(document, 'identity', `${name} of ${arn}`),
    );
    for (const policyArn of attached) identityPolicies.push(await this.managedPolicy(policyArn, db));
    return {
      identityPolicies,
      policyNames: [...inline.map(({ name }) => name), ...attached],
      permissionsBoundary: boundary === null ? undefined : await this.managedPolicy(boundary, db),
    };
  }

  /** A managed policy, also as a boundary or as a session policy: one that does not exist denies everything. */
  async managedPolicy(arn: string, db: Kysely<Schema> = this.store.db): Promise<PolicyDocument> {
    const own = awsManagedPolicies.get(arn)?.document;
    if (own) return own;
    const found = await this.store.records(db).find('managed_policies', arn);
    return this.policies.get(found?.row.document, 'identity', arn);
  }

  /** True for the account's own managed policies, and AWS's. */
  async hasManagedPolicy(arn: string): Promise<boolean> {
    return awsManagedPolicies.has(arn) || (await this.store.records().find('managed_policies', arn)) !== undefined;
  }

  private async secretOf(accessKeyId: string, sealed: Buffer): Promise<Buffer> {
    const known = this.opened.get(accessKeyId);
    if (known?.sealed.equals(sealed)) return known.secret;
    const secret = await this.sealer.open(purposeOfSecret(accessKeyId), sealed);
    if (secret === undefined) throw new Error(`the secret of access key ${accessKeyId} was not sealed by this token`);
    if (this.opened.size >= cachedAccessKeys) this.opened.clear();
    this.opened.set(accessKeyId, { sealed, secret });
    return secret;
  }
}

function tagsOf({ parts }: PrincipalRecord): ReadonlyMap<string, string> {
  return new Map(parts.principal_tags.map(({ tag_key, tag_value }) => [tag_key, tag_value]));
}
