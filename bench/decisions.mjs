import { decidePermission } from '../build/authorization/authorize.js';
import { findActionRule } from '../build/authorization/policy/actions.js';
import { parsePolicy } from '../build/authorization/policy/document.js';

const account = '111122223333';
const keyArn = `arn:aws:kms:us-east-1:${account}:key/1234abcd-12ab-34cd-56ef-1234567890ab`;
const userArn = `arn:aws:iam::${account}:user/alice`;
const statements = 20;
/** Before the measurement, as part of it. */
const warmUpShare = 0.2;

/**
 * A policy of 20 statements: two in three are about other tenants, and what allows is the last one.
 *
 * @param {'key' | 'identity'} kind
 */
function policyOfTwenty(kind) {
  const Statement = Array.from({ length: statements }, (_, index) => ({
    Sid: `Statement${index}`,
    Effect: index % 5 === 4 && index + 1 < statements ? 'Deny' : 'Allow',
    ...(kind === 'key' && { Principal: { AWS: [userArn, `arn:aws:iam::${account}:role/r${index}`] } }),
    Action: ['kms:Encrypt', 'kms:Decrypt', 'kms:GenerateDataKey*'],
    Resource: kind === 'key' ? '*' : `arn:aws:kms:*:${account}:key/*`,
    Condition: {
      StringEquals: { 'kms:EncryptionContext:tenant': index + 1 === statements ? 'acme' : `tenant-${index}` },
      ...(index % 3 === 0 && { StringLike: { 'aws:PrincipalArn': `arn:aws:iam::${account}:user/*` } }),
    },
  }));
  return parsePolicy(JSON.stringify({ Version: '2012-10-17', Statement }), kind);
}

const delegating = parsePolicy(
  JSON.stringify({
    Version: '2012-10-17',
    Statement: { Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${account}:root` }, Action: 'kms:*', Resource: '*' },
  }),
  'key',
);
const everything = parsePolicy(
  '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}',
  'identity',
);

/** What is asked, in each case: Decrypt of one key with an encryption context of two pairs. */
const cases = [
  { name: 'default key policy, administrator', keyPolicy: delegating, identityPolicies: [everything] },
  { name: 'key policy of 20 statements', keyPolicy: policyOfTwenty('key'), identityPolicies: [] },
  { name: 'identity policy of 20 statements', keyPolicy: delegating, identityPolicies: [policyOfTwenty('identity')] },
  { name: '20 statements in both', keyPolicy: policyOfTwenty('key'), identityPolicies: [policyOfTwenty('identity')] },
];

/** @typedef {{ name: string, microseconds: number }} DecisionTime */

/**
 * Times whole decisions: condition values are found anew for each, policies are compiled once, as in the service.
 *
 * @type {import('./parts.mjs').Part}
 */
export async function measureDecisions({ options: { decisions }, keep, progress }) {
  /** @type {DecisionTime[]} */
  const results = keep([]);
  for (const { name, keyPolicy, identityPolicies } of cases) {
    const decide = decider(keyPolicy, identityPolicies);
    for (let each = 0; each < decisions * warmUpShare; each++) decide();
    const startedAt = performance.now();
    for (let each = 0; each < decisions; each++) decide();
    const microseconds = ((performance.now() - startedAt) * 1000) / decisions;
    results.push({ name, microseconds });
    progress(`decision with ${name}: ${microseconds.toFixed(2)} us`);
  }
}

/**
 * @param {import('../build/authorization/policy/document.js').PolicyDocument} keyPolicy
 * @param {import('../build/authorization/policy/document.js').PolicyDocument[]} identityPolicies
 */
function decider(keyPolicy, identityPolicies) {
  const rule = findActionRule('kms:Decrypt', 'key')?.rule;
  if (rule === undefined) throw new Error('there is no rule for kms:Decrypt');
  /** @type {any} what conditions look at of a principal, a key and a request */
  const [principal, key, request] = [
    {
      arn: userArn,
      accountId: account,
      kind: 'user',
      uniqueId: 'AIDA',
      name: 'alice',
      tags: new Map(),
      identityPolicies,
    },
    {
      id: 'x',
      policy: { text: '', principals: new Map() },
      spec: 'SYMMETRIC_DEFAULT',
      usage: 'ENCRYPT_DECRYPT',
      tags: new Map(),
      aliases: [],
    },
    {
      operation: 'Decrypt',
      input: { EncryptionContext: { tenant: 'acme', purpose: 'bench' } },
      source: { ip: '127.0.0.1', secureTransport: true },
      at: new Date(),
      home: { region: 'us-east-1', accountId: account },
    },
  ];
  return () => {
    const { decision } = decidePermission(
      { ...request, principal },
      { rule, resource: keyArn, keyPolicy, key },
      undefined,
    );
    if (decision !== 'allow') throw new Error('a decision of the bench is wrong');
  };
}
