// biome-ignore-all lint/suspicious/noTemplateCurlyInString: policy variables look like that.
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type ActionRule, actionRules } from '../../../src/authorization/policy/actions.js';
import { type Decision, type DecisionRequest, decide } from '../../../src/authorization/policy/decide.js';
import { type PolicyKind, parsePolicy } from '../../../src/authorization/policy/document.js';
import type { Grant } from '../../../src/authorization/policy/grants.js';
import { operatorNames } from '../../../src/authorization/policy/operators.js';
import { KmsError } from '../../../src/contract/kms-error.js';
import type { OperationName } from '../../../src/contract/operation-types.js';
import {
  account,
  alice,
  bob,
  context,
  type Json,
  keyArn,
  otherAccount,
  policyText,
  root,
  rootArn,
  session,
  user,
} from './fixtures.js';

const builder = session('Builder', 'ci');
const callers = [alice, bob, builder, root(), user('alice', otherAccount)];

/** Few names, so that statements meet requests often. */
const operations = ['Decrypt', 'Encrypt', 'CreateKey', 'RetireGrant', 'DisableKey'] as const satisfies OperationName[];
const action = fc.constantFrom('kms:*', 'kms:Decrypt', 'KMS:E*', 'kms:?e*', 's3:*', 'kms:RetireGrant', '*');
const resource = fc.constantFrom(
  '*',
  keyArn,
  'arn:aws:kms:*:111122223333:key/*',
  'arn:aws:kms:us-west-2:*:key/${aws:username}',
);
const principal = fc.constantFrom<unknown>(
  '*',
  { AWS: rootArn },
  { AWS: otherAccount },
  { AWS: alice.arn },
  { AWS: [builder.roleArn, bob.arn] },
  { AWS: builder.arn },
  { AWS: [alice.arn, rootArn] },
  { Service: 'ec2.amazonaws.com' },
);
const value = fc.constantFrom(
  'a',
  'b',
  'a*',
  '5',
  '2020-01-01',
  '10.0.0.1',
  'true',
  'arn:aws:s3:::a',
  '${aws:username}',
  'QUJD',
);
const key = fc.constantFrom(
  'aws:username',
  'aws:TagKeys',
  'kms:EncryptionContextKeys',
  'aws:SourceIp',
  'kms:KeySpec',
  's3:prefix',
);
const operator = fc
  .tuple(
    fc.constantFrom('', '', '', 'ForAllValues:', 'ForAnyValue:'),
    fc.constantFrom(...operatorNames),
    fc.constantFrom('', '', 'IfExists'),
  )
  .map((parts) => parts.join(''));
const condition = fc.oneof(
  { weight: 3, arbitrary: fc.constant({}) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(operator, key, fc.array(value, { minLength: 1, maxLength: 2 }))
      .map(([name, conditionKey, values]) => ({ [name]: { [conditionKey]: values } })),
  },
  { weight: 1, arbitrary: fc.tuple(key, fc.boolean()).map(([k, absent]) => ({ Null: { [k]: absent } })) },
);

function statementOf(kind: 'key' | 'identity'): fc.Arbitrary<Json> {
  return fc
    .record({
      Effect: fc.constantFrom('Allow', 'Allow', 'Deny'),
      action: fc.tuple(
        fc.constantFrom('Action', 'Action', 'NotAction'),
        fc.array(action, { minLength: 1, maxLength: 2 }),
      ),
      resource: fc.tuple(fc.constantFrom('Resource', 'Resource', 'NotResource'), resource),
      principal: fc.tuple(fc.constantFrom('Principal', 'Principal', 'NotPrincipal'), principal),
      Condition: condition,
    })
    .map(({ Effect, action: [a, actions], resource: [r, arn], principal: [p, who], Condition }) => ({
      Effect,
      [a]: actions,
      [r]: arn,
      ...(kind === 'key' ? { [p]: who } : {}),
      Condition,
    }))
    .filter((statement) => isUnderstood(kind, [statement]));
}

function textOf(statements: readonly Json[]): string {
  return JSON.stringify({ Version: '2012-10-17', Statement: statements });
}

function isUnderstood(kind: PolicyKind, statements: readonly Json[]): boolean {
  try {
    parsePolicy(textOf(statements), kind);
    return true;
  } catch {
    return false;
  }
}

const grantArbitrary: fc.Arbitrary<Grant> = fc.record({
  id: fc.constant('g'),
  granteePrincipal: fc.constantFrom(alice.arn, builder.roleArn, rootArn),
  retiringPrincipal: fc.constantFrom(undefined, bob.arn),
  issuingAccount: fc.constantFrom(account, otherAccount),
  operations: fc.constantFrom(['Decrypt'], ['Encrypt', 'RetireGrant'], []),
});

interface Scene {
  readonly keyPolicy: readonly Json[];
  readonly identity: readonly Json[];
  readonly boundary: readonly Json[];
  readonly session: readonly Json[];
  readonly request: Pick<DecisionRequest, 'principal' | 'context' | 'grants' | 'retiring'> & {
    readonly rule: ActionRule;
  };
}

const list = (kind: 'key' | 'identity', minLength = 0) => fc.array(statementOf(kind), { minLength, maxLength: 4 });
const scene: fc.Arbitrary<Scene> = fc.record({
  keyPolicy: list('key', 1),
  identity: list('identity'),
  boundary: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, list('identity', 1)),
  session: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, list('identity', 1)),
  request: fc.record({
    rule: fc.constantFrom(...operations.map((name) => actionRules[name][0]!)),
    principal: fc.constantFrom(...callers),
    context: fc
      .dictionary(key, fc.oneof(value, fc.array(value, { maxLength: 3 })), { maxKeys: 5 })
      .map((keys) => context(keys)),
    grants: fc.array(grantArbitrary, { maxLength: 2 }),
    retiring: fc.option(grantArbitrary, { nil: undefined }),
  }),
});

function decisionOf({ keyPolicy, identity, boundary, session: ofSession, request }: Scene): Decision {
  const parse = (kind: PolicyKind, statements: readonly Json[]) =>
    statements.length ? parsePolicy(textOf(statements), kind) : undefined;
  const identityPolicy = parse('identity', identity);
  const sessionPolicy = parse('session', ofSession);
  return decide({
    ...request,
    resource: request.rule.resource === 'key' ? keyArn : '*',
    resourceAccountId: account,
    keyPolicy: parse('key', keyPolicy),
    identityPolicies: identityPolicy ? [identityPolicy] : [],
    permissionsBoundary: parse('identity', boundary),
    sessionPolicies: sessionPolicy ? [sessionPolicy] : undefined,
  });
}

const documents = ['keyPolicy', 'identity', 'boundary', 'session'] as const;
const document = fc.constantFrom(...documents);
const runs = { numRuns: 500 };

/** From deny to allow is forbidden; from allow to deny is not. */
function expectNoMore(before: Decision, after: Decision): void {
  if (before.decision === 'deny') expect(after.decision).toBe('deny');
}

test('the scenes are worth something: both answers, and every sort of reason, come up', () => {
  const reasons = new Set(fc.sample(scene, { numRuns: 500, seed: 1 }).map((each) => decisionOf(each).reason));
  for (const reason of [
    'allowed-by-key-policy',
    'allowed-by-identity-policy',
    'allowed-by-account-root',
    'allowed-by-grant',
    'explicit-deny-key-policy',
    'explicit-deny-identity-policy',
    'explicit-deny-permissions-boundary',
    'explicit-deny-session-policy',
    'not-allowed-by-key-policy',
    'not-allowed-by-identity-policy',
    'not-allowed-by-permissions-boundary',
    'not-allowed-by-session-policy',
    'not-allowed-by-grant',
    'cross-account-not-supported',
  ]) {
    expect([reason, reasons.has(reason as never)]).toEqual([reason, true]);
  }
});

test('adding a Deny never allows more', () => {
  fc.assert(
    fc.property(scene, document, statementOf('key'), statementOf('identity'), fc.nat(), (before, where, k, i, at) => {
      const statements = before[where];
      const added = { ...(where === 'keyPolicy' ? k : i), Effect: 'Deny' };
      // A first statement would bring a boundary or session policy into being; that is another matter.
      const after = { ...before, [where]: statements.toSpliced(at % (statements.length + 1), 0, added) };
      expectNoMore(decisionOf(before), decisionOf(after));
    }),
    runs,
  );
});

test('removing an Allow never allows more', () => {
  fc.assert(
    fc.property(scene, document, fc.nat(), (before, where, at) => {
      const statements = before[where];
      const removed = statements[at % Math.max(statements.length, 1)];
      // The last statement of a boundary or session policy is the limit itself.
      fc.pre(removed?.Effect === 'Allow' && (statements.length > 1 || where === 'identity' || where === 'keyPolicy'));
      expectNoMore(
        decisionOf(before),
        decisionOf({ ...before, [where]: statements.filter((each) => each !== removed) }),
      );
    }),
    runs,
  );
});

test('removing a grant never allows more', () => {
  fc.assert(
    fc.property(scene, (before) => {
      const after = { ...before, request: { ...before.request, grants: [], retiring: undefined } };
      expectNoMore(decisionOf(before), decisionOf(after));
    }),
    runs,
  );
});

test('adding a boundary or a session policy never allows more', () => {
  fc.assert(
    fc.property(scene, fc.constantFrom('boundary', 'session'), list('identity', 1), (after, where, statements) => {
      expectNoMore(decisionOf({ ...after, [where]: [] }), decisionOf({ ...after, [where]: statements }));
    }),
    runs,
  );
});

test('adding a condition to an Allow never allows more, removing one from a Deny neither', () => {
  fc.assert(
    fc.property(scene, document, fc.nat(), (before, where, at) => {
      const statements = before[where];
      const index = at % Math.max(statements.length, 1);
      const statement = statements[index];
      fc.pre(statement !== undefined && Object.keys(statement.Condition as object).length > 0);
      const bare = { ...before, [where]: statements.with(index, { ...statement, Condition: {} } as Json) };
      if (statement?.Effect === 'Allow') expectNoMore(decisionOf(bare), decisionOf(before));
      else expectNoMore(decisionOf(before), decisionOf(bare));
    }),
    runs,
  );
});

test('the order of statements is irrelevant', () => {
  fc.assert(
    fc.property(scene, (before) => {
      const after = { ...before };
      for (const where of documents) after[where] = before[where].toReversed();
      const { decision, reason, message } = decisionOf(before);
      expect(decisionOf(after)).toMatchObject({ decision, reason, message });
    }),
    runs,
  );
});

test('unknown operators and keys are refused, so they widen nothing', () => {
  const known = new Set(operatorNames.map((name) => name.toLowerCase()));
  const name = fc.string({ unit: 'grapheme-ascii', maxLength: 20 });
  fc.assert(
    fc.property(name, fc.constantFrom('', 'ForAllValues:', 'ForAnyValue:'), (unknown, prefix) => {
      fc.pre(!known.has(unknown.toLowerCase().replace(/ifexists$/, '')) && unknown.toLowerCase() !== 'null');
      for (const Effect of ['Allow', 'Deny']) {
        const Condition = { [prefix + unknown]: { 'aws:username': 'a' } };
        expect(isUnderstood('identity', [{ Effect, Action: 'kms:*', Resource: '*', Condition }])).toBe(false);
      }
    }),
  );
  fc.assert(
    fc.property(
      fc.stringMatching(/^[A-Za-z]{4,12}$/),
      fc.constantFrom('kms:', 'aws:'),
      operator,
      (text, vendor, op) => {
        const Condition = { [op]: { [`${vendor}X${text}`]: 'true' } };
        expect(isUnderstood('identity', [{ Effect: 'Allow', Action: 'kms:*', Resource: '*', Condition }])).toBe(false);
      },
    ),
  );
});

/** Whatever a document is, it is taken or refused in KMS's words. */
function isTakenOrRefused(text: string): void {
  for (const kind of ['key', 'identity', 'trust', 'session'] as const) {
    try {
      parsePolicy(text, kind);
    } catch (error) {
      expect(error).toBeInstanceOf(KmsError);
    }
  }
}

test('any text is taken or refused by a KmsError', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), isTakenOrRefused), runs);
  fc.assert(fc.property(fc.json(), isTakenOrRefused), runs);
  const anything = fc.jsonValue({ maxDepth: 3 });
  const names = 'Sid Effect Principal NotPrincipal Action NotAction Resource NotResource Condition __proto__'.split(
    ' ',
  );
  const statement = fc.dictionary(fc.constantFrom(...names), anything);
  const documentOf = (Statement: unknown, Version: unknown) => JSON.stringify({ Version, Statement });
  fc.assert(
    fc.property(fc.oneof(statement, fc.array(statement), anything), fc.constantFrom('2012-10-17', 1), (s, v) =>
      isTakenOrRefused(documentOf(s, v)),
    ),
    runs,
  );
  fc.assert(
    fc.property(fc.dictionary(operator, fc.dictionary(key, anything)), (Condition) =>
      isTakenOrRefused(policyText('identity', { Condition })),
    ),
    runs,
  );
});
