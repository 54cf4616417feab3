import { isDeepStrictEqual } from 'node:util';
import { changedLines } from './changed-lines.js';
import type { Iam } from './iam.js';
import { IamError } from './iam-error.js';
import type { PrincipalRow, Principals, RoleProperties, Tags } from './principals.js';

/** A managed policy as it is declared to be. */
export interface DeclaredPolicy {
  readonly path: string;
  readonly description: string | undefined;
  readonly document: string;
}

/** A user or a role as it is declared to be: all of it but access keys. */
export interface DeclaredPrincipal {
  readonly path: string;
  readonly tags: Tags;
  /** Inline policies: name -> document. */
  readonly policies: ReadonlyMap<string, string>;
  /** ARNs of managed policies. */
  readonly attachedPolicies: readonly string[];
  readonly permissionsBoundary: string | undefined;
  /** Of a role, and only of it. */
  readonly role?: Required<RoleProperties>;
}

/** By name. */
export interface Declaration {
  readonly policies: ReadonlyMap<string, DeclaredPolicy>;
  readonly users: ReadonlyMap<string, DeclaredPrincipal>;
  readonly roles: ReadonlyMap<string, DeclaredPrincipal>;
}

/** What was done to one user, role or policy. */
export interface Change {
  readonly mark: '+' | '~' | '-';
  /** user alice */
  readonly what: string;
  /** Each begins with its own mark. */
  readonly lines: readonly string[];
}

/** The trust policy of a role until the policy that is declared can be set: others may be declared after it. */
const trustsNobody =
  '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole"}]}';

/**
 * Makes users, roles and managed policies what they are declared to be. What is right already is not touched.
 *
 * @param prune deletes those that are not declared, users with their access keys
 * @returns what was done; nothing the second time
 * @throws IamError that names what it is about; the transaction is to be rolled back then
 */
export async function reconcile(iam: Iam, declaration: Declaration, prune: boolean): Promise<Change[]> {
  const { users, roles, policies } = declaration;
  const changes: (Change | undefined)[] = [];
  if (prune) {
    changes.push(...(await pruned(iam, 'role', roles)), ...(await pruned(iam, 'user', users)));
  }
  for (const [name, policy] of policies) {
    changes.push(await about(`policy ${name}`, () => reconcilePolicy(iam, name, policy)));
  }
  for (const [name, user] of users) {
    changes.push(await about(`user ${name}`, () => reconcilePrincipal(iam, 'user', name, user)));
  }
  const made = new Set<string>();
  for (const [name, { path, role }] of roles) {
    const create = async () => {
      if (await iam.roles.find(name)) return;
      await iam.roles.create({ name, path, role: { ...role, trustPolicy: trustsNobody } }, iam.now);
      made.add(name);
    };
    await about(`role ${name}`, create);
  }
  for (const [name, role] of roles) {
    changes.push(await about(`role ${name}`, () => reconcilePrincipal(iam, 'role', name, role, made.has(name))));
  }
  if (prune) changes.push(...(await prunedPolicies(iam, policies)));
  return changes.filter((change) => change !== undefined);
}

/** Says of whom an error is. */
async function about<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof IamError ? new IamError(error.code, `${what}: ${error.message}`, { cause: error }) : error;
  }
}

async function reconcilePolicy(iam: Iam, name: string, declared: DeclaredPolicy): Promise<Change | undefined> {
  const { path, description, document } = declared;
  const existing = (await iam.policies.listOwn()).find((policy) => policy.name === name);
  const what = `policy ${name}`;
  if (existing === undefined) {
    await iam.policies.create({ name, path, document, ...(description !== undefined && { description }) }, iam.now);
    return { mark: '+', what, lines: changedLines('document', undefined, document) };
  }
  checkPath(existing.path, path);
  if (existing.description !== description) {
    const fixed = 'the description of a policy cannot be changed. Delete the policy first.';
    throw new IamError('ValidationError', fixed);
  }
  if (isSameJson(existing.document, document)) return undefined;
  await iam.policies.update(existing.arn, document, iam.now);
  return { mark: '~', what, lines: changedLines('document', existing.document, document) };
}

/** @param isMade a role that was made just now, and nothing was said of it yet */
async function reconcilePrincipal(
  iam: Iam,
  kind: 'user' | 'role',
  name: string,
  declared: DeclaredPrincipal,
  isMade = false,
): Promise<Change | undefined> {
  const principals = kind === 'user' ? iam.users : iam.roles;
  const existing = await principals.find(name);
  const isNew = isMade || existing === undefined;
  const row = existing ?? (await principals.create({ name, path: declared.path }, iam.now));
  checkPath(row.path, declared.path);
  const lines = [
    ...(isNew && declared.path !== '/' ? [`+ path ${declared.path}`] : []),
    ...(declared.role ? await reconcileRole(principals, row, declared.role, isMade) : []),
    ...(await reconcileBoundary(principals, row, declared.permissionsBoundary)),
    ...(await reconcileTags(principals, name, declared.tags)),
    ...(await reconcileInline(principals, name, declared.policies)),
    ...(await reconcileAttached(principals, name, declared.attachedPolicies)),
  ];
  if (!isNew && lines.length === 0) return undefined;
  return { mark: isNew ? '+' : '~', what: `${kind} ${name}`, lines };
}

async function reconcileRole(
  roles: Principals,
  row: PrincipalRow,
  declared: Required<RoleProperties>,
  isMade: boolean,
): Promise<string[]> {
  const trust = isMade ? undefined : (row.trust_policy ?? '');
  const description = isMade ? '' : (row.description ?? '');
  const seconds = isMade ? undefined : row.max_session_seconds;
  const lines: string[] = [];
  if (trust === undefined || !isSameJson(trust, declared.trustPolicy)) {
    await roles.updateRole(row.name, { trustPolicy: declared.trustPolicy });
    lines.push(...changedLines('trust policy', trust, declared.trustPolicy));
  } else if (await roles.trustsSomebodyGone(row.name)) {
    await roles.updateRole(row.name, { trustPolicy: declared.trustPolicy });
    lines.push('~ trust policy, for somebody whom it names was made anew');
  }
  if (description !== (declared.description ?? '')) {
    await roles.updateRole(row.name, { description: declared.description ?? '' });
    lines.push(...changedText('description', description, declared.description ?? ''));
  }
  if (seconds !== declared.maxSessionSeconds) {
    await roles.updateRole(row.name, { maxSessionSeconds: declared.maxSessionSeconds });
    lines.push(...changedText('longest session', seconds ? `${seconds} s` : '', `${declared.maxSessionSeconds} s`));
  }
  return lines;
}

async function reconcileBoundary(
  principals: Principals,
  { name, permissions_boundary: existing }: PrincipalRow,
  declared: string | undefined,
): Promise<string[]> {
  if ((existing ?? undefined) === declared) return [];
  await principals.setBoundary(name, declared);
  return changedText('permissions boundary', existing ?? '', declared ?? '');
}

async function reconcileTags(principals: Principals, name: string, declared: Tags): Promise<string[]> {
  const existing = await principals.tags(name);
  const removed = [...existing.keys()].filter((key) => !declared.has(key));
  const changed = [...declared].filter(([key, value]) => existing.get(key) !== value);
  if (removed.length > 0) await principals.untag(name, removed);
  if (changed.length > 0) await principals.tag(name, new Map(changed));
  return [
    ...removed.map((key) => `- tag ${key}=${existing.get(key)}`),
    ...changed.map(([key, value]) =>
      existing.has(key) ? `~ tag ${key}=${value} (was ${existing.get(key)})` : `+ tag ${key}=${value}`,
    ),
  ];
}

async function reconcileInline(
  principals: Principals,
  name: string,
  declared: ReadonlyMap<string, string>,
): Promise<string[]> {
  const existing = await principals.listPolicies(name);
  const lines: string[] = [];
  // removed first: what is added may need their room
  for (const policy of existing.keys()) {
    if (declared.has(policy)) continue;
    await principals.deletePolicy(name, policy);
    lines.push(...changedLines(`policy ${policy}`, existing.get(policy), undefined));
  }
  for (const [policy, document] of declared) {
    const before = existing.get(policy);
    if (before !== undefined && isSameJson(before, document)) continue;
    await principals.putPolicy(name, policy, document);
    lines.push(...changedLines(`policy ${policy}`, before, document));
  }
  return lines;
}

async function reconcileAttached(principals: Principals, name: string, declared: readonly string[]): Promise<string[]> {
  const existing = (await principals.listAttached(name)).map(({ arn }) => arn);
  const detached = existing.filter((arn) => !declared.includes(arn));
  const attached = declared.filter((arn) => !existing.includes(arn));
  for (const arn of detached) await principals.detach(name, arn);
  for (const arn of attached) await principals.attach(name, arn);
  return [...detached.map((arn) => `- attached ${arn}`), ...attached.map((arn) => `+ attached ${arn}`)];
}

async function pruned(iam: Iam, kind: 'user' | 'role', declared: ReadonlyMap<string, unknown>): Promise<Change[]> {
  const principals = kind === 'user' ? iam.users : iam.roles;
  const changes: Change[] = [];
  for (const { name } of await principals.list()) {
    if (declared.has(name)) continue;
    const accessKeys = kind === 'user' ? await iam.accessKeys.list(name) : [];
    for (const { accessKeyId } of accessKeys) await iam.accessKeys.delete(accessKeyId);
    await reconcileInline(principals, name, new Map());
    await reconcileAttached(principals, name, []);
    await principals.delete(name);
    const lines = accessKeys.map(({ accessKeyId }) => `- access key ${accessKeyId}`);
    changes.push({ mark: '-', what: `${kind} ${name}`, lines });
  }
  return changes;
}

async function prunedPolicies(iam: Iam, declared: ReadonlyMap<string, unknown>): Promise<Change[]> {
  const unwanted = (await iam.policies.listOwn()).filter(({ name }) => !declared.has(name));
  for (const { arn, name } of unwanted) await about(`policy ${name}`, () => iam.policies.delete(arn));
  return unwanted.map(({ name }) => ({ mark: '-', what: `policy ${name}`, lines: [] }));
}

function checkPath(existing: string, declared: string): void {
  if (existing === declared) return;
  const fixed = `the path, ${existing}, is part of the ARN and cannot be changed to ${declared}. Delete it first.`;
  throw new IamError('ValidationError', fixed);
}

function changedText(what: string, before: string, after: string): string[] {
  if (before === '') return [`+ ${what} ${after}`];
  return after === '' ? [`- ${what} ${before}`] : [`~ ${what} ${after} (was ${before})`];
}

/** Whether two policies are the same, however they are written. */
function isSameJson(one: string, other: string): boolean {
  try {
    return isDeepStrictEqual(JSON.parse(one), JSON.parse(other));
  } catch {
    return one === other;
  }
}
