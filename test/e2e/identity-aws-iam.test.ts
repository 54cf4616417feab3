import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Command } from 'commander';
import { addIdentityCommand } from '../../src/cli/identity.js';
import { hasBoto3 } from '../service/botocore.js';
import { identityJson, identityRefusal, policyText } from '../service/identities.js';
import { IdentityProcess } from '../service/identity-process.js';
import { accountId, Service, userArn } from '../service/service.js';

let service: Service;
beforeAll(async () => {
  service = await Service.start();
  for (const [file, text] of Object.entries(files)) writeFileSync(join(service.dataDir, file), text);
});
afterAll(() => service?.end());

const policyArn = `arn:aws:iam::${accountId}:policy/shared/own`;
const trust = policyText({ Principal: { AWS: userArn('x/alice') }, Action: 'sts:AssumeRole', Resource: undefined });
const files = { 'policy.json': policyText({ Action: 'kms:List*' }), 'trust.json': trust };

/** A life of a user, a role and a policy, in order; what is printed is compared with what the AWS CLI prints. */
const commands = [
  'create-user --user-name alice --path /x/',
  'create-user --user-name bob --tags [{"Key":"team","Value":"red"},{"Key":"b","Value":""}]',
  'tag-user --user-name bob --tags Key=c,Value=d',
  'untag-user --user-name bob --tag-keys b c',
  'list-user-tags --user-name bob',
  'create-policy --policy-name own --path /shared/ --description shared --policy-document file://policy.json',
  `create-policy-version --policy-arn ${policyArn} --set-as-default --policy-document file://policy.json`,
  `get-policy-version --policy-arn ${policyArn} --version-id v2`,
  `attach-user-policy --user-name bob --policy-arn ${policyArn}`,
  `put-user-permissions-boundary --user-name bob --permissions-boundary ${policyArn}`,
  'put-user-policy --user-name bob --policy-name inline --policy-document file://policy.json',
  'get-user-policy --user-name bob --policy-name inline',
  'list-user-policies --user-name bob',
  'list-attached-user-policies --user-name bob',
  'get-user --user-name bob',
  'list-users',
  'list-users --path-prefix /x/',
  'create-role --role-name signer --assume-role-policy-document file://trust.json --max-session-duration 7200 --description signs --tags Key=a,Value=b',
  'update-role --role-name signer --description d --max-session-duration 3600',
  'update-assume-role-policy --role-name signer --policy-document file://trust.json',
  'get-role --role-name signer',
  'list-roles',
  'put-role-policy --role-name signer --policy-name inline --policy-document file://policy.json',
  'get-role-policy --role-name signer --policy-name inline',
  'list-role-policies --role-name signer',
  `attach-role-policy --role-name signer --policy-arn ${policyArn}`,
  'list-attached-role-policies --role-name signer',
  `get-policy --policy-arn ${policyArn}`,
  'list-policies --scope Local --only-attached',
  'list-policies --scope AWS',
  `list-entities-for-policy --policy-arn ${policyArn}`,
  'list-access-keys --user-name administrator',
];

interface Case {
  operation: string;
  flags: string[];
  output: unknown;
}

const operationOf = (subcommand: string) => subcommand.replace(/(?:^|-)(\w)/g, (_dash, letter) => letter.toUpperCase());

/** The flags that are not the AWS CLI's: settings of the service, and how an access key is printed. */
const ownFlags = ['--config', '--data-dir', '--help', '--profile', '--output'];

const program = new Command();
addIdentityCommand(program);

/** Every subcommand, and the flags that its help shows. */
function documented(): Case[] {
  const subcommands = program.commands[0]?.commands.filter((command) => command.name() !== 'apply') ?? [];
  return subcommands.map((command) => {
    const flags = command.options.filter(({ hidden }) => !hidden).map(({ long }) => long as string);
    const iamFlags = flags.filter((flag) => !ownFlags.includes(flag));
    return { operation: operationOf(command.name()), flags: iamFlags, output: null };
  });
}

/** Runs the commands; those that print nothing are left out. */
async function printed(): Promise<Case[]> {
  const cases: Case[] = [];
  for (const command of commands) {
    const words = command.replaceAll('file://', `file://${service.dataDir}/`).split(' ');
    const { printed, warned } = await IdentityProcess.of(service).run(words);
    expect(warned).toBe('');
    if (!printed) continue;
    const output = JSON.parse(printed);
    // told besides what the AWS CLI tells
    for (const key of output.AccessKeyMetadata ?? []) delete key.AccessKeyLastUsed;
    const flags = words.filter((word) => word.startsWith('--'));
    cases.push({ operation: operationOf(words[0] as string), flags, output });
  }
  return cases;
}

const testWithBotocore = hasBoto3() ? test : test.skip;

let cases: Case[];
test('each subcommand does what it says', async () => {
  cases = await printed();
  const create = ['create-access-key', '--user-name', 'bob', '--output', 'json'];
  const output = await identityJson(service, ...create);
  cases.push({ operation: 'CreateAccessKey', flags: ['--user-name'], output });
  const outputs = new Map(cases.map(({ operation, output }) => [operation, output]));
  const date = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$/);
  expect(outputs.get('GetUser')).toEqual({
    User: {
      Path: '/',
      UserName: 'bob',
      UserId: expect.stringMatching(/^AIDA/),
      Arn: userArn('bob'),
      CreateDate: date,
      PermissionsBoundary: { PermissionsBoundaryType: 'Policy', PermissionsBoundaryArn: policyArn },
      Tags: [{ Key: 'team', Value: 'red' }],
    },
  });
  expect(outputs.get('GetRole')).toEqual({
    Role: {
      Path: '/',
      RoleName: 'signer',
      RoleId: expect.stringMatching(/^AROA/),
      Arn: `arn:aws:iam::${accountId}:role/signer`,
      CreateDate: date,
      AssumeRolePolicyDocument: JSON.parse(files['trust.json']),
      Description: 'd',
      MaxSessionDuration: 3600,
      Tags: [{ Key: 'a', Value: 'b' }],
    },
  });
  expect(outputs.get('GetUserPolicy')).toEqual({
    UserName: 'bob',
    PolicyName: 'inline',
    PolicyDocument: JSON.parse(files['policy.json']),
  });
  expect(outputs.get('GetPolicy')).toEqual({
    Policy: {
      PolicyName: 'own',
      PolicyId: expect.stringMatching(/^ANPA/),
      Arn: policyArn,
      Path: '/shared/',
      DefaultVersionId: 'v2',
      AttachmentCount: 2,
      PermissionsBoundaryUsageCount: 1,
      IsAttachable: true,
      Description: 'shared',
      CreateDate: date,
      UpdateDate: date,
    },
  });
  expect(outputs.get('ListEntitiesForPolicy')).toMatchObject({
    PolicyUsers: [{ UserName: 'bob' }],
    PolicyRoles: [{ RoleName: 'signer' }],
  });
  expect(outputs.get('ListUsers')).toMatchObject({ Users: [{ UserName: 'alice' }] });
  expect(outputs.get('ListPolicies')).toMatchObject({
    Policies: [{ PolicyName: 'AdministratorAccess' }, { PolicyName: 'AWSKeyManagementServicePowerUser' }],
  });
});

testWithBotocore(
  "subcommands, flags and what is printed are as in IAM's API model",
  async () => {
    const compared = [...documented(), ...cases];
    expect(compared.length).toBeGreaterThan(60);
    const script = fileURLToPath(new URL('../service/iam_shapes.py', import.meta.url));
    const { stdout, stderr } = spawnSync('python3', [script], { input: JSON.stringify(compared), encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual([]);
  },
  60_000,
);

test.each([
  ['get-user', /^error: required option '--user-name <name>' not specified/],
  ['get-user --user-name alice --frob', /^error: unknown option '--frob'/],
  ['frob', /^error: unknown command 'frob'/],
  [
    'get-user --user-name eve',
    /^An error occurred \(NoSuchEntity\) when calling the GetUser operation: The user with name eve cannot be found\.$/,
  ],
  [
    'create-user --user-name alice',
    /^An error occurred \(EntityAlreadyExists\) when calling the CreateUser operation: User with name alice already exists\.$/,
  ],
  ['tag-user --user-name alice --tags team=red', /^--tags takes Key=NAME,Value=TEXT, not team=red\.$/],
  ['tag-user --user-name alice --tags Key=a,Value=b Key=a,Value=c', /^--tags has the key a twice\.$/],
  ['tag-user --user-name alice --tags [{"Key":1}]', /^--tags takes Key=NAME/],
  ['tag-user --user-name alice --tags [', /^--tags takes Key=NAME/],
  [
    'put-user-policy --user-name alice --policy-name p --policy-document file:///nowhere',
    /^--policy-document: \/nowhere cannot be read: ENOENT/,
  ],
  ['put-user-policy --user-name alice --policy-name p --policy-document {', /MalformedPolicyDocument.+invalid Json$/],
  [
    'create-role --role-name r --assume-role-policy-document {} --max-session-duration soon',
    /^--max-session-duration takes a whole number, not "soon"\.$/,
  ],
  [
    'update-access-key --access-key-id AKIAXXXXXXXXXXXXXXXX --status off',
    /^--status takes Active or Inactive, not "off"\.$/,
  ],
  [
    'update-access-key --access-key-id AKIAXXXXXXXXXXXXXXXX --status Active',
    /NoSuchEntity.+Access Key with id AKIAXXXXXXXXXXXXXXXX cannot be found/,
  ],
  ['create-access-key --user-name eve', /NoSuchEntity.+eve/],
  ['create-access-key --user-name alice --profile a]b', /^--profile a\]b cannot be the name of a section\.$/],
  [`delete-policy --policy-arn ${policyArn}`, /DeleteConflict.+Cannot delete a policy attached to entities\.$/],
  [`get-policy-version --policy-arn ${policyArn} --version-id v1`, /NoSuchEntity.+version v1 does not exist/],
  ['delete-policy --policy-arn arn:aws:iam::aws:policy/AdministratorAccess', /AccessDenied.+outside your own account/],
])('%s', async (command, sentence) => {
  const [name = '', ...parameters] = command.split(' ');
  expect(await identityRefusal(service, name, ...parameters)).toMatch(sentence);
});
