import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { operationModels, shapeNamed } from '../../src/contract/model.js';
import { auditDirectory, readEvents, requestEvents, streamFiles } from '../service/audit.js';
import { importInto } from '../service/byok.js';
import { call } from '../service/http.js';
import { identity, newAccessKey } from '../service/identities.js';
import { refusalName } from '../service/refusal.js';
import { accountId, Service, userArn } from '../service/service.js';
import { sessionOf } from '../service/sts.js';

let service: Service;
/** What went through the service, and must not be written down, in every form in which it could be. */
const secrets = new Map<string, string>();
function keep(name: string, bytes: Uint8Array | undefined): void {
  const buffer = Buffer.from(bytes ?? []);
  if (buffer.length < 8) throw new Error(`there is no ${name}`);
  secrets.set(name, buffer.toString('latin1'));
  // without its ends: it may stand within something longer
  secrets.set(`${name}, base64`, buffer.toString('base64').replace(/=+$/, '').slice(0, 60));
  secrets.set(`${name}, base64url`, buffer.toString('base64url').slice(0, 60));
  secrets.set(`${name}, hex`, buffer.toString('hex').slice(0, 60));
  secrets.set(`${name}, numbers`, [...buffer].slice(0, 12).join(','));
  secrets.set(`${name}, JSON`, JSON.stringify(buffer.toString('latin1')).slice(1, -1));
}
const keepText = (name: string, text: string | undefined) => keep(name, Buffer.from(text ?? ''));

const Plaintext = Buffer.from('a plaintext of the audit log');
const EncryptionContext = { purpose: 'this is shown' };

beforeAll(async () => {
  service = await Service.start();
  const { kms } = service;
  keep('plaintext', Plaintext);
  const { KeyId } = await service.newKey({ Policy: undefined, Tags: [{ TagKey: 'team', TagValue: 'shown' }] });
  const encrypted = await kms.encrypt({ KeyId, Plaintext, EncryptionContext });
  keep('ciphertext', encrypted.CiphertextBlob);
  await kms.decrypt({ CiphertextBlob: encrypted.CiphertextBlob, EncryptionContext });
  const again = await kms.reEncrypt({
    ...{ CiphertextBlob: encrypted.CiphertextBlob, SourceEncryptionContext: EncryptionContext },
    DestinationKeyId: KeyId,
  });
  keep('ciphertext of ReEncrypt', again.CiphertextBlob);
  const dataKey = await kms.generateDataKey({ KeyId, KeySpec: 'AES_256' });
  keep('data key', dataKey.Plaintext);
  keep('encrypted data key', dataKey.CiphertextBlob);
  const pair = await kms.generateDataKeyPair({ KeyId, KeyPairSpec: 'ECC_NIST_P256' });
  keep('private key', Buffer.from(pair.PrivateKeyPlaintext ?? []).subarray(36, 68));
  keep('public key', Buffer.from(pair.PublicKey ?? []).subarray(27));
  keep('random', (await kms.generateRandom({ NumberOfBytes: 32 })).Plaintext);
  const { KeyId: signer } = await service.newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
  const signing = { KeyId: signer, Message: Plaintext, SigningAlgorithm: 'ECDSA_SHA_256' } as const;
  const { Signature } = await kms.sign(signing);
  keep('signature', Signature);
  await kms.verify({ ...signing, Signature });
  const { KeyId: mac } = await service.newKey({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' });
  const macs = { KeyId: mac, Message: Plaintext, MacAlgorithm: 'HMAC_SHA_256' } as const;
  const { Mac } = await kms.generateMac(macs);
  keep('MAC', Mac);
  await kms.verifyMac({ ...macs, Mac });
  const granted = { KeyId, GranteePrincipal: userArn('administrator'), Operations: ['Encrypt' as const] };
  const { GrantToken } = await kms.createGrant(granted);
  keepText('grant token', GrantToken);
  await kms.encrypt({ KeyId, Plaintext, GrantTokens: [GrantToken as string] });
  const { KeyId: external } = await service.newKey({ Origin: 'EXTERNAL' });
  const material = randomBytes(32);
  keep('key material', material);
  await importInto(service, external, material);
  await refusalName(
    kms.createCustomKeyStore({
      CustomKeyStoreName: 'store',
      CloudHsmClusterId: 'cluster-1234567890a',
      KeyStorePassword: 'pass-word-1',
    }),
  );
  keepText('password', 'pass-word-1');
  const { secretAccessKey } = await newAccessKey(service, 'administrator');
  keepText('secret access key', secretAccessKey);
  const trust = { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { AWS: accountId } };
  const document = JSON.stringify({ Version: '2012-10-17', Statement: trust });
  await identity(service, 'create-role', '--role-name', 'role', '--assume-role-policy-document', document);
  const session = await sessionOf(service, 'role', service.credentials);
  keepText('secret of a session', session.secretAccessKey);
  keepText('session token', session.sessionToken);
  await refusalName(service.newClient(session).listKeys({}));
  // what does not fit is refused in words that must not hold it either
  const text = Plaintext.toString('base64');
  await call(service, 'Encrypt', { KeyId, Plaintext: text, EncryptionContext: [text] });
  await call(service, 'Encrypt', `{"KeyId":"${KeyId}","Plaintext":"${text}"`);
  await call(service, 'Encrypt', { KeyId, Plaintext: `${text}!`, GrantTokens: [GrantToken, 1] });
  await call(service, 'Encrypt', { KeyId, Plaintext: text, GrantTokens: Array(11).fill(GrantToken) });
  await call(service, 'Decrypt', { CiphertextBlob: text });
  await call(service, 'UpdateCustomKeyStore', {
    CustomKeyStoreId: 'cks-1234567890abcdef0',
    KeyStorePassword: 'pass-word-1'.repeat(9),
  });
  await service.stop();
});
afterAll(() => service?.end());

test('no file of the audit log holds a secret, a ciphertext or a token, in whatever encoding', () => {
  const directory = auditDirectory(service);
  const written = streamFiles(directory)
    .map((name) => readFileSync(join(directory, name), 'latin1'))
    .join('');
  expect(requestEvents(service).length).toBeGreaterThan(25);
  expect([...secrets].filter(([, secret]) => written.includes(secret)).map(([name]) => name)).toEqual([]);
});

test('encryption contexts and tags are shown', () => {
  const parameters = requestEvents(service).map(({ requestParameters }) => requestParameters);
  expect(parameters).toContainEqual(expect.objectContaining({ encryptionContext: EncryptionContext }));
  expect(parameters).toContainEqual(expect.objectContaining({ tags: [{ tagKey: 'team', tagValue: 'shown' }] }));
});

test('a request shows nothing but members of its operation that are no blobs and not sensitive', () => {
  for (const { eventName, requestParameters } of requestEvents(service)) {
    const model = operationModels[eventName as keyof typeof operationModels];
    if (model === undefined || requestParameters === null) continue;
    const shape = shapeNamed(model.input);
    if (shape.type !== 'structure') throw new Error(model.input);
    for (const name of Object.keys(requestParameters)) {
      const member = shapeNamed(shape.members[name.charAt(0).toUpperCase() + name.slice(1)] as string);
      const isSecret = member.type === 'blob' || ('sensitive' in member && member.sensitive === true);
      expect([name, isSecret]).toEqual([name, false]);
    }
  }
  expect(readEvents(auditDirectory(service)).length).toBeGreaterThan(30);
});
