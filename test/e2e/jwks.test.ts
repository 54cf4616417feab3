import { createPublicKey } from 'node:crypto';
import type { KeySpec, SigningAlgorithmSpec } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createRemoteJWKSet, importJWK, jwtVerify } from 'jose';
import { fromDer } from '../../src/encoding/ecdsa-signature.js';
import { tamper } from '../service/database.js';
import { send } from '../service/http.js';
import { Service } from '../service/service.js';
import { offeredRows } from '../service/tested-token.js';

const path = '/.well-known/jwks.json';
const published = [{ TagKey: 'hsm-kms:publish', TagValue: 'jwks' }];
let service: Service;
beforeAll(async () => {
  service = await Service.start({ workers: 2 });
});
afterAll(() => service?.end());

const get = (at: string, headers: Record<string, string> = {}, method = 'GET', of = service) =>
  send(of, { method, path: at, headers });
const jwks = async (of = service) => JSON.parse((await get(path, {}, 'GET', of)).body).keys as Record<string, string>[];
const ids = async (of = service) => (await jwks(of)).map(({ kid }) => kid);
const newKey = async (KeySpec: KeySpec, Tags = published) =>
  (await service.newKey({ KeySpec, KeyUsage: 'SIGN_VERIFY', Tags })).KeyId;

/** ECDSA signatures are r||s in JOSE: the bytes of each. */
const halves: Readonly<Record<string, number>> = { ES256: 32, ES384: 48, ES512: 66 };

/** A JWT whose signature comes from Sign. */
async function jwt(kid: string, alg: string, SigningAlgorithm: SigningAlgorithmSpec): Promise<string> {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const input = `${part({ alg, kid })}.${part({ iss: 'https://issuer.example', sub: 'ada' })}`;
  const { Signature } = await service.kms.sign({ KeyId: kid, Message: Buffer.from(input), SigningAlgorithm });
  const bytes = halves[alg];
  const signature = bytes === undefined ? Buffer.from(Signature!) : fromDer(Buffer.from(Signature!), bytes)!;
  return `${input}.${signature.toString('base64url')}`;
}

const algorithms: [alg: string, spec: KeySpec, kms: SigningAlgorithmSpec, ofKey?: string][] = [
  ['ES256', 'ECC_NIST_P256', 'ECDSA_SHA_256', 'ES256'],
  ['ES384', 'ECC_NIST_P384', 'ECDSA_SHA_384', 'ES384'],
  ['ES512', 'ECC_NIST_P521', 'ECDSA_SHA_512', 'ES512'],
  ['RS256', 'RSA_2048', 'RSASSA_PKCS1_V1_5_SHA_256'],
  ['PS256', 'RSA_2048', 'RSASSA_PSS_SHA_256'],
  ['PS512', 'RSA_3072', 'RSASSA_PSS_SHA_512'],
  ['EdDSA', 'ECC_NIST_EDWARDS25519', 'ED25519_SHA_512'],
  ['Ed25519', 'ECC_NIST_EDWARDS25519', 'ED25519_SHA_512'],
];
describe.each(offeredRows(algorithms, ([, spec]) => spec))('%s by %s', (alg, spec, name, ofKey) => {
  test('jose finds the key, and verifies what Sign has signed', async () => {
    const kid = await newKey(spec);
    const token = await jwt(kid, alg, name);
    const keys = createRemoteJWKSet(new URL(path, service.url));
    const { payload } = await jwtVerify(token, keys, { issuer: 'https://issuer.example' });
    expect(payload.sub).toBe('ada');
    const jwk = JSON.parse((await get(`/keys/${kid}/jwk`)).body);
    await jwtVerify(token, await importJWK(jwk, alg));
    expect(jwk.alg).toBe(ofKey);
    expect({ kid: jwk.kid, use: jwk.use }).toEqual({ kid, use: 'sig' });
    const { PublicKey } = await service.kms.getPublicKey({ KeyId: kid });
    const spki = createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'der' });
    expect(spki.equals(Buffer.from(PublicKey!))).toBe(true);
    // no private part, and nothing else of the key
    const members = ['alg', 'crv', 'e', 'kid', 'kty', 'n', 'use', 'x', 'y'];
    for (const member of Object.keys(jwk)) expect(members).toContain(member);
    const other = await jwt(await newKey(spec, []), alg, name);
    await expect(jwtVerify(other, keys)).rejects.toThrow('no applicable key found');
  });
});

describe('what is published', () => {
  test('what carries the tag, from the moment that it does until it does not', async () => {
    const kid = await newKey('ECC_NIST_P256', [{ TagKey: 'hsm-kms:publish', TagValue: 'JWKS' }]);
    expect(await ids()).not.toContain(kid);
    await service.kms.tagResource({ KeyId: kid, Tags: published });
    expect(await ids()).toContain(kid);
    await service.kms.untagResource({ KeyId: kid, TagKeys: ['hsm-kms:publish'] });
    expect(await ids()).not.toContain(kid);
  });

  test('no key that is disabled or about to be deleted', async () => {
    const kid = await newKey('ECC_NIST_P256');
    for (const [change, isThere] of [
      [() => service.kms.disableKey({ KeyId: kid }), false],
      [() => service.kms.enableKey({ KeyId: kid }), true],
      [() => service.kms.scheduleKeyDeletion({ KeyId: kid, PendingWindowInDays: 7 }), false],
    ] as const) {
      await change();
      expect((await ids()).includes(kid)).toBe(isThere);
      expect((await get(`/keys/${kid}/jwk`)).status).toBe(isThere ? 200 : 404);
    }
  });

  test('only keys for signatures that JOSE has', async () => {
    const others = [
      await service.newKey({ Tags: published }),
      await service.newKey({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC', Tags: published }),
      await service.newKey({ KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT', Tags: published }),
      await service.newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'KEY_AGREEMENT', Tags: published }),
      await service.newKey({
        ...({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY', Origin: 'EXTERNAL' } as const),
        Tags: published,
      }),
    ];
    const there = await ids();
    for (const { KeyId } of others) {
      expect(there).not.toContain(KeyId);
      expect((await get(`/keys/${KeyId}/jwk`)).status).toBe(404);
    }
  });
});

test('of a key that is not published nobody learns whether it exists', async () => {
  const kid = await newKey('ECC_NIST_P256', []);
  await service.kms.createAlias({ AliasName: 'alias/secret', TargetKeyId: kid });
  const hidden = await get(`/keys/${kid}/jwk`);
  expect(hidden).toMatchObject({ status: 404, body: '{"message":"No such key is published."}' });
  expect(hidden.headers['content-type']).toBe('application/json');
  const names = [
    '00000000-0000-4000-8000-000000000000',
    'alias%2Fsecret',
    '',
    '%',
    '%00',
    '..',
    '__proto__',
    'constructor',
  ];
  for (const name of names) {
    const { status, body, headers } = await get(`/keys/${name}/jwk`);
    const { date: _date, ...rest } = headers;
    const { date: __date, ...expected } = hidden.headers;
    expect({ status, body, headers: rest }).toEqual({ status: 404, body: hidden.body, headers: expected });
  }
});

test('can be kept by whoever reads it, and asked for again for little', async () => {
  const kid = await newKey('ECC_NIST_P256');
  for (const at of [path, `/keys/${kid}/jwk`]) {
    const { headers, body } = await get(at);
    expect(headers['cache-control']).toBe('public, max-age=300');
    expect(headers['content-type']).toBe(at === path ? 'application/jwk-set+json' : 'application/jwk+json');
    const etag = headers.etag as string;
    for (const tags of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const again = await get(at, { 'If-None-Match': tags });
      expect(again).toMatchObject({ status: 304, body: '' });
      expect(again.headers.etag).toBe(etag);
    }
    expect(await get(at, { 'If-None-Match': '"other"' })).toMatchObject({ status: 200, body });
    const head = await get(at, {}, 'HEAD');
    expect(head).toMatchObject({ status: 200, body: '' });
    expect(head.headers['content-length']).toBe(String(Buffer.byteLength(body)));
    expect(await get(`${at}?x=1`)).toMatchObject({ status: 200, body });
    expect((await get(at, {}, 'POST')).status).toBe(400);
  }
  const before = (await get(path)).headers.etag;
  await newKey('ECC_NIST_P256');
  expect((await get(path)).headers.etag).not.toBe(before);
});

test('who may not tag cannot publish', async () => {
  const kid = await newKey('ECC_NIST_P256', []);
  const { Policy } = await service.kms.getKeyPolicy({ KeyId: kid });
  const policy = JSON.parse(Policy!);
  policy.Statement.push({ Effect: 'Deny', Principal: '*', Action: 'kms:TagResource', Resource: '*' });
  await service.kms.putKeyPolicy({ KeyId: kid, Policy: JSON.stringify(policy) });
  await expect(service.kms.tagResource({ KeyId: kid, Tags: published })).rejects.toThrow('not authorized');
  expect(await ids()).not.toContain(kid);
});

test('a key that somebody has published in the database is left out, and the others stay', async () => {
  const [kid, other] = [await newKey('ECC_NIST_P256', []), await newKey('ECC_NIST_P256')];
  tamper(service, `insert into tags (key_id, tag_key, tag_value) values (?, 'hsm-kms:publish', 'jwks')`, kid);
  expect(await ids()).toContain(other);
  expect(await ids()).not.toContain(kid);
});

test('many who ask at once, while keys change, all get a whole answer', async () => {
  const answers = Array.from({ length: 40 }, () => get(path));
  const kid = await newKey('ECC_NIST_P256');
  for (const { status, body } of await Promise.all(answers)) {
    expect(status).toBe(200);
    expect(JSON.parse(body).keys.length).toBeGreaterThan(0);
  }
  expect(await ids()).toContain(kid);
  expect(await ids()).toEqual((await ids()).toSorted());
});

test('switched off, there is no such page', async () => {
  const without = await Service.start({ flags: ['--jwks', 'false'] });
  try {
    for (const at of [path, '/keys/00000000-0000-4000-8000-000000000000/jwk']) {
      const { status, body } = await get(at, {}, 'GET', without);
      expect(JSON.parse(body).__type).toBe('UnknownOperationException');
      expect(status).toBe(400);
    }
  } finally {
    await without.end();
  }
});
