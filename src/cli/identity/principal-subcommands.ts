import type { Iam } from '../../authorization/iam/iam.js';
import type { PrincipalRow, Principals, Tags } from '../../authorization/iam/principals.js';
import { document, optional, tags, text, texts, wholeNumber } from './flags.js';
import { documentOf, role, tagList, user } from './iam-output.js';
import { change, query, type Subcommand, subcommand } from './subcommand.js';

/** What differs between the subcommands for users and those for roles. */
interface Kind {
  /** As in the names of subcommands: put-user-policy. */
  readonly noun: 'user' | 'role';
  readonly Noun: 'User' | 'Role';
  readonly print: (row: PrincipalRow, tags?: Tags) => object;
  readonly of: (iam: Iam) => Principals;
}

const users: Kind = { noun: 'user', Noun: 'User', print: user, of: (iam) => iam.users };
const roles: Kind = { noun: 'role', Noun: 'Role', print: role, of: (iam) => iam.roles };

const path = optional(text('path', 'part of the ARN before the name: /teams/red/'));
const boundaryArn = text('arn', 'a managed policy beyond which nothing is allowed');
const newTags = optional(tags('tags'));
const pathPrefix = optional(text('path', 'only those whose path begins so'));
const policyName = text('name', 'name of the policy');
const policyArn = text('arn', 'a managed policy');

/** --user-name or --role-name, which `nameIn` reads, with the other flags of a subcommand. */
function named<F extends object>({ noun }: Kind, flags: F): F {
  return { [`${noun}Name`]: text('name', `name of the ${noun}`), ...flags };
}

function nameIn({ noun }: Kind, values: object): string {
  return (values as Readonly<Record<string, string>>)[`${noun}Name`] as string;
}

/** What users and roles have in common. */
function common(kind: Kind): Subcommand[] {
  const { noun, Noun, print, of } = kind;
  const printed = async (iam: Iam, row: PrincipalRow) => ({ [Noun]: print(row, await of(iam).tags(row.name)) });
  return [
    query(`get-${noun}`, `tell of a ${noun}`, named(kind, {}), async (iam, values) =>
      printed(iam, await of(iam).get(nameIn(kind, values))),
    ),
    query(`list-${noun}s`, `list the ${noun}s`, { pathPrefix }, async (iam, values) => ({
      [`${Noun}s`]: (await of(iam).list(values.pathPrefix)).map((row) => print(row)),
    })),
    subcommand(
      `delete-${noun}`,
      `delete a ${noun} that has no policies left`,
      named(kind, {}),
      async (session, values) => {
        const { arn, keyPolicies, trustPolicies, grants } = await session.change(async (iam) => {
          const { arn } = await of(iam).get(nameIn(kind, values));
          await of(iam).delete(nameIn(kind, values));
          return { arn, ...(await iam.namings(arn)) };
        });
        if (keyPolicies + trustPolicies + grants > 0) {
          session.warn(
            `${arn} is still named by key policies (${keyPolicies}), trust policies (${trustPolicies}) and grants (${grants}): they mean nobody from now on, also when somebody gets this name again.`,
          );
        }
        return undefined;
      },
    ),
    change(`tag-${noun}`, `add tags to a ${noun}, or change them`, named(kind, { tags: tags('tags') }), (iam, values) =>
      of(iam).tag(nameIn(kind, values), values.tags),
    ),
    change(
      `untag-${noun}`,
      `remove tags from a ${noun}`,
      named(kind, { tagKeys: texts('keys', 'keys of the tags') }),
      (iam, values) => of(iam).untag(nameIn(kind, values), values.tagKeys),
    ),
    query(`list-${noun}-tags`, `list the tags of a ${noun}`, named(kind, {}), async (iam, values) => ({
      Tags: tagList(await of(iam).tags(nameIn(kind, values))),
    })),
    change(
      `put-${noun}-policy`,
      `give a ${noun} an inline policy, or change it`,
      named(kind, { policyName, policyDocument: document('the policy') }),
      (iam, values) => of(iam).putPolicy(nameIn(kind, values), values.policyName, values.policyDocument),
    ),
    query(
      `get-${noun}-policy`,
      `print an inline policy of a ${noun}`,
      named(kind, { policyName }),
      async (iam, values) => ({
        [`${Noun}Name`]: nameIn(kind, values),
        PolicyName: values.policyName,
        PolicyDocument: documentOf(await of(iam).getPolicy(nameIn(kind, values), values.policyName)),
      }),
    ),
    query(`list-${noun}-policies`, `list the inline policies of a ${noun}`, named(kind, {}), async (iam, values) => ({
      PolicyNames: [...(await of(iam).listPolicies(nameIn(kind, values))).keys()],
    })),
    change(
      `delete-${noun}-policy`,
      `take an inline policy from a ${noun}`,
      named(kind, { policyName }),
      (iam, values) => of(iam).deletePolicy(nameIn(kind, values), values.policyName),
    ),
    change(`attach-${noun}-policy`, `attach a managed policy to a ${noun}`, named(kind, { policyArn }), (iam, values) =>
      of(iam).attach(nameIn(kind, values), values.policyArn),
    ),
    change(
      `detach-${noun}-policy`,
      `detach a managed policy from a ${noun}`,
      named(kind, { policyArn }),
      (iam, values) => of(iam).detach(nameIn(kind, values), values.policyArn),
    ),
    query(
      `list-attached-${noun}-policies`,
      `list the managed policies that are attached to a ${noun}`,
      named(kind, {}),
      async (iam, values) => ({
        AttachedPolicies: (await of(iam).listAttached(nameIn(kind, values))).map(({ name, arn }) => ({
          PolicyName: name,
          PolicyArn: arn,
        })),
      }),
    ),
    change(
      `put-${noun}-permissions-boundary`,
      `limit what policies can allow a ${noun}`,
      named(kind, { permissionsBoundary: boundaryArn }),
      (iam, values) => of(iam).setBoundary(nameIn(kind, values), values.permissionsBoundary),
    ),
    change(`delete-${noun}-permissions-boundary`, `take that limit from a ${noun}`, named(kind, {}), (iam, values) =>
      of(iam).setBoundary(nameIn(kind, values), undefined),
    ),
  ];
}

const creation = { path, tags: newTags, permissionsBoundary: optional(boundaryArn) };
const roleName = text('name', 'name of the role');
const description = optional(text('text', 'what the role is for'));
const maxSessionDuration = optional(wholeNumber('seconds', 'longest session of the role: 3600 to 43200'));

export const userSubcommands: readonly Subcommand[] = [
  change(
    'create-user',
    'make a user',
    { userName: text('name', 'name of the user'), ...creation },
    async (iam, values) => {
      const row = await iam.users.create({ name: values.userName, ...values }, iam.now);
      return { User: user(row, values.tags ?? new Map()) };
    },
  ),
  ...common(users),
];

export const roleSubcommands: readonly Subcommand[] = [
  change(
    'create-role',
    'make a role',
    {
      roleName,
      assumeRolePolicyDocument: document('who may assume the role'),
      description,
      maxSessionDuration,
      ...creation,
    },
    async (iam, values) => {
      const properties = {
        trustPolicy: values.assumeRolePolicyDocument,
        description: values.description,
        maxSessionSeconds: values.maxSessionDuration,
      };
      const row = await iam.roles.create({ name: values.roleName, ...values, role: properties }, iam.now);
      return { Role: role(row, values.tags ?? new Map()) };
    },
  ),
  change(
    'update-role',
    'change the description or the longest session of a role',
    { roleName, description, maxSessionDuration },
    (iam, values) =>
      iam.roles.updateRole(values.roleName, {
        ...(values.description !== undefined && { description: values.description }),
        ...(values.maxSessionDuration !== undefined && { maxSessionSeconds: values.maxSessionDuration }),
      }),
  ),
  change(
    'update-assume-role-policy',
    'change who may assume a role',
    { roleName, policyDocument: document('who may assume the role') },
    (iam, values) => iam.roles.updateRole(values.roleName, { trustPolicy: values.policyDocument }),
  ),
  ...common(roles),
];
