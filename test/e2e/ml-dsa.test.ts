import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { NssService, whyNoNewerNss } from '../service/nss-service.js';
import { refusal, refusalName } from '../service/refusal.js';

const reason = whyNoNewerNss();
if (reason) console.warn(`SKIPPED: ML-DSA in a token that has it (NSS 3.132): ${reason}`);

(reason ? describe.skip : describe)('ML-DSA in a token that has it (NSS of Debian sid)', () => {
  let service: NssService;
  beforeAll(async () => {
    service = await NssService.start();
  }, 180_000);
  afterAll(() => service?.end());

  const specs = ['ML_DSA_44', 'ML_DSA_65', 'ML_DSA_87'] as const;
  const SigningAlgorithm = 'ML_DSA_SHAKE_256';

  describe.each(specs)('%s', (KeySpec) => {
    let KeyId: string;
    const Message = randomBytes(777);

    test('is made, and described with its one algorithm', async () => {
      const { KeyMetadata } = await service.kms.createKey({ KeySpec, KeyUsage: 'SIGN_VERIFY' });
      KeyId = KeyMetadata?.KeyId as string;
      expect(KeyMetadata).toMatchObject({ KeySpec, SigningAlgorithms: [SigningAlgorithm], KeyState: 'Enabled' });
    });

    test('signs what OpenSSL verifies with GetPublicKey, and nothing else', async () => {
      const { PublicKey } = await service.kms.getPublicKey({ KeyId });
      const { Signature } = await service.kms.sign({ KeyId, Message, SigningAlgorithm });
      const files = {
        'key.der': Buffer.from(PublicKey as Uint8Array),
        message: Message,
        other: Buffer.concat([Message, Buffer.from('.')]),
        signature: Buffer.from(Signature as Uint8Array),
      };
      const verify = (message: string) =>
        service.run(
          files,
          'openssl',
          ...['pkeyutl', '-verify', '-pubin', '-keyform', 'DER', '-inkey', '/files/key.der', '-rawin'],
          ...['-in', `/files/${message}`, '-sigfile', '/files/signature'],
        );
      expect(verify('message')).toContain('Signature Verified Successfully');
      expect(() => verify('other')).toThrow();
    });

    test('verifies its own signatures and refuses others', async () => {
      const { Signature } = await service.kms.sign({ KeyId, Message, SigningAlgorithm });
      const verified = await service.kms.verify({ KeyId, Message, Signature, SigningAlgorithm });
      expect(verified.SignatureValid).toBe(true);
      const other = randomBytes(10);
      expect(await refusalName(service.kms.verify({ KeyId, Message: other, Signature, SigningAlgorithm }))).toBe(
        'KMSInvalidSignatureException',
      );
    });

    test('takes no digest, and says why it takes no mu', async () => {
      const digest = { KeyId, Message: randomBytes(64), MessageType: 'DIGEST', SigningAlgorithm } as const;
      expect(await refusalName(service.kms.sign(digest))).toBe('ValidationException');
      const mu = await refusal(service.kms.sign({ ...digest, MessageType: 'EXTERNAL_MU' }));
      expect(mu).toMatchObject({
        name: 'UnsupportedOperationException',
        message: expect.stringContaining('EXTERNAL_MU'),
      });
    });
  });
});
