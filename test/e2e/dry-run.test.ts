import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { refusal, refusalName } from '../service/refusal.js';
import { Service } from '../service/service.js';

let service: Service;
let symmetric: string;
let signing: string;
let mac: string;
let agreement: string;
let blob: Uint8Array;
let signature: Uint8Array;
let tag: Uint8Array;
const Message = Buffer.from('m');
const ecdsa = { SigningAlgorithm: 'ECDSA_SHA_256' } as const;
const hmac = { MacAlgorithm: 'HMAC_SHA_256' } as const;
const peer = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'der', type: 'spki' });

beforeAll(async () => {
  service = await Service.start();
  symmetric = (await service.newKey()).KeyId;
  signing = (await service.newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' })).KeyId;
  mac = (await service.newKey({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' })).KeyId;
  agreement = (await service.newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'KEY_AGREEMENT' })).KeyId;
  blob = (await service.kms.encrypt({ KeyId: symmetric, Plaintext: Message })).CiphertextBlob!;
  signature = (await service.kms.sign({ KeyId: signing, Message, ...ecdsa })).Signature!;
  tag = (await service.kms.generateMac({ KeyId: mac, Message, ...hmac })).Mac!;
});
afterAll(() => service?.end());

type Call = (DryRun: boolean) => Promise<unknown>;
/** A request that would succeed, and one that would not, with its error. */
const rows: Record<string, { good: Call; bad: Call; error: string }> = {
  Encrypt: {
    good: (DryRun) => service.kms.encrypt({ KeyId: symmetric, Plaintext: Message, DryRun }),
    bad: (DryRun) => service.kms.encrypt({ KeyId: signing, Plaintext: Message, DryRun }),
    error: 'InvalidKeyUsageException',
  },
  Decrypt: {
    good: (DryRun) => service.kms.decrypt({ CiphertextBlob: blob, DryRun }),
    bad: (DryRun) => service.kms.decrypt({ CiphertextBlob: blob, EncryptionContext: { a: '1' }, DryRun }),
    error: 'InvalidCiphertextException',
  },
  ReEncrypt: {
    good: (DryRun) => service.kms.reEncrypt({ CiphertextBlob: blob, DestinationKeyId: symmetric, DryRun }),
    bad: (DryRun) => service.kms.reEncrypt({ CiphertextBlob: Message, DestinationKeyId: symmetric, DryRun }),
    error: 'InvalidCiphertextException',
  },
  GenerateDataKey: {
    good: (DryRun) => service.kms.generateDataKey({ KeyId: symmetric, KeySpec: 'AES_256', DryRun }),
    bad: (DryRun) => service.kms.generateDataKey({ KeyId: symmetric, DryRun }),
    error: 'ValidationException',
  },
  GenerateDataKeyWithoutPlaintext: {
    good: (DryRun) => service.kms.generateDataKeyWithoutPlaintext({ KeyId: symmetric, KeySpec: 'AES_256', DryRun }),
    bad: (DryRun) => service.kms.generateDataKeyWithoutPlaintext({ KeyId: symmetric, DryRun }),
    error: 'ValidationException',
  },
  GenerateDataKeyPair: {
    good: (DryRun) => service.kms.generateDataKeyPair({ KeyId: symmetric, KeyPairSpec: 'ECC_NIST_P256', DryRun }),
    bad: (DryRun) => service.kms.generateDataKeyPair({ KeyId: symmetric, KeyPairSpec: 'SM2', DryRun }),
    error: 'UnsupportedOperationException',
  },
  GenerateDataKeyPairWithoutPlaintext: {
    good: (DryRun) =>
      service.kms.generateDataKeyPairWithoutPlaintext({ KeyId: symmetric, KeyPairSpec: 'ECC_NIST_P256', DryRun }),
    bad: (DryRun) => service.kms.generateDataKeyPairWithoutPlaintext({ KeyId: symmetric, KeyPairSpec: 'SM2', DryRun }),
    error: 'UnsupportedOperationException',
  },
  Sign: {
    good: (DryRun) => service.kms.sign({ KeyId: signing, Message, ...ecdsa, DryRun }),
    bad: (DryRun) => service.kms.sign({ KeyId: signing, Message, ...ecdsa, MessageType: 'DIGEST', DryRun }),
    error: 'ValidationException',
  },
  Verify: {
    good: (DryRun) => service.kms.verify({ KeyId: signing, Message, Signature: signature, ...ecdsa, DryRun }),
    bad: (DryRun) => service.kms.verify({ KeyId: signing, Message, Signature: Message, ...ecdsa, DryRun }),
    error: 'KMSInvalidSignatureException',
  },
  GenerateMac: {
    good: (DryRun) => service.kms.generateMac({ KeyId: mac, Message, ...hmac, DryRun }),
    bad: (DryRun) => service.kms.generateMac({ KeyId: mac, Message, MacAlgorithm: 'HMAC_SHA_512', DryRun }),
    error: 'InvalidKeyUsageException',
  },
  VerifyMac: {
    good: (DryRun) => service.kms.verifyMac({ KeyId: mac, Message, Mac: tag, ...hmac, DryRun }),
    bad: (DryRun) => service.kms.verifyMac({ KeyId: mac, Message, Mac: Message, ...hmac, DryRun }),
    error: 'KMSInvalidMacException',
  },
  DeriveSharedSecret: {
    good: (DryRun) =>
      service.kms.deriveSharedSecret({ KeyId: agreement, PublicKey: peer, KeyAgreementAlgorithm: 'ECDH', DryRun }),
    bad: (DryRun) =>
      service.kms.deriveSharedSecret({ KeyId: agreement, PublicKey: Message, KeyAgreementAlgorithm: 'ECDH', DryRun }),
    error: 'ValidationException',
  },
};

describe.each(Object.entries(rows))('%s', (_name, { good, bad, error }) => {
  test('with DryRun says that it would have succeeded, or why not', async () => {
    expect(await refusal(good(true))).toEqual({
      name: 'DryRunOperationException',
      message: 'The request would have succeeded, but the DryRun option is set.',
    });
    expect(await refusalName(bad(true))).toBe(error);
    expect(await refusalName(bad(false))).toBe(error);
    await good(false);
  });
});

describe('DryRunModifiers IGNORE_CIPHERTEXT', () => {
  const DryRunModifiers = ['IGNORE_CIPHERTEXT' as const];
  const garbage = Buffer.from('garbage');

  test.each([undefined, garbage])(
    'Decrypt looks at authorization only, whatever the ciphertext is',
    async (CiphertextBlob) => {
      const request = { KeyId: symmetric, CiphertextBlob, DryRun: true, DryRunModifiers };
      expect(await refusalName(service.kms.decrypt(request))).toBe('DryRunOperationException');
    },
  );

  test.each([undefined, garbage])(
    'ReEncrypt looks at authorization only, whatever the ciphertext is',
    async (CiphertextBlob) => {
      const request = {
        SourceKeyId: symmetric,
        DestinationKeyId: symmetric,
        CiphertextBlob,
        DryRun: true,
        DryRunModifiers,
      };
      expect(await refusalName(service.kms.reEncrypt(request))).toBe('DryRunOperationException');
    },
  );

  test('is for dry runs only', async () => {
    const decrypt = service.kms.decrypt({ KeyId: symmetric, CiphertextBlob: blob, DryRunModifiers });
    expect(await refusalName(decrypt)).toBe('ValidationException');
    const request = { SourceKeyId: symmetric, DestinationKeyId: symmetric, CiphertextBlob: blob, DryRunModifiers };
    expect(await refusalName(service.kms.reEncrypt(request))).toBe('ValidationException');
  });

  test('needs a key that is named', async () => {
    for (const CiphertextBlob of [undefined, blob]) {
      const unnamed = { CiphertextBlob, DryRun: true, DryRunModifiers };
      expect(await refusalName(service.kms.decrypt(unnamed))).toBe('ValidationException');
      const reEncrypt = service.kms.reEncrypt({ ...unnamed, DestinationKeyId: symmetric });
      expect(await refusalName(reEncrypt)).toBe('ValidationException');
    }
  });
});

test('a ciphertext is needed otherwise', async () => {
  expect(await refusalName(service.kms.decrypt({ KeyId: symmetric }))).toBe('ValidationException');
  const reEncrypt = service.kms.reEncrypt({ SourceKeyId: symmetric, DestinationKeyId: symmetric });
  expect(await refusalName(reEncrypt)).toBe('ValidationException');
});

test('a request that names neither key nor ciphertext is refused as one that lacks something', async () => {
  expect(await refusalName(service.kms.decrypt({}))).toBe('ValidationException');
});
