import { generateKeyPairSync } from 'node:crypto';
import type { RecipientInfo } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { refusal } from '../service/refusal.js';
import { Service } from '../service/service.js';

const Recipient: RecipientInfo = {
  KeyEncryptionAlgorithm: 'RSAES_OAEP_SHA_256',
  AttestationDocument: Buffer.from('a document that nobody has verified'),
};

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(() => service?.end());

const calls: Record<string, () => Promise<unknown>> = {
  async Decrypt() {
    const { KeyId } = await service.newKey();
    const { CiphertextBlob } = await service.kms.encrypt({ KeyId, Plaintext: Buffer.from('secret') });
    return service.kms.decrypt({ CiphertextBlob, Recipient });
  },
  async GenerateDataKey() {
    return service.kms.generateDataKey({ ...(await service.newKey()), KeySpec: 'AES_256', Recipient });
  },
  async GenerateDataKeyPair() {
    return service.kms.generateDataKeyPair({ ...(await service.newKey()), KeyPairSpec: 'ECC_NIST_P256', Recipient });
  },
  async GenerateRandom() {
    return service.kms.generateRandom({ NumberOfBytes: 32, Recipient });
  },
  async DeriveSharedSecret() {
    const { KeyId } = await service.newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'KEY_AGREEMENT' });
    const peer = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const PublicKey = peer.publicKey.export({ format: 'der', type: 'spki' });
    return service.kms.deriveSharedSecret({ KeyId, KeyAgreementAlgorithm: 'ECDH', PublicKey, Recipient });
  },
};

test.each(Object.keys(calls))(
  '%s with a Recipient is refused, and not answered in plaintext: no attestation can be verified here',
  async (name) => {
    const refused = await refusal(calls[name]!());
    expect(refused.name).toBe('UnsupportedOperationException');
    expect(refused.message).toMatch(/^Recipient is not supported: .+\.$/);
  },
);
