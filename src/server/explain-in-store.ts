import { granteesOf, type Permission } from '../authorization/authorize.js';
import { type Explanation, explain } from '../authorization/explain.js';
import { Identities } from '../authorization/identities.js';
import { type ActionRule, findActionRule } from '../authorization/policy/actions.js';
import { isKnownConditionKey } from '../authorization/policy/condition-keys.js';
import type { RequestFacts } from '../authorization/request-context.js';
import { StoredPolicies } from '../authorization/stored-policies.js';
import type { Settings } from '../config/settings.js';
import { GrantRepository } from '../keys/grant-repository.js';
import { aliasArn, aliasPrefix } from '../keys/key-reference.js';
import { resolveKey } from '../operations/kms.js';
import { type KeyMetadataStore, withKeyMetadata } from './key-metadata-store.js';

/** What is asked. */
export interface Question {
  /** ARN of a user, a role, a role session or the account root. */
  readonly principal: string;
  /** kms:Decrypt, in any case. */
  readonly action: string;
  /** Key id, key ARN, alias name or alias ARN. */
  readonly key: string | undefined;
  /** alias/NAME. */
  readonly alias: string | undefined;
  readonly grantId: string | undefined;
  /** Pairs of the encryption context, and condition keys (aws:..., kms:...) with their values. */
  readonly context: readonly (readonly [string, string])[];
}

/**
 * Explains a decision from what is in the store; the token is not needed.
 *
 * @throws Error that says what is wrong with the question
 */
export function explainInStore(
  settings: Settings,
  question: Question,
): Promise<{ action: string; resource: string; explanation: Explanation }> {
  return withKeyMetadata(settings, (opened) => explainFrom(opened, settings, question));
}

async function explainFrom(opened: KeyMetadataStore, settings: Settings, question: Question) {
  const { store, home } = opened;
  const policies = new StoredPolicies(() => {});
  const secretsStaySealed = { open: async () => undefined };
  const identities = new Identities(store, secretsStaySealed, settings.accountId, policies);
  const principal = await identities.findPrincipal(question.principal, new Date());
  if (principal === undefined) {
    throw new Error(`There is no user or role ${question.principal}. Type: hsm-kms identity list-users`);
  }
  const { operation, rule } = permissionOf(question);
  const encryptionContext = Object.fromEntries(question.context.filter(([name]) => !isConditionKey(name)));
  const request: RequestFacts = {
    operation,
    // the members that different operations have their encryption context in
    input: {
      EncryptionContext: encryptionContext,
      SourceEncryptionContext: encryptionContext,
      DestinationEncryptionContext: encryptionContext,
      ...(operation === 'CreateGrant' && {
        Operations: [],
        Constraints: { EncryptionContextSubset: encryptionContext },
      }),
    },
    principal,
    source: { ip: '127.0.0.1', secureTransport: false, userAgent: undefined, referer: undefined },
    at: new Date(),
    home,
    assumed: new Map(
      question.context.filter(([name]) => isConditionKey(name)).map(([name, value]) => [name.toLowerCase(), value]),
    ),
  };
  const grants = new GrantRepository(store, settings.grantsPerKey);
  const key = await keyOf(opened, rule, question.key);
  const permission: Permission = {
    rule,
    resource: key?.arn ?? (rule.resource === 'alias' ? aliasArn(home, question.alias ?? `${aliasPrefix}*`) : '*'),
    key,
    keyText: question.key,
    keyPolicy: key && policies.get(key.policy.text, 'key', key.arn),
    retiring: key && question.grantId ? await grants.find(key.id, question.grantId) : undefined,
  };
  const found = key ? await grants.ofGrantees(key.id, granteesOf({ principal })) : [];
  return { action: rule.action, resource: permission.resource, explanation: explain(request, permission, found) };
}

/** The rule that the question is about: on a key, on an alias, or on neither. @throws Error */
function permissionOf({ action, key, alias }: Question) {
  const resources: readonly ActionRule['resource'][] = alias
    ? ['alias']
    : key
      ? ['key', 'none']
      : ['none', 'alias', 'key'];
  for (const resource of resources) {
    const found = findActionRule(action, resource);
    if (found) return found;
  }
  throw new Error(
    `${action} is not an action of KMS${alias || key ? ' on such a resource' : ''}. Write it as in kms:Decrypt.`,
  );
}

async function keyOf(opened: KeyMetadataStore, rule: ActionRule, text: string | undefined) {
  if (rule.resource !== 'key') return undefined;
  if (text === undefined) throw new Error(`${rule.action} is a permission on a key: say which by --key.`);
  return resolveKey(opened, text, true);
}

function isConditionKey(name: string): boolean {
  const folded = name.toLowerCase();
  if (!folded.startsWith('aws:') && !folded.startsWith('kms:')) return false;
  if (isKnownConditionKey(folded)) return true;
  throw new Error(`${name} is not a condition key that requests to KMS have.`);
}
