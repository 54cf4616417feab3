import { authorize, authorizeMissing, type Permission } from '../authorization/authorize.js';
import type { Grant } from '../authorization/policy/grants.js';
import type { RequestFacts } from '../authorization/request-context.js';
import type { KeyRecord } from '../keys/key-record.js';
import { keyArn } from '../keys/key-reference.js';
import type { Kms } from './kms.js';
import type { Operation, Requester } from './operation.js';

/** A request as authorization sees it. */
export function requestFacts(
  { home, now }: Kms,
  operation: Operation['name'],
  { principal, source }: Requester,
  input: object,
): RequestFacts {
  return { operation, input: input as RequestFacts['input'], principal, source, at: now(), home };
}

/**
 * The authorization step: all permissions of an operation have to be allowed, those on keys first.
 *
 * @param call where the keys are, by their slots; one that is not there was not found
 * @throws KmsError AccessDeniedException
 */
export async function authorizeCall(
  kms: Kms,
  operation: Operation,
  requester: Requester,
  input: never,
  call: Readonly<Record<string, unknown>>,
): Promise<void> {
  const request = requestFacts(kms, operation.name, requester, input);
  const findGrants = kms.grants.ofGrantees;
  const { trail } = requester;
  for (const { slot, rule, permission } of operation.keys) {
    if (!permission) continue;
    const keyText = rule.from && (request.input[rule.from] as string | undefined);
    const key = call[slot] as KeyRecord | undefined;
    if (key === undefined) {
      if (!rule.optional || keyText !== undefined) {
        const retiring = operation.retiring && noGrant(kms);
        authorizeMissing(request, { rule: permission, resource: resourceNamed(kms, keyText), keyText, retiring });
      }
      continue;
    }
    const asked: Permission = {
      rule: permission,
      resource: key.arn,
      keyPolicy: kms.policies.get(key.policy.text, 'key', key.arn),
      key,
      keyText,
      isSameKey: operation.name === 'ReEncrypt' ? call.source === call.destination : undefined,
      retiring: operation.retiring && ((await operation.retiring(input, key, kms)) ?? noGrant(kms)),
    };
    const decision = await authorize(request, asked, findGrants);
    if (trail) trail.decision = decision;
  }
  for (const { rule, resource } of operation.permissions) {
    if (rule.withTags && !hasTags(request)) continue;
    const decision = await authorize(request, { rule, resource: resource(input, kms) }, findGrants);
    if (trail) trail.decision = decision;
  }
}

/** The ARN of a key that is not there; that of an alias's key nobody knows. */
function resourceNamed({ home }: Kms, keyText: string | undefined): string {
  if (keyText === undefined || /^(?:arn:.*:)?alias\//.test(keyText)) return keyArn(home, '*');
  return keyText.startsWith('arn:') ? keyText : keyArn(home, keyText.slice(0, 256));
}

/** Whoever may retire all grants of the account is told that there is no such grant; everybody else is denied. */
function noGrant({ home }: Kms): Grant {
  return {
    id: '',
    granteePrincipal: undefined,
    retiringPrincipal: undefined,
    issuingAccount: home.accountId,
    operations: [],
  };
}

function hasTags({ input }: RequestFacts): boolean {
  return ((input.Tags as unknown[] | undefined)?.length ?? 0) > 0;
}
