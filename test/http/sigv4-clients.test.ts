import { execFile, spawnSync } from 'node:child_process';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { EncryptCommand, KMSClient, ListKeysCommand } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type AccessKey, SigV4Verifier, type VerifiedRequest } from '../../src/http/sigv4/verifier.js';

const LONG_TERM = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' };
const TEMPORARY = {
  accessKeyId: 'ASIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'not/the+same',
  sessionToken: 'AQoD/+=token',
};
const accessKeys = new Map<string, AccessKey>([
  [LONG_TERM.accessKeyId, { secretAccessKey: Buffer.from(LONG_TERM.secretAccessKey) }],
  [TEMPORARY.accessKeyId, { secretAccessKey: Buffer.from(TEMPORARY.secretAccessKey), temporary: true }],
]);
const verifier = new SigV4Verifier<AccessKey>({
  regions: ['us-east-1', 'eu-central-1'],
  services: ['kms', 'sts'],
  findAccessKey: (id, token) =>
    token === undefined || token === TEMPORARY.sessionToken ? accessKeys.get(id) : undefined,
});

interface Outcome {
  target: string | undefined;
  signedHeaders: string[];
  verified: VerifiedRequest<AccessKey> | Error;
  tampered: VerifiedRequest<AccessKey> | Error;
}

const outcomes: Outcome[] = [];
let server: Server;
let endpoint: string;

async function receive(request: IncomingMessage): Promise<Outcome> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  const failure = (error: Error) => error;
  return {
    target: request.headers['x-amz-target'] as string | undefined,
    signedHeaders: /SignedHeaders=([^,]+)/.exec(request.headers.authorization ?? '')?.[1]?.split(';') ?? [],
    verified: await verifier.verify(request, body).catch(failure),
    tampered: await verifier.verify(request, Buffer.concat([body, Buffer.from(' ')])).catch(failure),
  };
}

beforeAll(async () => {
  server = createServer((request, response) => {
    receive(request).then((outcome) => {
      outcomes.push(outcome);
      response.writeHead(200, { 'Content-Type': 'application/x-amz-json-1.1' }).end('{"Keys":[]}');
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  await new Promise((closed) => server.close(closed));
});

beforeEach(() => {
  outcomes.length = 0;
});

function expectVerified(accessKeyId: string, region: string, service = 'kms') {
  expect(outcomes.length).toBeGreaterThan(0);
  for (const { verified, tampered } of outcomes) {
    expect(verified).toMatchObject({ accessKeyId, region, service });
    expect(Math.abs((verified as VerifiedRequest<AccessKey>).signedAt - Date.now())).toBeLessThan(60_000);
    expect(tampered).toMatchObject({ name: 'InvalidSignatureException' });
  }
}

describe('@aws-sdk/client-kms', () => {
  test.each([
    [LONG_TERM, 'us-east-1'],
    [TEMPORARY, 'eu-central-1'],
  ])('%j in %s', async (credentials, region) => {
    const client = new KMSClient({ endpoint, region, credentials, maxAttempts: 1 });
    await client.send(new ListKeysCommand({}));
    await client.send(
      new EncryptCommand({ KeyId: 'alias/a', Plaintext: Buffer.alloc(4096, 1), EncryptionContext: { 'à ü': '鍵' } }),
    );
    client.destroy();
    expectVerified(credentials.accessKeyId, region);
    expect(outcomes.map(({ target }) => target)).toEqual(['TrentService.ListKeys', 'TrentService.Encrypt']);
  });

  test('a secret that is wrong', async () => {
    const credentials = { ...LONG_TERM, secretAccessKey: 'wrong' };
    const client = new KMSClient({ endpoint, region: 'us-east-1', credentials, maxAttempts: 1 });
    await client.send(new ListKeysCommand({}));
    client.destroy();
    expect(outcomes).toMatchObject([{ verified: { name: 'InvalidSignatureException' } }]);
  });
});

const hasAwsCli = spawnSync('aws', ['--version']).status === 0;

(hasAwsCli ? describe : describe.skip)('AWS CLI (botocore)', () => {
  async function aws(credentials: typeof LONG_TERM & { sessionToken?: string }, region: string, ...args: string[]) {
    const env = {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      AWS_CONFIG_FILE: '/dev/null',
      AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_MAX_ATTEMPTS: '1',
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      ...(credentials.sessionToken === undefined ? {} : { AWS_SESSION_TOKEN: credentials.sessionToken }),
    };
    await promisify(execFile)('aws', ['--endpoint-url', endpoint, '--region', region, '--output', 'json', ...args], {
      env,
    });
  }

  test.each([
    [LONG_TERM, 'us-east-1'],
    [TEMPORARY, 'eu-central-1'],
  ])('%j in %s', async (credentials, region) => {
    await aws(credentials, region, 'kms', 'list-keys');
    await aws(credentials, region, 'kms', 'tag-resource', '--key-id', 'a', '--tags', 'TagKey=à ü,TagValue=鍵');
    expectVerified(credentials.accessKeyId, region);
    expect(outcomes.map(({ target }) => target)).toEqual(['TrentService.ListKeys', 'TrentService.TagResource']);
    for (const { signedHeaders } of outcomes) expect(signedHeaders).not.toContain('x-amz-content-sha256');
  });

  test('sts, which signs for another service and sends a form', async () => {
    // The answer is no XML: what the CLI makes of it does not matter here.
    await aws(LONG_TERM, 'us-east-1', 'sts', 'get-caller-identity').catch(() => undefined);
    expectVerified(LONG_TERM.accessKeyId, 'us-east-1', 'sts');
  });
});
