import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { operationModels, type Shape, shapeNamed } from '../../src/contract/model.js';
import { contentType, send } from '../service/http.js';
import { Service } from '../service/service.js';
import { whyLacking } from '../service/tested-token.js';

/** Requests of one run, and where to start: a failure is repeated by its seed, which fast-check prints. */
const runs = 1_500;
const seed = 20260928;

let service: Service;
/** What members are made of besides random values, so that requests get past the first check. */
const known: { readonly strings: string[]; readonly blobs: string[] } = {
  strings: ['alias/fuzz', 'alias/aws/x', 'nothing'],
  blobs: [],
};
beforeAll(async () => {
  service = await Service.start({ flags: ['--insecure-no-auth'] });
  const Plaintext = Buffer.from('fuzz');
  const symmetric = await service.newKey();
  const others = [
    await service.newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }),
    await service.newKey({ KeySpec: 'ECC_NIST_P384', KeyUsage: 'KEY_AGREEMENT' }),
    await service.newKey({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' }),
    await service.newKey({ KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' }),
    await service.newKey({ KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' }),
  ];
  if (!whyLacking('ECC_NIST_EDWARDS25519')) {
    others.push(await service.newKey({ KeySpec: 'ECC_NIST_EDWARDS25519', KeyUsage: 'SIGN_VERIFY' }));
  }
  await service.kms.createAlias({ AliasName: 'alias/fuzz', TargetKeyId: symmetric.KeyId });
  for (const { KeyId, Arn } of [symmetric, ...others]) known.strings.push(KeyId, Arn);
  const { CiphertextBlob } = await service.kms.encrypt({ KeyId: symmetric.KeyId, Plaintext });
  const { PublicKey } = await service.kms.getPublicKey({ KeyId: others[1]!.KeyId });
  for (const blob of [CiphertextBlob!, PublicKey!, Plaintext]) known.blobs.push(Buffer.from(blob).toString('base64'));
});
afterAll(() => service?.end());

const wrongType = fc.oneof(
  fc.constantFrom<unknown>(null, true, 0, -1, 2 ** 53, 1.5, '', [], {}, [null], { a: null }),
  fc.jsonValue({ maxDepth: 2 }),
);

/** A value of a shape: mostly one that fits, so that operations are reached. */
function anyOf(shape: Shape): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 40, arbitrary: fitting(shape) }, { weight: 1, arbitrary: wrongType });
}

function fitting(shape: Shape): fc.Arbitrary<unknown> {
  switch (shape.type) {
    case 'structure': {
      const members = Object.entries(shape.members).map(([name, target]) => [name, anyOf(shapeNamed(target))]);
      return fc.record(Object.fromEntries(members), { requiredKeys: (shape.required ?? []) as never[] });
    }
    case 'list':
      return fc.array(anyOf(shapeNamed(shape.member)), { maxLength: 3 });
    case 'map':
      return fc.dictionary(fc.string({ unit: 'grapheme' }), anyOf(shapeNamed(shape.value)), { maxKeys: 3 });
    case 'string':
      if (shape.enum) return fc.constantFrom(...shape.enum);
      return fc.oneof(
        { weight: 6, arbitrary: fc.constantFrom(...known.strings) },
        { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
      );
    case 'blob':
      return fc.oneof(
        fc.constantFrom(...known.blobs),
        fc.uint8Array({ minLength: 1, maxLength: 600 }).map((bytes) => Buffer.from(bytes).toString('base64')),
        fc.constantFrom(...[20, 32, 48, 64, 256].map((length) => Buffer.alloc(length, 1).toString('base64'))),
      );
    case 'integer':
      return fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer());
    case 'timestamp':
      return fc.double({ noNaN: true, noDefaultInfinity: true });
    case 'boolean':
      return fc.boolean();
  }
}

/** Keys that take seconds to make are left to other tests. */
const slowKey = /"RSA_(3072|4096)"/;

test('no request of any operation is a fault of the service', async () => {
  const names = Object.keys(operationModels) as (keyof typeof operationModels)[];
  const request = fc
    .constantFrom(...names)
    .chain((name) => fc.tuple(fc.constant(name), fitting(shapeNamed(operationModels[name].input))));
  const seen = new Map<string, Set<number>>();
  await fc.assert(
    fc.asyncProperty(request, async ([name, input]) => {
      const body = JSON.stringify(input);
      fc.pre(!slowKey.test(body));
      const headers = { 'content-type': contentType, 'x-amz-target': `TrentService.${name}` };
      const answer = await send(service, { headers, body });
      expect(answer.body).not.toMatch(/CKR_|CKA_|node_modules|\n\s+at |\.js:\d/);
      expect(answer.status < 500 ? 'answered' : `${name} ${body} -> ${answer.body}`).toBe('answered');
      seen.set(name, (seen.get(name) ?? new Set()).add(answer.status));
    }),
    { numRuns: runs, seed, endOnFailure: true },
  );
  // it has come past the checks of the input: some requests of many operations were carried out
  expect([...seen.values()].filter((statuses) => statuses.has(200)).length).toBeGreaterThan(10);
});
