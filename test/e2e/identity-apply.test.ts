import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { mainModule } from '../service/built-service.js';
import { sql } from '../service/database.js';
import { identity, identityRefusal, newAccessKey } from '../service/identities.js';
import { refusal, refusalName } from '../service/refusal.js';
import { accountId, hsmKms, Service, serviceEnvironment, serviceNode, userArn } from '../service/service.js';

let service: Service;
let file: string;
beforeAll(async () => {
  service = await Service.start();
  file = join(service.dataDir, 'identities.yaml');
  writeFileSync(join(service.dataDir, 'list.json'), JSON.stringify({ Version: '2012-10-17', Statement: [list] }));
});
afterAll(() => service?.end());
beforeEach(() => writeFileSync(file, declaration));

const list = { Effect: 'Allow', Action: 'kms:ListKeys', Resource: '*' };
const declaration = `
policies:
  red-keys:
    document:
      Version: 2012-10-17
      Statement:
        - &allow {Effect: Allow, Action: "kms:*", Resource: "*"}
        - <<: *allow
          Effect: Deny
          Condition: {StringNotEquals: {"aws:PrincipalTag/team": red}}
users:
  alice:
    tags: {team: red, floor: 7}
    attachedPolicies: [red-keys]
    policies:
      list: file://list.json
  bob:
roles:
  signer:
    maxSessionDuration: 7200
    trustPolicy:
      Version: 2012-10-17
      Statement: {Effect: Allow, Principal: {AWS: "${userArn('alice')}"}, Action: "sts:AssumeRole"}
`;

const apply = (...flags: string[]) => identity(service, 'apply', '-f', file, ...flags);
const identities = () =>
  ['principals', 'principal_tags', 'inline_policies', 'attached_policies', 'managed_policies', 'access_keys'].map(
    (table) => sql(service, `select * from ${table} order by 1, 2`),
  );

test('a dry run shows what would be done, and does nothing', async () => {
  const before = identities();
  const output = await apply('--dry-run');
  expect(output).toMatch(/^\+ policy red-keys\n/);
  expect(output).toMatch(
    /^\+ user alice\n {4}\+ tag team=red\n {4}\+ tag floor=7\n {4}\+ policy list\n {8}\+ \{\n(?: {8}\+ .+\n)+ {4}\+ attached arn:aws:iam::000000000000:policy\/red-keys\n\+ user bob\n\+ role signer\n/m,
  );
  expect(identities()).toEqual(before);
});

test('nothing is done without --yes where nobody can be asked', async () => {
  const before = identities();
  const { code, output } = await hsmKms('identity', 'apply', '-f', file, '--data-dir', service.dataDir);
  expect(code).toBe(1);
  expect(output).toMatch(/\nhsm-kms: Add --yes to have this done without being asked\.\n$/);
  expect(identities()).toEqual(before);
});

test('with --yes it is done, in force at once, and not done again', async () => {
  const output = await apply('--yes');
  expect(output).toMatch(/^Done: 4 changed\.$/m);
  for (const name of ['alice', 'bob']) {
    expect(output).toContain(
      `The user ${name} has no access key. To make one: hsm-kms identity create-access-key --user-name ${name}\n`,
    );
  }
  const alice = service.newClient(await newAccessKey(service, 'alice'));
  const { KeyMetadata } = await alice.createKey({});
  const after = identities();
  expect(await apply('--yes')).toMatch(/^Nothing to change\.\nThe user bob has no access key\./);
  expect(identities()).toEqual(after);

  writeFileSync(file, declaration.replace('team: red,', 'team: blue,'));
  expect(await apply('--yes')).toMatch(/^~ user alice\n {4}~ tag team=blue \(was red\)\nDone: 1 changed\.\n/);
  const { message } = await refusal(alice.disableKey({ KeyId: KeyMetadata?.KeyId as string }));
  expect(message).toMatch(/ with an explicit deny in an identity-based policy$/);
});

test('who is not declared stays; --prune deletes, and says when nobody is left to administer', async () => {
  await apply('--yes');
  const credentials = await newAccessKey(service, 'bob');
  writeFileSync(file, declaration.replace('  bob:\n', ''));
  expect(await apply('--yes')).toBe('Nothing to change.\n');
  expect(await refusalName(service.newClient(credentials).listKeys({}))).toBe('AccessDeniedException');
  const before = identities();
  const output = await apply('--prune', '--dry-run');
  expect(output).toMatch(/^- user administrator\n {4}- access key AKIA/);
  expect(output).toMatch(/^- user bob\n {4}- access key AKIA/m);
  expect(output).toMatch(/^hsm-kms: No user with the policy AdministratorAccess has an active access key any more/m);
  expect(identities()).toEqual(before);

  const administrator = '  administrator: {attachedPolicies: ["arn:aws:iam::aws:policy/AdministratorAccess"]}\n';
  writeFileSync(file, declaration.replace('  bob:\n', administrator));
  expect(await apply('--prune', '--yes')).toMatch(/^- user bob\n {4}- access key AKIA\w+\nDone: 1 changed\.\n/);
  expect(await refusalName(service.newClient(credentials).listKeys({}))).toBe('UnrecognizedClientException');
  await service.kms.listKeys({});
});

describe('at a terminal', () => {
  /** Answers the question as a person would. */
  async function answered(answer: string): Promise<string> {
    const command = [serviceNode(), mainModule, 'identity', 'apply', '-f', file, '--data-dir', service.dataDir];
    const child = spawn('script', ['-qec', command.join(' '), '/dev/null'], {
      env: serviceEnvironment(service.dataDir),
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (text.includes('[y/N]')) child.stdin.write(`${answer}\r`);
    });
    await once(child, 'close');
    return output.replaceAll('\r', '');
  }

  test.each([
    ['n', /Do this\? \[y\/N\].+hsm-kms: Nothing was changed\.\n/s, false],
    ['', /hsm-kms: Nothing was changed\.\n/, false],
    ['y', /Do this\? \[y\/N\].+Done: \d changed\.\n/s, true],
  ])('the answer %j is heeded', async (answer, printed, isDone) => {
    writeFileSync(file, declaration.replace('floor: 7', `floor: "8${answer}"`));
    const before = identities();
    expect(await answered(answer)).toMatch(printed);
    if (isDone) expect(identities()).not.toEqual(before);
    else expect(identities()).toEqual(before);
  });
});

const faults: [string, string, RegExp][] = [
  ['no YAML', 'users: [', /identities\.yaml cannot be read: /],
  ['a name twice', 'users:\n  a:\n  a:\n', /cannot be read: .*unique/],
  ['a list', '- users', /does not fit\.\n {2}the file: /],
  ['an unknown section', 'groups: {}', /does not fit\.\n {2}the file: .*groups/],
  ['an unknown member', 'users: {a: {tag: {}}}', /\n {2}users\.a: .*tag/],
  ['an access key', 'users: {a: {accessKeys: []}}', /users\.a: .*accessKeys/],
  ['tags that are a list', 'users: {a: {tags: [x]}}', /users\.a\.tags: /],
  ['a role that nobody is named to assume', 'roles: {r: {}}', /roles\.r\.trustPolicy: /],
  [
    'a file that is not there',
    'policies: {p: {document: "file://nowhere.json"}}',
    /: p\.document: .+nowhere\.json cannot be read: ENOENT/,
  ],
  ['a malformed policy', 'users: {a: {policies: {p: "{"}}}', /\(MalformedPolicyDocument\).+user a: .+invalid Json/],
  [
    'a misspelt policy',
    'users: {a: {attachedPolicies: [red-key]}}',
    new RegExp(`user a: Policy arn:aws:iam::${accountId}:policy/red-key does not exist`),
  ],
  [
    'an account id as a number',
    `roles: {r: {trustPolicy: {Version: 2012-10-17, Statement: {Effect: Allow, Principal: {AWS: 111122223333}, Action: "sts:AssumeRole"}}}}`,
    /role r: .+principals/,
  ],
  ['a bad name', 'users: {"a b": {}}', /\(ValidationError\).+user a b: /],
];

test.each(faults)('a file with %s is refused, and nothing is done', async (_what, text, sentence) => {
  const before = identities();
  writeFileSync(file, text);
  expect(await identityRefusal(service, 'apply', '-f', file, '--yes')).toMatch(sentence);
  expect(identities()).toEqual(before);
});
