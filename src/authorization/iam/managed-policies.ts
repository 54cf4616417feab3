import type { Selectable } from 'kysely';
import type { ManagedPoliciesTable } from '../../store/schema.js';
import { awsManagedPolicies } from '../aws-managed-policies.js';
import { checkValue } from './constraints.js';
import { IamError, noSuchEntity, quotaExceeded } from './iam-error.js';
import type { IamPlace } from './iam-place.js';
import { checkedPolicy, policySize } from './policy-texts.js';
import type { PrincipalKind } from './principals.js';
import { uniqueId } from './unique-ids.js';

/** A managed policy: one of the account's own, or one of AWS's. */
export interface ManagedPolicy {
  readonly arn: string;
  readonly uniqueId: string;
  readonly name: string;
  readonly path: string;
  readonly description: string | undefined;
  /** JSON. */
  readonly document: string;
  /** Counts from 1; only the latest is kept. */
  readonly version: number;
  readonly createdAt: Date;
  /** When this version was made. */
  readonly updatedAt: Date;
}

export interface AttachedPolicy {
  readonly arn: string;
  readonly name: string;
}

/** Who has a policy, and how. */
export interface PolicyHolder {
  readonly kind: PrincipalKind;
  readonly name: string;
  readonly uniqueId: string;
  readonly as: 'policy' | 'boundary';
}

const policyCharacters = 6_144;

/** The managed policies that can be attached to users and roles. */
export class ManagedPolicies {
  constructor(
    private readonly place: IamPlace,
    private readonly accountId: string,
  ) {}

  /** @throws IamError EntityAlreadyExists, MalformedPolicyDocument, LimitExceeded, ValidationError */
  async create(
    policy: Pick<ManagedPolicy, 'name' | 'document'> & Partial<Pick<ManagedPolicy, 'path' | 'description'>>,
    at: Date,
  ): Promise<ManagedPolicy> {
    const { name, path = '/', description, document } = policy;
    checkValue('policyName', name);
    checkValue('policyPath', path);
    if (description !== undefined) checkValue('description', description);
    checkDocument(document);
    const row = {
      arn: `arn:aws:iam::${this.accountId}:policy${path}${name}`,
      unique_id: uniqueId('ANPA'),
      path,
      name,
      folded_name: name.toLowerCase(),
      description: description ?? null,
      document,
      version: 1,
      created_at: at.getTime(),
      updated_at: at.getTime(),
    };
    const namesake = await this.rows().where('folded_name', '=', row.folded_name).executeTakeFirst();
    if (namesake) {
      const sentence = `A policy called ${name} already exists. Duplicate names are not allowed.`;
      throw new IamError('EntityAlreadyExists', sentence);
    }
    await this.place.insert('managed_policies', row);
    return fromRow(row);
  }

  /** @throws IamError NoSuchEntity */
  async find(arn: string): Promise<ManagedPolicy> {
    const row = await this.rows().where('arn', '=', arn).executeTakeFirst();
    const policy = row ? fromRow(row) : awsManaged(arn);
    if (policy === undefined) throw noSuchEntity(`Policy ${arn} does not exist or is not attachable.`);
    return policy;
  }

  /** @param version v1, v2 ... @throws IamError NoSuchEntity for any but the latest */
  async findVersion(arn: string, version: string): Promise<ManagedPolicy> {
    const policy = await this.find(arn);
    if (version === `v${policy.version}`) return policy;
    throw noSuchEntity(`Policy ${arn} version ${version} does not exist or is not attachable.`);
  }

  /** The account's own, by name; then AWS's. */
  async list(): Promise<ManagedPolicy[]> {
    return [...(await this.listOwn()), ...[...awsManagedPolicies.keys()].flatMap((arn) => awsManaged(arn) ?? [])];
  }

  /** The account's own, by name. */
  async listOwn(): Promise<ManagedPolicy[]> {
    return (await this.rows().orderBy('name').execute()).map(fromRow);
  }

  /** Replaces the document; the one before is not kept. @throws IamError MalformedPolicyDocument, AccessDenied ... */
  async update(arn: string, document: string, at: Date): Promise<ManagedPolicy> {
    const policy = await this.findOwn(arn);
    checkDocument(document);
    const next = { document, version: policy.version + 1, updated_at: at.getTime() };
    await (await this.place.find('managed_policies', arn))?.set(next);
    return { ...policy, document, version: next.version, updatedAt: at };
  }

  /** @throws IamError DeleteConflict while a user or a role has it; AccessDenied for one of AWS's; NoSuchEntity */
  async delete(arn: string): Promise<void> {
    await this.findOwn(arn);
    if ((await this.holders(arn)).length > 0) {
      throw new IamError('DeleteConflict', 'Cannot delete a policy attached to entities.');
    }
    await this.place.delete('managed_policies', arn);
  }

  /** What is attached to a user or a role, by ARN. @param principalArn its ARN */
  async attachedTo(principalArn: string): Promise<AttachedPolicy[]> {
    const rows = await this.place.db
      .selectFrom('attached_policies')
      .select('policy_arn')
      .where('principal_arn', '=', principalArn)
      .orderBy('policy_arn')
      .execute();
    return rows.map(({ policy_arn: arn }) => ({ arn, name: arn.slice(arn.lastIndexOf('/') + 1) }));
  }

  /** Who has a policy attached or as the boundary of permissions, by name. */
  async holders(arn: string): Promise<PolicyHolder[]> {
    const rows = await this.place.db
      .selectFrom('principals')
      .leftJoin('attached_policies', (join) =>
        join.onRef('attached_policies.principal_arn', '=', 'principals.arn').on('policy_arn', '=', arn),
      )
      .select(['kind', 'name', 'unique_id', 'policy_arn', 'permissions_boundary'])
      .where((row) => row.or([row('policy_arn', '=', arn), row('permissions_boundary', '=', arn)]))
      .orderBy('name')
      .execute();
    return rows.flatMap(({ kind, name, unique_id, policy_arn, permissions_boundary }) => [
      ...(policy_arn === arn ? [{ kind, name, uniqueId: unique_id, as: 'policy' as const }] : []),
      ...(permissions_boundary === arn ? [{ kind, name, uniqueId: unique_id, as: 'boundary' as const }] : []),
    ]);
  }

  private rows() {
    return this.place.db.selectFrom('managed_policies').selectAll();
  }

  private async findOwn(arn: string): Promise<ManagedPolicy> {
    const policy = await this.find(arn);
    if (awsManagedPolicies.has(arn)) throw new IamError('AccessDenied', 'Policy is outside your own account.');
    return policy;
  }
}

function checkDocument(document: string): void {
  checkedPolicy(document, 'identity');
  if (policySize(document) > policyCharacters) throw quotaExceeded('PolicySize', policyCharacters);
}

function fromRow(row: Omit<Selectable<ManagedPoliciesTable>, 'seal'>): ManagedPolicy {
  return {
    arn: row.arn,
    uniqueId: row.unique_id,
    name: row.name,
    path: row.path,
    description: row.description ?? undefined,
    document: row.document,
    version: row.version,
    createdAt: new Date(row.created_at),
    updatedAt: new Date(row.updated_at),
  };
}

function awsManaged(arn: string): ManagedPolicy | undefined {
  const policy = awsManagedPolicies.get(arn);
  if (policy === undefined) return undefined;
  const { uniqueId, name, description, text, at } = policy;
  const path = arn.slice(arn.indexOf('/'), arn.lastIndexOf('/') + 1);
  return { arn, uniqueId, name, path, description, document: text, version: 1, createdAt: at, updatedAt: at };
}
