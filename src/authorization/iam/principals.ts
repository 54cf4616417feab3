import type { Selectable } from 'kysely';
import type { PrincipalsTable } from '../../store/schema.js';
import type { ChangedRecord } from '../../store/seal/change.js';
import { findNamedPrincipals, namedPrincipalsFrom, namedPrincipalsText } from '../named-principals.js';
import { checkMaxSessionDuration, checkTags, checkValue, foldedTagKey } from './constraints.js';
import { IamError, noSuchEntity, quotaExceeded } from './iam-error.js';
import type { IamPlace } from './iam-place.js';
import type { AttachedPolicy, ManagedPolicies } from './managed-policies.js';
import { checkedPolicy, checkTrusted, policySize } from './policy-texts.js';
import { uniqueId } from './unique-ids.js';

export type PrincipalKind = PrincipalsTable['kind'];
export type PrincipalRow = Omit<Selectable<PrincipalsTable>, 'seal'>;
export type Tags = ReadonlyMap<string, string>;

/** What differs between users and roles. */
const kinds = {
  user: { Noun: 'User', parameter: 'userName', prefix: 'AIDA', inlineCharacters: 2_048 },
  role: { Noun: 'Role', parameter: 'roleName', prefix: 'AROA', inlineCharacters: 10_240 },
} as const;

const mostAttachedPolicies = 10;
const trustCharacters = 2_048;
const defaultSessionSeconds = 3_600;

/** What a role has and a user has not. */
export interface RoleProperties {
  readonly trustPolicy: string;
  readonly description?: string | undefined;
  readonly maxSessionSeconds?: number | undefined;
}

export interface NewPrincipal {
  readonly name: string;
  readonly path?: string | undefined;
  readonly tags?: Tags | undefined;
  /** ARN of a managed policy. */
  readonly permissionsBoundary?: string | undefined;
  /** Of a role, and only of it. */
  readonly role?: RoleProperties | undefined;
}

/** The users or the roles of the account, as IAM manages them. Names are told apart by case, but must differ without. */
export class Principals {
  readonly #kind;

  constructor(
    private readonly place: IamPlace,
    private readonly accountId: string,
    private readonly kind: PrincipalKind,
    private readonly policies: ManagedPolicies,
  ) {
    this.#kind = kinds[kind];
  }

  /** @throws IamError EntityAlreadyExists, ValidationError, MalformedPolicyDocument, LimitExceeded, NoSuchEntity */
  async create(principal: NewPrincipal, at: Date): Promise<PrincipalRow> {
    const { name, path = '/', tags = new Map(), permissionsBoundary, role } = principal;
    const { Noun, parameter, prefix } = this.#kind;
    checkValue(parameter, name);
    checkValue('path', path);
    checkTags([...tags], `TagsPer${Noun}`);
    const row: PrincipalRow = {
      arn: `arn:aws:iam::${this.accountId}:${this.kind}${path}${name}`,
      unique_id: uniqueId(prefix),
      kind: this.kind,
      path,
      name,
      folded_name: name.toLowerCase(),
      created_at: at.getTime(),
      description: role?.description ?? null,
      trust_policy: null,
      trust_principals: null,
      ...(role && (await this.checkedRole(role))),
      max_session_seconds: role ? (role.maxSessionSeconds ?? defaultSessionSeconds) : null,
      permissions_boundary: permissionsBoundary ?? null,
    };
    if (permissionsBoundary !== undefined) await this.policies.find(permissionsBoundary);
    const namesake = await this.rows().where('folded_name', '=', row.folded_name).executeTakeFirst();
    if (namesake) throw new IamError('EntityAlreadyExists', `${Noun} with name ${name} already exists.`);
    const record = await this.place.insert('principals', row);
    for (const [key, value] of tags) await record.put('principal_tags', tagRow(row.arn, key, value));
    return row;
  }

  /** @throws IamError NoSuchEntity */
  async get(name: string): Promise<PrincipalRow> {
    const row = await this.find(name);
    if (row === undefined) throw noSuchEntity(`The ${this.kind} with name ${name} cannot be found.`);
    return row;
  }

  async find(name: string): Promise<PrincipalRow | undefined> {
    return this.rows().where('name', '=', name).executeTakeFirst();
  }

  /** By name. */
  async list(pathPrefix = '/'): Promise<PrincipalRow[]> {
    const rows = await this.rows().orderBy('name').execute();
    return rows.filter(({ path }) => path.startsWith(pathPrefix));
  }

  /** @throws IamError DeleteConflict while it has access keys or policies; NoSuchEntity */
  async delete(name: string): Promise<void> {
    const { arn } = await this.get(name);
    const conflicts = [
      ['access_keys', 'delete access keys'],
      ['inline_policies', 'delete policies'],
      ['attached_policies', 'detach all policies'],
    ] as const;
    for (const [table, first] of conflicts) {
      const row = await this.place.db
        .selectFrom(table)
        .select('principal_arn')
        .where('principal_arn', '=', arn)
        .executeTakeFirst();
      if (row) throw new IamError('DeleteConflict', `Cannot delete entity, must ${first} first.`);
    }
    await this.place.delete('principals', arn);
  }

  /** Adds tags, and gives new values to those that it has. @throws IamError InvalidInput, LimitExceeded ... */
  async tag(name: string, tags: Tags): Promise<void> {
    const { arn } = await this.get(name);
    checkTags([...tags], `TagsPer${this.#kind.Noun}`);
    const changed = new Set([...tags.keys()].map(foldedTagKey));
    const kept = [...(await this.tagsOf(arn))].filter(([key]) => !changed.has(foldedTagKey(key)));
    await this.replaceTags(arn, new Map([...kept, ...tags]));
  }

  /** @param keys those that it does not have are left out */
  async untag(name: string, keys: readonly string[]): Promise<void> {
    const { arn } = await this.get(name);
    const removed = new Set(keys.map(foldedTagKey));
    const kept = [...(await this.tagsOf(arn))].filter(([key]) => !removed.has(foldedTagKey(key)));
    await this.replaceTags(arn, new Map(kept));
  }

  /** By key. */
  async tags(name: string): Promise<Tags> {
    return this.tagsOf((await this.get(name)).arn);
  }

  /** @throws IamError MalformedPolicyDocument, LimitExceeded ... */
  async putPolicy(name: string, policyName: string, document: string): Promise<void> {
    const { arn } = await this.get(name);
    checkValue('policyName', policyName);
    checkedPolicy(document, 'identity');
    const others = await this.inlinePolicies(arn).where('name', '!=', policyName).execute();
    const size = others.reduce((sum, other) => sum + policySize(other.document), policySize(document));
    if (size > this.#kind.inlineCharacters) {
      const sentence = `Maximum policy size of ${this.#kind.inlineCharacters} bytes exceeded for ${this.kind} ${name}`;
      throw new IamError('LimitExceeded', sentence);
    }
    const record = await this.record(arn);
    await record.put('inline_policies', { principal_arn: arn, name: policyName, document });
  }

  /** @throws IamError NoSuchEntity */
  async getPolicy(name: string, policyName: string): Promise<string> {
    const { arn } = await this.get(name);
    const row = await this.inlinePolicies(arn).where('name', '=', policyName).executeTakeFirst();
    if (row) return row.document;
    throw noSuchEntity(`The ${this.kind} policy with name ${policyName} cannot be found.`);
  }

  /** Inline policies: name -> document, by name. */
  async listPolicies(name: string): Promise<ReadonlyMap<string, string>> {
    const { arn } = await this.get(name);
    const rows = await this.inlinePolicies(arn).orderBy('name').execute();
    return new Map(rows.map((row) => [row.name, row.document]));
  }

  /** @throws IamError NoSuchEntity */
  async deletePolicy(name: string, policyName: string): Promise<void> {
    await this.getPolicy(name, policyName);
    const { arn } = await this.get(name);
    await (await this.record(arn)).remove('inline_policies', { name: policyName });
  }

  /** @throws IamError NoSuchEntity, LimitExceeded */
  async attach(name: string, policyArn: string): Promise<void> {
    const { arn } = await this.get(name);
    await this.policies.find(policyArn);
    const attached = await this.policies.attachedTo(arn);
    if (attached.some((policy) => policy.arn === policyArn)) return;
    if (attached.length >= mostAttachedPolicies) {
      throw quotaExceeded(`PoliciesPer${this.#kind.Noun}`, mostAttachedPolicies);
    }
    await (await this.record(arn)).put('attached_policies', { principal_arn: arn, policy_arn: policyArn });
  }

  /** @throws IamError NoSuchEntity */
  async detach(name: string, policyArn: string): Promise<void> {
    const { arn } = await this.get(name);
    const wasAttached = await (await this.record(arn)).remove('attached_policies', { policy_arn: policyArn });
    if (!wasAttached) throw noSuchEntity(`Policy ${policyArn} was not found.`);
  }

  /** By ARN. */
  async listAttached(name: string): Promise<AttachedPolicy[]> {
    return this.policies.attachedTo((await this.get(name)).arn);
  }

  /** @param policyArn undefined for none. @throws IamError NoSuchEntity */
  async setBoundary(name: string, policyArn: string | undefined): Promise<void> {
    const { arn } = await this.get(name);
    if (policyArn !== undefined) await this.policies.find(policyArn);
    await (await this.record(arn)).set({ permissions_boundary: policyArn ?? null });
  }

  /** Changes what a role has and a user has not; what is left out stays. @throws IamError */
  async updateRole(name: string, changes: Partial<RoleProperties>): Promise<void> {
    const { arn } = await this.get(name);
    const { description, maxSessionSeconds } = changes;
    const set = {
      ...(await this.checkedRole(changes)),
      ...(description !== undefined && { description }),
      ...(maxSessionSeconds !== undefined && { max_session_seconds: maxSessionSeconds }),
    };
    if (Object.keys(set).length === 0) return;
    await (await this.record(arn)).set(set);
  }

  /** Whether the trust policy of a role names somebody who was deleted since it was set, and maybe made anew. */
  async trustsSomebodyGone(name: string): Promise<boolean> {
    const { trust_principals } = await this.get(name);
    const trusted = namedPrincipalsFrom(trust_principals);
    const { principals } = await findNamedPrincipals(this.place.db, this.accountId, [...trusted.keys()]);
    return [...trusted].some(([arn, id]) => principals.get(arn) !== id);
  }

  /** What is stored of a trust policy, with whom it names; nothing without one. */
  private async checkedRole({ trustPolicy, description, maxSessionSeconds }: Partial<RoleProperties>) {
    if (description !== undefined) checkValue('description', description);
    if (maxSessionSeconds !== undefined) checkMaxSessionDuration(maxSessionSeconds);
    if (trustPolicy === undefined) return {};
    const policy = checkedPolicy(trustPolicy, 'trust');
    if (policySize(trustPolicy) > trustCharacters) throw quotaExceeded('ACLSizePerRole', trustCharacters);
    const principals = await checkTrusted(this.place.db, this.accountId, policy);
    return { trust_policy: trustPolicy, trust_principals: namedPrincipalsText(principals) };
  }

  private rows() {
    return this.place.db.selectFrom('principals').selectAll().where('kind', '=', this.kind);
  }

  private inlinePolicies(arn: string) {
    return this.place.db.selectFrom('inline_policies').select(['name', 'document']).where('principal_arn', '=', arn);
  }

  private async tagsOf(arn: string): Promise<Tags> {
    const rows = await this.place.db
      .selectFrom('principal_tags')
      .select(['tag_key', 'tag_value'])
      .where('principal_arn', '=', arn)
      .orderBy('tag_key')
      .execute();
    return new Map(rows.map(({ tag_key, tag_value }) => [tag_key, tag_value]));
  }

  private async replaceTags(arn: string, tags: Tags): Promise<void> {
    checkTags([...tags], `TagsPer${this.#kind.Noun}`);
    const record = await this.record(arn);
    for (const { tag_key } of record.part('principal_tags')) await record.remove('principal_tags', { tag_key });
    for (const [key, value] of tags) await record.put('principal_tags', tagRow(arn, key, value));
  }

  /** To be changed. @throws IamError NoSuchEntity; BrokenSealError */
  private async record(arn: string): Promise<ChangedRecord<'principals'>> {
    const record = await this.place.find('principals', arn);
    if (record === undefined) throw noSuchEntity(`The ${this.kind} ${arn} cannot be found.`);
    return record;
  }
}

function tagRow(arn: string, key: string, value: string) {
  return { principal_arn: arn, tag_key: key, tag_value: value };
}
