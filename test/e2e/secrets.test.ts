import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { call, send } from '../service/http.js';
import { refusalName } from '../service/refusal.js';
import { Service } from '../service/service.js';
import { testedDatabase } from '../service/tested-database.js';
import { testedToken } from '../service/tested-token.js';

let service: Service;
/** Secrets that went through the service, in every form in which they could be written down. */
const secrets = new Map<string, string>();
function keepSecret(name: string, bytes: Uint8Array): void {
  const buffer = Buffer.from(bytes);
  secrets.set(name, buffer.toString('latin1'));
  secrets.set(`${name}, base64`, buffer.toString('base64').replace(/=+$/, ''));
  secrets.set(`${name}, hex`, buffer.toString('hex'));
  secrets.set(`${name}, bytes`, [...buffer].slice(0, 12).join(','));
}

beforeAll(async () => {
  service = await Service.start();
  const { kms } = service;
  const plaintext = Buffer.from('the plaintext of nobody else');
  keepSecret('plaintext', plaintext);
  keepSecret('secret access key', Buffer.from(service.credentials.secretAccessKey));
  for (const pin of [testedToken.access(service.dataDir).pinFile, join(service.dataDir, 'token-so-pin')]) {
    if (existsSync(pin)) keepSecret(basename(pin), readFileSync(pin).subarray(0, 32));
  }
  const { KeyId } = await service.newKey();
  const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext: plaintext });
  await kms.decrypt({ CiphertextBlob });
  keepSecret('data key', (await kms.generateDataKey({ KeyId, KeySpec: 'AES_256' })).Plaintext!);
  const pair = await kms.generateDataKeyPair({ KeyId, KeyPairSpec: 'ECC_NIST_P256' });
  keepSecret('private key', Buffer.from(pair.PrivateKeyPlaintext!).subarray(36, 68));
  keepSecret('random', (await kms.generateRandom({ NumberOfBytes: 32 })).Plaintext!);
  // refusals are logged with their causes at level debug
  const Plaintext = plaintext.toString('base64');
  await refusalName(kms.encrypt({ KeyId, Plaintext: Buffer.concat(Array(200).fill(plaintext)) }));
  await call(service, 'Encrypt', { KeyId, Plaintext, EncryptionContext: [Plaintext] });
  await call(service, 'Encrypt', `{"KeyId":"${KeyId}","Plaintext":"${Plaintext}"`);
  await call(service, 'Encrypt', `{"KeyId":"${KeyId}","Plaintext":"${Plaintext}!"}`);
  await call(service, 'Sign', { KeyId, Message: Plaintext, SigningAlgorithm: 'ECDSA_SHA_256' });
  await call(service, 'Decrypt', { CiphertextBlob: Plaintext });
  await send(service, { method: 'PUT', body: Plaintext });
});
afterAll(() => service?.end());

test('the log of level debug, and what is printed, hold no secret', async () => {
  // the last refusal, of a request that has no target
  await service.logged(/"operation":"unknown".*request refused/);
  const written = service.stdout + service.stderr;
  const leaked = [...secrets].filter(([, secret]) => written.includes(secret)).map(([name]) => name);
  expect(leaked).toEqual([]);
});

test('the log is one JSON object per line, and refusals are in it with the id that the client was given', async () => {
  const answer = await call(service, 'DescribeKey', { KeyId: 'x' });
  const [line = ''] = await service.logged(new RegExp(answer.headers['x-amzn-requestid'] as string));
  expect(JSON.parse(line)).toMatchObject({ result: 'NotFoundException', operation: 'DescribeKey' });
  for (const each of await service.logged(/./)) expect(JSON.parse(each)).toBeInstanceOf(Object);
});

test('only the owner reads the data directory', () => {
  expect(statSync(service.dataDir).mode & 0o777).toBe(0o700);
  const open = readdirSync(service.dataDir, { recursive: true, encoding: 'utf8' })
    .map((name) => ({ name, entry: statSync(join(service.dataDir, name)) }))
    .filter(({ entry }) => (entry.mode & 0o777) !== (entry.isDirectory() ? 0o700 : 0o600));
  expect(open.map(({ name, entry }) => `${name} ${(entry.mode & 0o777).toString(8)}`)).toEqual([]);
});

test('the database holds no secret', () => {
  const database = testedDatabase.content(service.dataDir).toString('latin1');
  expect(database).toContain(service.credentials.accessKeyId);
  expect([...secrets].filter(([, secret]) => database.includes(secret)).map(([name]) => name)).toEqual([]);
});

test('the processes show no secret in their command lines and environments', () => {
  for (const pid of [service.supervisor, ...service.workers]) {
    for (const file of ['cmdline', 'environ']) {
      const text = readFileSync(`/proc/${pid}/${file}`, 'latin1');
      expect([...secrets].filter(([, secret]) => text.includes(secret)).map(([name]) => name)).toEqual([]);
    }
  }
});
