import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { cleanEnvironment, Service } from '../service/service.js';

const isInstalled = spawnSync('aws', ['--version']).status === 0;
if (!isInstalled)
  console.warn('SKIPPED: the AWS CLI is not on the PATH, so nothing is known of how it gets along here.');

const describeWithCli = isInstalled ? describe : describe.skip;

describeWithCli('the AWS CLI', () => {
  let service: Service;
  let directory: string;
  beforeAll(async () => {
    service = await Service.start();
    directory = mkdtempSync(join(tmpdir(), 'hsm-kms-cli-'));
  });
  afterAll(async () => {
    await service?.end();
    rmSync(directory, { recursive: true, force: true });
  });

  /** Runs what a person would paste, with the environment that the service tells to set. */
  async function bash(script: string): Promise<{ output: string; errors: string; code: number }> {
    const child = spawn('bash', ['-c', script], {
      cwd: directory,
      env: {
        ...cleanEnvironment(),
        AWS_ENDPOINT_URL_KMS: service.url,
        AWS_REGION: 'us-east-1',
        AWS_SHARED_CREDENTIALS_FILE: join(service.dataDir, 'credentials'),
        AWS_PAGER: '',
      },
    });
    let output = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    const [code] = await once(child, 'close');
    return { output, errors, code };
  }

  test('signs in the token what OpenSSL and the service find valid', async () => {
    const { output, errors } = await bash(`
KEY=$(aws kms create-key --key-spec ECC_NIST_P521 --key-usage SIGN_VERIFY --query KeyMetadata.KeyId --output text)
aws kms get-public-key --key-id $KEY --query PublicKey --output text | base64 -d > pub.der
printf hello > msg; aws kms sign --key-id $KEY --message fileb://msg --signing-algorithm ECDSA_SHA_512 --query Signature --output text | base64 -d > sig
openssl dgst -sha512 -verify <(openssl pkey -pubin -inform der -in pub.der) -signature sig msg && echo VALID
aws kms verify --key-id $KEY --message fileb://msg --signing-algorithm ECDSA_SHA_512 --signature fileb://sig --query SignatureValid | grep -q true && echo VALID
`);
    expect(errors).toBe('');
    expect(output).toBe('Verified OK\nVALID\nVALID\n');
  });

  test('encrypts, decrypts and pages', async () => {
    const { output, errors } = await bash(`
KEY=$(aws kms create-key --description 'for the CLI' --tags TagKey=a,TagValue=b --query KeyMetadata.KeyId --output text)
aws kms create-alias --alias-name alias/cli --target-key-id $KEY
printf secret > plain
aws kms encrypt --key-id alias/cli --plaintext fileb://plain --encryption-context a=1,b=2 --query CiphertextBlob --output text | base64 -d > blob
aws kms decrypt --ciphertext-blob fileb://blob --encryption-context b=2,a=1 --query Plaintext --output text | base64 -d; echo
aws kms list-keys --page-size 1 --query 'length(Keys)'
aws kms list-aliases --query 'Aliases[].AliasName' --output text
`);
    expect(errors).toBe('');
    expect(output).toBe('secret\n2\nalias/cli\n');
  });

  test('shows what the service refuses', async () => {
    const { errors, code } = await bash('aws kms describe-key --key-id alias/none');
    expect(code).not.toBe(0);
    expect(errors).toContain(
      'An error occurred (NotFoundException) when calling the DescribeKey operation: Alias arn:aws:kms:us-east-1:000000000000:alias/none is not found.',
    );
  });
});
