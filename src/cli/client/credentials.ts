import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { SigningCredentials } from '../../http/sigv4/signer.js';

/**
 * Whose credentials a command signs its requests with, as AWS's own clients look for them: the environment, the file that
 * AWS_SHARED_CREDENTIALS_FILE names, or a profile of ~/.aws/credentials. Where none of these is set, those of the first
 * administrator, beside the data.
 *
 * @throws Error that says what to set
 */
export function findCredentials(dataDir: string, environment: NodeJS.ProcessEnv): SigningCredentials {
  const {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
    AWS_SHARED_CREDENTIALS_FILE: file,
    AWS_PROFILE: profile,
  } = environment;
  if (accessKeyId && secretAccessKey) {
    return { accessKeyId, secretAccessKey, sessionToken: sessionToken || undefined };
  }
  const chosen = file || (profile ? join(homedir(), '.aws', 'credentials') : join(dataDir, 'credentials'));
  return readProfile(chosen, profile || 'default');
}

function readProfile(file: string, profile: string): SigningCredentials {
  const values = new Map<string, string>();
  let section: string | undefined;
  for (const line of readCredentialsFile(file).split('\n')) {
    const [, heading] = /^\s*\[\s*([^\]]+?)\s*\]/.exec(line) ?? [];
    section = heading ?? section;
    const [, name, value] = /^\s*([a-z_]+)\s*=\s*(\S+)\s*$/.exec(line) ?? [];
    if (section === profile && name !== undefined && value !== undefined) values.set(name, value);
  }
  const accessKeyId = values.get('aws_access_key_id');
  const secretAccessKey = values.get('aws_secret_access_key');
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw new Error(
      `${file} has no access key in [${profile}]: set AWS_PROFILE to a section that has aws_access_key_id and aws_secret_access_key.`,
    );
  }
  return { accessKeyId, secretAccessKey, sessionToken: values.get('aws_session_token') };
}

function readCredentialsFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(
      `There are no credentials to sign with: ${(error as Error).message}. Set AWS_SHARED_CREDENTIALS_FILE to a file with an access key, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.`,
      { cause: error },
    );
  }
}
