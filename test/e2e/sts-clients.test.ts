import { execFile, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { hasBoto3 } from '../service/botocore.js';
import { applyIdentities, newAccessKey } from '../service/identities.js';
import { accountId, cleanEnvironment, region, Service, userArn } from '../service/service.js';
import { roleArn, sessionArn } from '../service/sts.js';

/** How people get at roles: profiles of AWS's clients, with nothing but AWS_ENDPOINT_URL_STS told to them. */

let service: Service;
let environment: NodeJS.ProcessEnv;

beforeAll(async () => {
  service = await Service.start();
  const trust = (AWS: string, Condition?: object) => ({
    Version: '2012-10-17',
    Statement: { Effect: 'Allow', Principal: { AWS }, Action: 'sts:*', ...(Condition && { Condition }) },
  });
  const list = { Version: '2012-10-17', Statement: { Effect: 'Allow', Action: 'kms:ListKeys', Resource: '*' } };
  await applyIdentities(service, {
    users: { bob: {} },
    roles: {
      first: { trustPolicy: trust(userArn('bob')), maxSessionDuration: 7200 },
      last: {
        trustPolicy: trust(roleArn('first'), { StringLikeIfExists: { 'sts:ExternalId': 'x-*' } }),
        policies: { list },
      },
    },
  });
  const { accessKeyId, secretAccessKey } = await newAccessKey(service, 'bob');
  const [credentialsFile, configFile] = [join(service.dataDir, 'bob.ini'), join(service.dataDir, 'config.ini')];
  writeFileSync(
    credentialsFile,
    `[bob]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`,
  );
  writeFileSync(
    configFile,
    `
[profile first]
region = ${region}
role_arn = ${roleArn('first')}
source_profile = bob
role_session_name = by-profile
duration_seconds = 5400

[profile last]
region = ${region}
role_arn = ${roleArn('last')}
source_profile = first
external_id = x-1

[profile process]
region = ${region}
credential_process = aws sts assume-role --profile bob --region ${region} --role-arn ${roleArn('first')} --role-session-name by-process --query "{Version: \`1\`, AccessKeyId: Credentials.AccessKeyId, SecretAccessKey: Credentials.SecretAccessKey, SessionToken: Credentials.SessionToken, Expiration: Credentials.Expiration}" --output json
`,
  );
  environment = {
    ...cleanEnvironment(),
    AWS_SHARED_CREDENTIALS_FILE: credentialsFile,
    AWS_CONFIG_FILE: configFile,
    AWS_ENDPOINT_URL_STS: service.url,
    AWS_ENDPOINT_URL_KMS: service.url,
    AWS_MAX_ATTEMPTS: '1',
    AWS_EC2_METADATA_DISABLED: 'true',
    HOME: service.dataDir,
  };
});
afterAll(() => service?.end());

async function run(command: string, parameters: readonly string[]): Promise<unknown> {
  const { stdout } = await promisify(execFile)(command, parameters, { env: environment });
  return JSON.parse(stdout);
}

const hasAwsCli = spawnSync('aws', ['--version']).status === 0;
if (!hasAwsCli) console.warn('SKIPPED: there is no AWS CLI (aws) here, so its profiles are not tried.');

(hasAwsCli ? describe : describe.skip)('the AWS CLI', () => {
  const aws = (...parameters: string[]) => run('aws', [...parameters, '--output', 'json']);

  test('assumes a role with all that it can say', async () => {
    const answer = await aws(
      ...['sts', 'assume-role', '--profile', 'bob', '--region', region, '--role-arn', roleArn('first')],
      ...['--role-session-name', 'cli', '--duration-seconds', '900', '--source-identity', 'bob'],
      ...['--tags', 'Key=team,Value=red and blue', '--transitive-tag-keys', 'team'],
      ...['--policy', '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"kms:*","Resource":"*"}}'],
      ...['--policy-arns', 'arn=arn:aws:iam::aws:policy/AdministratorAccess', '--external-id', 'anything'],
    );
    expect(answer).toEqual({
      Credentials: {
        AccessKeyId: expect.stringMatching(/^ASIA/),
        SecretAccessKey: expect.stringMatching(/^.{40}$/),
        SessionToken: expect.stringMatching(/^[\w-]+$/),
        Expiration: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|\+00:00)$/),
      },
      AssumedRoleUser: {
        AssumedRoleId: expect.stringMatching(/^AROA.{16}:cli$/),
        Arn: sessionArn('first', 'cli'),
      },
      PackedPolicySize: expect.any(Number),
      SourceIdentity: 'bob',
    });
  });

  test.each([
    ['first', sessionArn('first', 'by-profile')],
    ['last', expect.stringMatching(new RegExp(`^arn:aws:sts::${accountId}:assumed-role/last/botocore-session-\\d+$`))],
    ['process', sessionArn('first', 'by-process')],
  ])('is who the profile %s says', async (profile, Arn) => {
    expect(await aws('sts', 'get-caller-identity', '--profile', profile)).toMatchObject({ Account: accountId, Arn });
  });

  test('uses KMS as a role that was assumed by a role', async () => {
    expect(await aws('kms', 'list-keys', '--profile', 'last')).toMatchObject({ Keys: [] });
  });

  test('reads a refusal', async () => {
    const denied = aws(
      'sts',
      'assume-role',
      '--profile',
      'bob',
      '--region',
      region,
      '--role-arn',
      roleArn('last'),
      '--role-session-name',
      'x1',
    );
    await expect(denied).rejects.toMatchObject({
      stderr: expect.stringContaining(
        `An error occurred (AccessDenied) when calling the AssumeRole operation: User: ${userArn('bob')} is not authorized to perform: sts:AssumeRole on resource: ${roleArn('last')}\n`,
      ),
    });
  });
});

(hasBoto3() ? describe : describe.skip)('boto3', () => {
  test('goes through two roles by a profile', async () => {
    const script = `
import boto3, json
session = boto3.Session(profile_name='last')
print(json.dumps([session.client('sts').get_caller_identity()['Arn'], session.client('kms').list_keys()['Keys']]))`;
    expect(await run('python3', ['-c', script])).toEqual([
      expect.stringContaining(':assumed-role/last/botocore-session-'),
      [],
    ]);
  });
});

describe('the AWS SDK for JavaScript', () => {
  test('goes through two roles by a profile', async () => {
    const script = `
import { KMS } from '@aws-sdk/client-kms';
console.log(JSON.stringify((await new KMS({ profile: 'last' }).listKeys({})).Keys));`;
    expect(await run(process.execPath, ['--no-warnings', '--input-type=module', '-e', script])).toEqual([]);
  });
});
