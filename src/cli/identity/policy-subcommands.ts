import type { Iam } from '../../authorization/iam/iam.js';
import type { ManagedPolicy } from '../../authorization/iam/managed-policies.js';
import { document, oneOf, optional, present, text } from './flags.js';
import { documentOf, managedPolicy, policyVersion } from './iam-output.js';
import { change, query, type Subcommand } from './subcommand.js';

const policyArn = text('arn', 'the managed policy');

async function printed(iam: Iam, policy: ManagedPolicy) {
  const holders = await iam.policies.holders(policy.arn);
  const attached = holders.filter((holder) => holder.as === 'policy').length;
  return managedPolicy(policy, { attached, boundaryOf: holders.length - attached });
}

/** Managed policies. Of versions only the latest is kept. */
export const policySubcommands: readonly Subcommand[] = [
  change(
    'create-policy',
    'make a managed policy',
    {
      policyName: text('name', 'name of the policy'),
      policyDocument: document('the policy'),
      path: optional(text('path', 'part of the ARN before the name')),
      description: optional(text('text', 'what the policy is for')),
    },
    async (iam, { policyName: name, policyDocument, path, description }) => {
      const policy = {
        name,
        document: policyDocument,
        ...(path !== undefined && { path }),
        ...(description !== undefined && { description }),
      };
      return { Policy: await printed(iam, await iam.policies.create(policy, iam.now)) };
    },
  ),
  query('get-policy', 'tell of a managed policy', { policyArn }, async (iam, values) => ({
    Policy: await printed(iam, await iam.policies.find(values.policyArn)),
  })),
  query(
    'list-policies',
    'list the managed policies',
    {
      scope: optional(oneOf(['All', 'AWS', 'Local'], "AWS's, or the account's own")),
      onlyAttached: present('only those that somebody has'),
    },
    async (iam, { scope = 'All', onlyAttached }) => {
      const policies = await Promise.all((await iam.policies.list()).map((policy) => printed(iam, policy)));
      const isAws = ({ Arn }: { Arn: string }) => Arn.startsWith('arn:aws:iam::aws:');
      const listed = policies
        .filter((policy) => scope === 'All' || isAws(policy) === (scope === 'AWS'))
        .filter(({ AttachmentCount }) => !onlyAttached || AttachmentCount > 0);
      return { Policies: listed };
    },
  ),
  query('list-entities-for-policy', 'list who has a managed policy', { policyArn }, async (iam, values) => {
    const { arn } = await iam.policies.find(values.policyArn);
    // who has it attached and as the boundary, too, is one of them once
    const holders = new Map((await iam.policies.holders(arn)).map((holder) => [holder.uniqueId, holder]));
    const of = (kind: 'user' | 'role') => [...holders.values()].filter((holder) => holder.kind === kind);
    return {
      PolicyGroups: [],
      PolicyUsers: of('user').map(({ name, uniqueId }) => ({ UserName: name, UserId: uniqueId })),
      PolicyRoles: of('role').map(({ name, uniqueId }) => ({ RoleName: name, RoleId: uniqueId })),
    };
  }),
  query(
    'get-policy-version',
    'print a managed policy',
    { policyArn, versionId: text('version', 'v1, v2 ...: the latest is kept, see get-policy') },
    async (iam, values) => {
      const policy = await iam.policies.findVersion(values.policyArn, values.versionId);
      return { PolicyVersion: { Document: documentOf(policy.document), ...policyVersion(policy) } };
    },
  ),
  change(
    'create-policy-version',
    'change a managed policy; the version before is not kept',
    {
      policyArn,
      policyDocument: document('the policy'),
      setAsDefault: { ...present('the new version comes into force: needed, as no other is kept'), required: true },
    },
    async (iam, values) => ({
      PolicyVersion: policyVersion(await iam.policies.update(values.policyArn, values.policyDocument, iam.now)),
    }),
  ),
  change('delete-policy', 'delete a managed policy that nobody has', { policyArn }, (iam, values) =>
    iam.policies.delete(values.policyArn),
  ),
];
