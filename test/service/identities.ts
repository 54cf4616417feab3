import { accountId, type Credentials, hsmKms, type Service } from './service.js';

/** A user that a test has made. */
export interface User {
  readonly arn: string;
  readonly credentials: Credentials;
}

/** Runs `hsm-kms identity ...`. @returns what it prints, parsed. @throws Error with what it printed when it fails */
export async function identity(service: Service, ...parameters: string[]): Promise<Record<string, unknown>> {
  const { code, output } = await hsmKms('identity', ...parameters, '--data-dir', service.dataDir);
  if (code !== 0) throw new Error(`hsm-kms identity ${parameters.join(' ')}: ${output}`);
  return output.trim() === '' ? {} : JSON.parse(output);
}

/** Makes a user with an access key. @param statements of its identity policy; without any it has none */
export async function newUser(service: Service, name: string, ...statements: readonly object[]): Promise<User> {
  await identity(service, 'create-user', '--user-name', name);
  if (statements.length > 0) {
    const policy = JSON.stringify({ Version: '2012-10-17', Statement: statements });
    await identity(
      service,
      'put-user-policy',
      '--user-name',
      name,
      '--policy-name',
      'test',
      '--policy-document',
      policy,
    );
  }
  const made = await identity(service, 'create-access-key', '--user-name', name, '--output', 'json');
  const { AccessKeyId, SecretAccessKey } = made.AccessKey as { AccessKeyId: string; SecretAccessKey: string };
  return {
    arn: `arn:aws:iam::${accountId}:user/${name}`,
    credentials: { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey },
  };
}
