/** The SDK as an oracle: what it sends is what parseInput understands, what encodeOutput writes is what it reads. */
import { Readable } from 'node:stream';
import {
  CreateAliasCommand,
  CreateGrantCommand,
  DescribeKeyCommand,
  EncapsulateCommand,
  EncryptCommand,
  ImportKeyMaterialCommand,
  KMSClient,
  ListGrantsCommand,
  TagResourceCommand,
} from '@aws-sdk/client-kms';
import { describe, expect, test } from '@jest/globals';
import { parseInput } from '../../src/contract/input.js';
import { KmsError } from '../../src/contract/kms-error.js';
import type { OperationName, OperationTypes } from '../../src/contract/operation-types.js';
import { operationOfTarget } from '../../src/contract/operations.js';
import { encodeOutput } from '../../src/contract/output.js';

interface Sent {
  operation: OperationName | undefined;
  body: Buffer;
}

/** A client whose requests end in `sent` and are all answered with one body. */
function client(status: number, answer: string, sent: Sent[] = []): KMSClient {
  return new KMSClient({
    region: 'us-east-1',
    credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'x' },
    maxAttempts: 1,
    requestHandler: {
      handle: async (request: { headers: Record<string, string>; body: Uint8Array }) => {
        const { headers, body } = request;
        const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
        sent.push({ operation: operationOfTarget(headers['x-amz-target']), body: bytes });
        const headersOut = { 'content-type': 'application/x-amz-json-1.1' };
        return { response: { statusCode: status, headers: headersOut, body: Readable.from([answer]) } as never };
      },
    },
  });
}

const KeyId = 'alias/a';
const blob = Buffer.from([0, 1, 254, 255]);
const instant = new Date(1565036344559);
const Tags = [{ TagKey: 'é', TagValue: '' }];
const EncryptionContext = { tenant: '😀', purpose: '"x"\n' };

describe('requests of the SDK', () => {
  const context = Object.assign(Object.create(null), EncryptionContext);
  test.each([
    [
      'Encrypt',
      new EncryptCommand({ KeyId, Plaintext: blob, EncryptionContext, DryRun: false }),
      { EncryptionContext: context },
    ],
    ['TagResource', new TagResourceCommand({ KeyId, Tags }), {}],
    ['Encapsulate', new EncapsulateCommand({ KeyId, EncapsulationAlgorithm: 'ML_KEM', GrantTokens: ['t'] }), {}],
    [
      'ImportKeyMaterial',
      new ImportKeyMaterialCommand({ KeyId, ImportToken: blob, EncryptedKeyMaterial: blob, ValidTo: instant }),
      {},
    ],
    [
      'CreateGrant',
      new CreateGrantCommand({ KeyId, GranteeServicePrincipal: 'a.amazonaws.com', Operations: ['Encapsulate'] }),
      {},
    ],
  ] as const)('%s is read as it was meant', async (name, command, read) => {
    const sent: Sent[] = [];
    await client(200, '{}', sent).send(command as EncryptCommand);
    const [{ operation, body }] = sent as [Sent];
    expect(operation).toBe(name);
    expect(parseInput(name, body)).toEqual({ ...command.input, ...read });
  });
});

describe('answers to the SDK', () => {
  async function read<N extends OperationName>(operation: N, output: OperationTypes[N]['output'], command: unknown) {
    const { $metadata, ...rest } = await client(200, encodeOutput(operation, output)).send(command as EncryptCommand);
    expect($metadata.httpStatusCode).toBe(200);
    return rest;
  }

  test('have the blobs, timestamps, maps and lists that were written', async () => {
    const KeyMetadata = {
      KeyId: 'k',
      CreationDate: instant,
      Enabled: true,
      EncryptionAlgorithms: ['SYMMETRIC_DEFAULT' as const],
    };
    expect(await read('DescribeKey', { KeyMetadata }, new DescribeKeyCommand({ KeyId }))).toEqual({ KeyMetadata });
    const output = { CiphertextBlob: blob, KeyId: 'k' };
    const encrypted = await read('Encrypt', output, new EncryptCommand({ KeyId, Plaintext: blob }));
    expect({ ...encrypted, CiphertextBlob: Buffer.from(encrypted.CiphertextBlob ?? []) }).toEqual(output);
    const grants = {
      Grants: [{ GrantId: 'g', Constraints: { EncryptionContextSubset: EncryptionContext } }],
      Truncated: false,
    };
    expect(await read('ListGrants', grants, new ListGrantsCommand({ KeyId }))).toEqual(grants);
    expect(await read('CreateAlias', undefined, new CreateAliasCommand({ AliasName: 'a', TargetKeyId: 'k' }))).toEqual(
      {},
    );
  });

  test.each(['NotFoundException', 'AccessDeniedException', 'KMSInternalException'] as const)(
    'that are a %s arrive with name and message',
    async (name) => {
      const error = new KmsError(name, 'a sentence');
      const answer = client(error.status, error.toBody()).send(new DescribeKeyCommand({ KeyId }));
      await expect(answer).rejects.toMatchObject({
        name,
        message: 'a sentence',
        $metadata: { httpStatusCode: error.status },
      });
    },
  );
});
