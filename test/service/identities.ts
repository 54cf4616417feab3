import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { IdentityProcess } from './identity-process.js';
import { accountId, type Credentials, hsmKms, type Service } from './service.js';
import { testedDatabase } from './tested-database.js';

/** Runs `hsm-kms identity ...` beside a service. @returns what it prints. @throws Error when it fails */
export async function identity(service: Service, ...parameters: string[]): Promise<string> {
  const { printed, warned } = await IdentityProcess.of(service).run(parameters);
  return printed + warned;
}

/** The same, for what prints JSON. */
// biome-ignore lint/suspicious/noExplicitAny: tests know what is in it
export async function identityJson(service: Service, ...parameters: string[]): Promise<any> {
  return JSON.parse(await identity(service, ...parameters));
}

/** What a subcommand is refused with: a sentence, without a stack trace. */
export async function identityRefusal(service: Service, ...parameters: string[]): Promise<string> {
  const { code, output } = await hsmKms('identity', ...parameters, '--data-dir', service.dataDir);
  expect(output).toMatch(/^hsm-kms: |^error: /);
  expect(output).not.toMatch(/\n\s+at /);
  expect(code).toBe(1);
  return output.trim().replace(/^hsm-kms: /, '');
}

/** The access key in a section of an AWS credentials file. */
export function credentialsIn(text: string): Credentials {
  const [, accessKeyId = ''] = /^aws_access_key_id = (.+)$/m.exec(text) ?? [];
  const [, secretAccessKey = ''] = /^aws_secret_access_key = (.+)$/m.exec(text) ?? [];
  return { accessKeyId, secretAccessKey };
}

/** A new access key of a user. */
export async function newAccessKey(service: Service, userName: string): Promise<Credentials> {
  return credentialsIn(await identity(service, 'create-access-key', '--user-name', userName));
}

/** Makes a user with an access key. @param statements of its inline policy, if any */
export async function newUser(service: Service, name: string, ...statements: object[]): Promise<Credentials> {
  await identity(service, 'create-user', '--user-name', name);
  if (statements.length > 0) await putPolicy(service, 'user', name, 'inline', ...statements);
  return newAccessKey(service, name);
}

/** Makes the users and roles that ARNs name, with no permissions and no access keys. */
export async function makePrincipals(service: Service, ...arns: string[]): Promise<void> {
  for (const arn of arns) {
    const [, kind = '', path = '/', name = ''] = /:(user|role)(\/(?:.+\/)?)([^/]+)$/.exec(arn) ?? [];
    const trusting = { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { AWS: accountId } };
    const trust = ['--assume-role-policy-document', JSON.stringify({ Version: '2012-10-17', Statement: trusting })];
    await identity(
      service,
      `create-${kind}`,
      `--${kind}-name`,
      name,
      '--path',
      path,
      ...(kind === 'role' ? trust : []),
    );
  }
}

/** Gives a user or a role an inline policy. */
export function putPolicy(
  service: Service,
  kind: 'user' | 'role',
  name: string,
  policyName: string,
  ...statements: object[]
): Promise<string> {
  const named = [`--${kind}-name`, name, '--policy-name', policyName];
  return identity(service, `put-${kind}-policy`, ...named, '--policy-document', policyText(...statements));
}

/** A policy of statements that allow everything on everything where they say nothing else. */
export function policyText(...statements: object[]): string {
  const completed = statements.map((statement) => ({ Effect: 'Allow', Action: '*', Resource: '*', ...statement }));
  return JSON.stringify({ Version: '2012-10-17', Statement: completed });
}

/** The bytes of the database as they lie on the disk, its log included. */
export function databaseBytes(service: Service): Buffer {
  return testedDatabase.content(service.dataDir);
}

/** Declares users, roles and managed policies, as in a YAML file. */
export async function applyIdentities(service: Service, declaration: object): Promise<void> {
  const file = join(service.dataDir, 'declared-identities.yaml');
  writeFileSync(file, JSON.stringify(declaration));
  await identity(service, 'apply', '--yes', '--file', file);
}
