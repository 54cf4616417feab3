import { once } from 'node:events';
import net from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type AuditEvent, requestEvents } from '../service/audit.js';
import { call, send, sendBytes, signedHeaders } from '../service/http.js';
import { identity, newUser, putPolicy } from '../service/identities.js';
import { outcomeOf } from '../service/refusal.js';
import { accountId, type Credentials, Service, userArn } from '../service/service.js';
import { assumeRole, roleArn, sessionOf, sts } from '../service/sts.js';
import { patience, within } from '../service/within.js';

let service: Service;
let nobody: Credentials;
let KeyId: string;
let Arn: string;
let CiphertextBlob: Uint8Array;

beforeAll(async () => {
  service = await Service.start({ workers: 2, flags: ['--max-body-bytes', '2000'] });
  nobody = await newUser(service, 'nobody');
  const trust = { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { AWS: accountId } };
  const document = JSON.stringify({ Version: '2012-10-17', Statement: trust });
  await identity(service, 'create-role', '--role-name', 'signer', '--assume-role-policy-document', document);
  await putPolicy(service, 'role', 'signer', 'all', { Sid: 'everything' });
  ({ KeyId, Arn } = await service.newKey());
  const Plaintext = Buffer.from('of the table');
  ({ CiphertextBlob } = (await service.kms.encrypt({ KeyId, Plaintext })) as { CiphertextBlob: Uint8Array });
  await within(patience, async () => expect(requestEvents(service)).toHaveLength(2));
});
afterAll(() => service?.end());

/** The events of what was done, and of nothing else. */
async function eventsOf(work: () => Promise<unknown>, count = 1): Promise<AuditEvent[]> {
  const before = new Set(requestEvents(service).map(({ eventID }) => eventID));
  await work();
  let events: AuditEvent[] = [];
  await within(patience, async () => {
    events = requestEvents(service).filter(({ eventID }) => !before.has(eventID));
    expect(events.length).toBeGreaterThanOrEqual(count);
  });
  await settled();
  expect(requestEvents(service)).toHaveLength(before.size + count);
  return events;
}

/** Longer than an event waits, where nothing is slow: what comes later is not looked for. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 120));

const administrator = { type: 'IAMUser', userName: 'administrator', arn: userArn('administrator'), accountId };
const unknown = { type: 'Unknown' };
const onKey = () => [{ accountId, type: 'AWS::KMS::Key', ARN: Arn }];
const allowed = { decision: 'allow', reason: 'allowed-by-identity-policy', statement: 0 };

type Case = readonly [name: string, work: () => Promise<unknown>, expected: () => Record<string, unknown>];

const kms = () => service.kms;
const cases: readonly Case[] = [
  [
    'an encryption: with its context, without plaintext and ciphertext',
    () => kms().encrypt({ KeyId, Plaintext: Buffer.from('x'), EncryptionContext: { tenant: 'a' } }),
    () => ({
      ...{ eventVersion: '1.11', eventSource: 'kms.amazonaws.com', eventName: 'Encrypt', awsRegion: 'us-east-1' },
      userIdentity: expect.objectContaining({ ...administrator, accessKeyId: service.credentials.accessKeyId }),
      ...{ sourceIPAddress: '127.0.0.1', userAgent: expect.stringContaining('aws-sdk-js'), readOnly: true },
      ...{ requestParameters: { keyId: KeyId, encryptionContext: { tenant: 'a' } }, responseElements: null },
      ...{ additionalEventData: { decision: allowed, milliseconds: expect.any(Number) }, resources: onKey() },
      ...{ managementEvent: true, recipientAccountId: accountId, eventCategory: 'Management' },
    }),
  ],
  [
    'a decryption: of the key that the ciphertext names',
    () => kms().decrypt({ CiphertextBlob }),
    () => ({ eventName: 'Decrypt', requestParameters: {}, responseElements: null, resources: onKey() }),
  ],
  [
    'a signature',
    async () => outcomeOf(kms().sign({ KeyId, Message: Buffer.from('x'), SigningAlgorithm: 'ECDSA_SHA_256' })),
    () => ({
      ...{ eventName: 'Sign', errorCode: 'InvalidKeyUsageException', readOnly: true, resources: onKey() },
      requestParameters: { keyId: KeyId, signingAlgorithm: 'ECDSA_SHA_256' },
    }),
  ],
  [
    'a grant: without its token',
    () => kms().createGrant({ KeyId, GranteePrincipal: userArn('nobody'), Operations: ['Encrypt'] }),
    () => ({
      eventName: 'CreateGrant',
      requestParameters: { keyId: KeyId, granteePrincipal: userArn('nobody'), operations: ['Encrypt'] },
      responseElements: { grantId: expect.stringMatching(/^[0-9a-f]{64}$/) },
    }),
  ],
  [
    'a change: with what was answered',
    () =>
      kms()
        .scheduleKeyDeletion({ KeyId, PendingWindowInDays: 7 })
        .then(() => kms().cancelKeyDeletion({ KeyId })),
    () => ({
      readOnly: false,
      responseElements: expect.objectContaining({ keyId: expect.stringContaining(KeyId) }),
      resources: onKey(),
    }),
  ],
  [
    'a refusal: with its reason',
    () => outcomeOf(service.newClient(nobody).disableKey({ KeyId })),
    () => ({
      userIdentity: expect.objectContaining({ type: 'IAMUser', userName: 'nobody' }),
      ...{ eventName: 'DisableKey', errorCode: 'AccessDeniedException', readOnly: false, responseElements: null },
      errorMessage: expect.stringContaining('is not authorized to perform: kms:DisableKey'),
      additionalEventData: expect.objectContaining({
        decision: { decision: 'deny', reason: expect.stringMatching(/^not-allowed-by-/) },
      }),
      resources: onKey(),
    }),
  ],
  [
    'a key that is not there',
    () => outcomeOf(kms().describeKey({ KeyId: 'alias/none' })),
    () => ({ errorCode: 'NotFoundException', requestParameters: { keyId: 'alias/none' }, resources: [] }),
  ],
  [
    'a request that does not fit the contract: without its parameters',
    () => call(service, 'Encrypt', { KeyId, Plaintext: 'not base64!' }),
    () => ({ eventName: 'Encrypt', errorCode: 'SerializationException', requestParameters: null }),
  ],
  [
    'one that names no operation',
    async () => send(service, { headers: { 'content-type': 'application/x-amz-json-1.1' } }),
    () => ({ userIdentity: unknown, eventName: 'Unknown', errorCode: 'UnknownOperationException' }),
  ],
  [
    'one without a signature',
    () => send(service, { headers: unsigned, body: '{}' }),
    () => ({ userIdentity: unknown, eventName: 'ListKeys', errorCode: 'MissingAuthenticationTokenException' }),
  ],
  [
    'one with a wrong signature: whose access key it claims',
    async () => send(service, { headers: await signedHeaders(service, 'ListKeys', '{}'), body: '{ }' }),
    () => ({
      ...{ userIdentity: unknown, eventName: 'ListKeys', errorCode: 'InvalidSignatureException' },
      additionalEventData: expect.objectContaining({ accessKeyIdClaimed: service.credentials.accessKeyId }),
    }),
  ],
  [
    'one that is too large',
    () => call(service, 'Encrypt', { KeyId, Plaintext: 'A'.repeat(4_000) }),
    () => ({ userIdentity: unknown, errorCode: 'RequestEntityTooLargeException' }),
  ],
  [
    'bytes that are no HTTP',
    () => sendBytes(service, 'this is no request\r\n\r\n'),
    () => ({ userIdentity: unknown, eventName: 'Unknown', errorCode: 'SerializationException', userAgent: null }),
  ],
  [
    'a client that goes away in the middle of its request',
    async () => {
      const { hostname, port } = new URL(service.url);
      const socket = net.connect(Number(port), hostname);
      await once(socket, 'connect');
      socket.write(`POST / HTTP/1.1\r\nHost: ${hostname}\r\nContent-Length: 100\r\n\r\n{`);
      await settled();
      socket.destroy();
    },
    () => ({
      userIdentity: unknown,
      errorCode: expect.stringMatching(/^ClientAborted$|^SerializationException$/),
      sourceIPAddress: '127.0.0.1',
    }),
  ],
  [
    'an assumed role: without its secrets',
    () => assumeRole(service, 'signer', service.credentials, { ExternalId: 'external' }),
    () => ({
      ...{ eventSource: 'sts.amazonaws.com', eventName: 'AssumeRole', readOnly: false },
      requestParameters: expect.objectContaining({ roleArn: roleArn('signer'), externalId: 'external' }),
      responseElements: expect.objectContaining({
        credentials: { accessKeyId: expect.stringMatching(/^ASIA/), expiration: expect.any(String) },
      }),
      resources: [{ accountId, type: 'AWS::IAM::Role', ARN: roleArn('signer') }],
    }),
  ],
  [
    'a role that is denied',
    () => sts(service, 'AssumeRole', { RoleArn: roleArn('none'), RoleSessionName: 'session' }, nobody),
    () => ({
      errorCode: 'AccessDenied',
      additionalEventData: expect.objectContaining({ decision: expect.anything() }),
    }),
  ],
  [
    'who one is',
    () => sts(service, 'GetCallerIdentity', {}),
    () => ({ eventName: 'GetCallerIdentity', readOnly: true, requestParameters: null, responseElements: null }),
  ],
];
const unsigned = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'TrentService.ListKeys' };

describe('one event for', () => {
  test.each(cases)('%s', async (name, work, expected) => {
    const count = name.startsWith('a change') ? 2 : 1;
    const events = await eventsOf(work, count);
    for (const event of events) expect(event).toMatchObject(expected());
  });
});

test('a session of a role is shown with its issuer', async () => {
  let credentials = service.credentials;
  await eventsOf(async () => {
    credentials = await sessionOf(service, 'signer', service.credentials);
  });
  const [event] = await eventsOf(() => service.newClient(credentials).listKeys({}));
  expect(event?.userIdentity).toMatchObject({
    ...{ type: 'AssumedRole', arn: `arn:aws:sts::${accountId}:assumed-role/signer/test` },
    accessKeyId: credentials.accessKeyId,
    sessionContext: { sessionIssuer: { type: 'Role', arn: roleArn('signer'), userName: 'signer' } },
  });
  expect(event?.additionalEventData?.decision).toMatchObject({ decision: 'allow', statement: 'everything' });
});

test('the event has the id that the client was given', async () => {
  let requestId: string | undefined;
  const [event] = await eventsOf(async () => {
    requestId = (await call(service, 'ListKeys', {})).headers['x-amzn-requestid'] as string;
  });
  expect(event?.requestID).toBe(requestId);
});

test('probes are no requests', async () => {
  await eventsOf(async () => {
    for (const path of ['/healthz', '/readyz', '/metrics']) await send(service, { method: 'GET', path });
  }, 0);
});
