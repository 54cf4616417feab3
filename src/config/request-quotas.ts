import { z } from 'zod';
import { shapeNamed } from '../contract/model.js';
import type { OperationName } from '../contract/operation-types.js';
import { operationNames } from '../contract/operations.js';
import { parsedJson } from './json-setting.js';

/** Key specs, of KMS keys and of data key pairs. */
const keySpecNames: readonly string[] = [...new Set(['KeySpec', 'DataKeyPairSpec'].flatMap(valuesOf))];

const requestsRule = 'requests is a whole number from 1 to 10000000';
const secondsRule = 'seconds is a whole number from 1 to 86400';

/** How many requests there may be in each interval. A request counts towards every quota that it fits. */
const requestQuota = z.strictObject({
  /** Names of KMS operations, which share the quota; `*` is a wildcard. */
  operations: z.array(knownName(operationNames, 'KMS has no operation'), 'operations is a list of operations').min(1),
  /** Only requests with keys of these specs, or for data key pairs of them; `*` is a wildcard. */
  keySpecs: z
    .array(knownName(keySpecNames, 'KMS has no key spec'), 'keySpecs is a list of key specs')
    .min(1)
    .optional(),
  /** Only requests of these: ARNs, in which `*` and `?` are wildcards. A role's ARN means its sessions too. */
  principals: z
    .array(z.string().regex(/^(\*$|arn:)/, 'principals are ARNs'), 'principals is a list of ARNs')
    .min(1)
    .optional(),
  /** Whether each user and role has the quota for itself, or all of the account share it, or all who use a key store. */
  per: z.enum(['principal', 'account', 'keyStore'], 'per is principal, account or keyStore'),
  requests: z.int(requestsRule).min(1, requestsRule).max(10_000_000, requestsRule),
  /** Length of an interval. */
  seconds: z.int(secondsRule).min(1, secondsRule).max(86_400, secondsRule).default(1),
});

export type RequestQuota = z.output<typeof requestQuota>;
/** A quota, or the word for all that AWS publishes. */
export type DeclaredQuota = RequestQuota | 'aws';

/** The list: as such in the YAML file, as JSON text in the environment and on the command line; or `aws` alone. */
export const requestQuotasSetting = z
  .preprocess(
    (value) => (value === 'aws' ? [value] : typeof value === 'string' ? parsedJson(value) : value),
    z
      .array(
        z.unknown(),
        'is neither aws nor a list, as in [{"operations": ["*"], "per": "principal", "requests": 100}]',
      )
      .transform((list, context) => list.map((declared, index) => checkedQuota(declared, index, context))),
  )
  .default([]);

function checkedQuota(declared: unknown, index: number, context: z.RefinementCtx): DeclaredQuota {
  if (declared === 'aws') return declared;
  const checked = requestQuota.safeParse(declared);
  if (checked.success) return checked.data;
  for (const { message } of checked.error.issues) context.addIssue(`quota ${index + 1}: ${message}`);
  return z.NEVER;
}

function knownName(names: readonly string[], complaint: string) {
  return z.string().refine((name) => matching(names, [name]).length > 0, {
    error: ({ input }) => `${complaint} ${JSON.stringify(input)}`,
  });
}

/** The operations that a quota's names mean. */
export function operationsOf({ operations }: RequestQuota): OperationName[] {
  return matching(operationNames, operations);
}

/** The key specs that a quota's names mean; undefined where it names none, and the key does not matter. */
export function keySpecsOf({ keySpecs }: RequestQuota): ReadonlySet<string> | undefined {
  return keySpecs && new Set(matching(keySpecNames, keySpecs));
}

function matching<Name extends string>(names: readonly Name[], patterns: readonly string[]): Name[] {
  const tests = patterns.map((pattern) => {
    const pieces = pattern.split('*').map((piece) => piece.replace(/\W/g, '\\$&'));
    return new RegExp(`^${pieces.join('.*')}$`);
  });
  return names.filter((name) => tests.some((test) => test.test(name)));
}

function valuesOf(shapeName: string): readonly string[] {
  const shape = shapeNamed(shapeName);
  return shape.type === 'string' ? (shape.enum ?? []) : [];
}
