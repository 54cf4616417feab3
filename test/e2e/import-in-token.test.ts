import { constants, randomBytes, verify } from 'node:crypto';
import type { AlgorithmSpec, KeySpec, KeyUsageType, SigningAlgorithmSpec } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { importInto, newPair, type Parameters, pkcs8, spki, wrap } from '../service/byok.js';
import { refusal } from '../service/refusal.js';
import { Service } from '../service/service.js';
import { describeWith } from '../service/tested-token.js';
import { refusalInToken, wrongMaterial } from '../service/wrong-key-material.js';

/*
 * SoftHSM2 2.6 has no OAEP with SHA-256 and does not tell how long an unwrapped key is. NSS 3.132 does both: with it all
 * key material but Ed25519's goes from its ciphertext into the token without being seen here.
 */
describeWith('import of EC keys in the token', 'without splits', () => {
  let service: Service;
  beforeAll(async () => {
    service = await Service.start({ flags: ['--split-oaep', 'false'] });
  });
  afterAll(() => service?.end());

  const newKey = async (KeySpec: KeySpec, KeyUsage: KeyUsageType) =>
    (await service.kms.createKey({ KeySpec, KeyUsage, Origin: 'EXTERNAL' })).KeyMetadata?.KeyId as string;

  test('a symmetric key has the same id whenever it is imported', async () => {
    const KeyId = await newKey('SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT');
    const material = randomBytes(32);
    const first = await importInto(service, KeyId, material);
    const { CiphertextBlob } = await service.kms.encrypt({ KeyId, Plaintext: Buffer.from('x') });
    await service.kms.deleteImportedKeyMaterial({ KeyId });
    const again = await importInto(service, KeyId, material, { algorithm: 'RSAES_OAEP_SHA_1' });
    expect(again.KeyMaterialId).toBe(first.KeyMaterialId);
    expect(Buffer.from((await service.kms.decrypt({ CiphertextBlob })).Plaintext!)).toEqual(Buffer.from('x'));
  });

  test.each([
    ['ECC_NIST_P521', 'RSA_AES_KEY_WRAP_SHA_256', 'ECDSA_SHA_512', 'sha512'],
    ['ECC_NIST_P256', 'RSAES_OAEP_SHA_256', 'ECDSA_SHA_256', 'sha256'],
    ['RSA_2048', 'RSA_AES_KEY_WRAP_SHA_256', 'RSASSA_PSS_SHA_256', 'sha256'],
  ] as [KeySpec, AlgorithmSpec, SigningAlgorithmSpec, string][])(
    'a key %s is imported with %s, and its public key found',
    async (spec, algorithm, SigningAlgorithm, hash) => {
      const KeyId = await newKey(spec, 'SIGN_VERIFY');
      const { publicKey, privateKey } = newPair(spec);
      await importInto(service, KeyId, pkcs8(privateKey), { algorithm });
      expect(Buffer.from((await service.kms.getPublicKey({ KeyId })).PublicKey!)).toEqual(spki(publicKey));
      const Message = randomBytes(40);
      const { Signature } = await service.kms.sign({ KeyId, Message, SigningAlgorithm });
      const padding = spec === 'RSA_2048' ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 } : {};
      expect(verify(hash, Message, { key: publicKey, ...padding }, Signature!)).toBe(true);
    },
  );

  describe.each(wrongMaterial.filter(([spec]) => spec !== 'ECC_NIST_EDWARDS25519'))(
    '%s %s with %s',
    (spec, usage, WrappingAlgorithm, cases) => {
      test('refuses wrong key material, and takes good material after it', async () => {
        const KeyId = await newKey(spec, usage);
        const given = await service.kms.getParametersForImport({
          KeyId,
          WrappingAlgorithm,
          WrappingKeySpec: 'RSA_2048',
        });
        const send = (EncryptedKeyMaterial: Buffer) =>
          service.kms.importKeyMaterial({
            KeyId,
            ImportToken: given.ImportToken,
            EncryptedKeyMaterial,
            ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
          });
        const refused: [string, string, string][] = [];
        for (const [what, expected, make] of cases) {
          const { name } = await refusal(send(make(given as Parameters))).catch((error) => ({ name: String(error) }));
          refused.push([what, expected, name]);
        }
        expect(refused).toEqual(
          refused.map(([what, expected, name]) => [what, expected, refusalInToken(spec, expected, name)]),
        );
        const isSecret = spec === 'SYMMETRIC_DEFAULT' || spec.startsWith('HMAC');
        const bytes = spec === 'SYMMETRIC_DEFAULT' ? 32 : 64;
        const material = isSecret ? randomBytes(bytes) : pkcs8(newPair(spec).privateKey);
        await send(wrap(given as Parameters, WrappingAlgorithm, material));
      });
    },
  );
});
