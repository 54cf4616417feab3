import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { refusal, refusalName } from '../service/refusal.js';
import { Service } from '../service/service.js';
import { runOfSid } from '../service/sid/sid.js';
import { describeWith } from '../service/tested-token.js';

describeWith('ML_DSA_44', 'ML-DSA', () => {
  let service: Service;
  beforeAll(async () => {
    service = await Service.start();
  });
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
      const file = (name: string, content: Uint8Array) => {
        const path = join(service.dataDir, name);
        writeFileSync(path, content);
        return path;
      };
      const key = file('key.der', PublicKey as Uint8Array);
      const signature = file('signature', Signature as Uint8Array);
      file('message', Message);
      file('other', Buffer.concat([Message, Buffer.from('.')]));
      // OpenSSL of the same Debian: 3.5 is the first that knows ML-DSA
      const verify = (message: string) =>
        runOfSid(
          'openssl',
          ...['pkeyutl', '-verify', '-pubin', '-keyform', 'DER', '-inkey', key, '-rawin'],
          ...['-in', join(service.dataDir, message), '-sigfile', signature],
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
