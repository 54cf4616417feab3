import { KMSClient, KMSServiceException } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { operationNames } from '../../src/contract/operations.js';
import { operations } from '../../src/operations/table.js';
import { call, contentType, expectRefused } from '../service/http.js';
import { region, Service } from '../service/service.js';

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(() => service?.end());

/** Enough of a request for the contract's checks to pass, whatever the operation is. */
const members = {
  ...{ KeyId: '00000000-0000-0000-0000-000000000000', AliasName: 'alias/x', TargetKeyId: 'x', GrantId: 'x' },
  ...{
    Operations: ['Encrypt'],
    Tags: [{ TagKey: 'a', TagValue: 'b' }],
    TagKeys: ['a'],
    Policy: '{}',
    Description: 'x',
  },
  ...{ ImportToken: 'eA==', EncryptedKeyMaterial: 'eA==', CiphertextBlob: 'eA==', Message: 'eA==', Plaintext: 'eA==' },
  ...{ SharedSecretCiphertextBlob: 'eA==', EncapsulationAlgorithm: 'ML_KEM', ReplicaRegion: 'eu-west-1' },
  ...{ PrimaryRegion: 'eu-west-1', CustomKeyStoreId: 'cks-1234567890abcdef0', CustomKeyStoreName: 'x' },
  ...{ WrappingAlgorithm: 'RSAES_OAEP_SHA_256', WrappingKeySpec: 'RSA_2048', RetiringPrincipal: 'x' },
};

test('an operation that is not done yet says so, and that it is known', async () => {
  for (const name of operationNames.filter((each) => !operations.has(each))) {
    const error = expectRefused(await call(service, name, members));
    expect({ name, error }).toEqual({
      name,
      error: { __type: 'UnsupportedOperationException', message: `${name} is not supported yet.` },
    });
  }
});

test.each(operationNames)('%s is known, and answers an empty request without a fault', async (name) => {
  const answer = await call(service, name, {});
  expect(answer.status).toBeLessThan(500);
  expect(answer.headers['content-type']).toBe(contentType);
  expect(answer.headers['x-amzn-requestid']).toMatch(/^[0-9a-f-]{36}$/);
  expect(answer.body).not.toContain('UnknownOperationException');
});

test('an operation without output answers with an empty body', async () => {
  const { KeyId } = await service.newKey();
  const answer = await call(service, 'DisableKey', { KeyId });
  expect({ status: answer.status, body: answer.body }).toEqual({ status: 200, body: '' });
});

test('errors arrive in the SDK as its own classes, with their status and request id', async () => {
  const error = await service.kms.describeKey({ KeyId: 'x' }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(KMSServiceException);
  expect(error).toMatchObject({ name: 'NotFoundException', $fault: 'client', $metadata: { httpStatusCode: 400 } });
  expect((error as KMSServiceException).$metadata.requestId).toMatch(/^[0-9a-f-]{36}$/);
});

test('an SDK client that is set up by its endpoint alone works', async () => {
  const client = new KMSClient({ endpoint: service.url, region, credentials: service.credentials });
  expect(await client.config.region()).toBe(region);
  client.destroy();
});
