import type { KeySpec, KeyUsageType } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Service } from '../service/service.js';
import { offeredRows, testWith, whyLacking } from '../service/tested-token.js';
import { type InspectedObject, inspectToken, type TokenInspection } from '../service/token-inspection.js';

/** PKCS#11 v3.0, appendix B. */
const CKR_ATTRIBUTE_SENSITIVE = 17;
const CKR_ATTRIBUTE_TYPE_INVALID = 18;
const CKM = {
  RSA_PKCS: 0x1,
  RSA_X_509: 0x3,
  RSA_PKCS_OAEP: 0x9,
  RSA_PKCS_PSS: 0xd,
  ECDSA: 0x1041,
  ECDH1_DERIVE: 0x1050,
  EDDSA: 0x1057,
  AES_GCM: 0x1087,
  SHA224_HMAC: 0x256,
  SHA256_HMAC: 0x251,
  SHA384_HMAC: 0x261,
  SHA512_HMAC: 0x271,
};

/** What the objects of a key may be used for in the token, and by which mechanisms. */
interface Permissions {
  readonly uses: string[];
  readonly publicUses?: string[];
  readonly mechanisms: number[];
}
type Kind = [KeySpec, KeyUsageType, Permissions];
const rsaEncryption = { uses: ['DECRYPT'], publicUses: ['ENCRYPT'], mechanisms: [CKM.RSA_PKCS_OAEP, CKM.RSA_X_509] };
const rsaSigning = { uses: ['SIGN'], publicUses: ['VERIFY'], mechanisms: [CKM.RSA_PKCS, CKM.RSA_PKCS_PSS] };
const everyKind: Kind[] = [
  ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', { uses: ['ENCRYPT', 'DECRYPT'], mechanisms: [CKM.AES_GCM] }],
  ...(['RSA_2048', 'RSA_3072'] as const).map((spec): Kind => [spec, 'ENCRYPT_DECRYPT', rsaEncryption]),
  ...(['RSA_2048', 'RSA_4096'] as const).map((spec): Kind => [spec, 'SIGN_VERIFY', rsaSigning]),
  ...(['ECC_NIST_P256', 'ECC_NIST_P384', 'ECC_NIST_P521', 'ECC_SECG_P256K1'] as const).map(
    (spec): Kind => [spec, 'SIGN_VERIFY', { uses: ['SIGN'], publicUses: ['VERIFY'], mechanisms: [CKM.ECDSA] }],
  ),
  ...(['ECC_NIST_P256', 'ECC_NIST_P384', 'ECC_NIST_P521'] as const).map(
    (spec): Kind => [spec, 'KEY_AGREEMENT', { uses: ['DERIVE'], publicUses: [], mechanisms: [CKM.ECDH1_DERIVE] }],
  ),
  ['ECC_NIST_EDWARDS25519', 'SIGN_VERIFY', { uses: ['SIGN'], publicUses: ['VERIFY'], mechanisms: [CKM.EDDSA] }],
  ['HMAC_224', 'GENERATE_VERIFY_MAC', { uses: ['SIGN', 'VERIFY'], mechanisms: [CKM.SHA224_HMAC] }],
  ['HMAC_256', 'GENERATE_VERIFY_MAC', { uses: ['SIGN', 'VERIFY'], mechanisms: [CKM.SHA256_HMAC] }],
  ['HMAC_384', 'GENERATE_VERIFY_MAC', { uses: ['SIGN', 'VERIFY'], mechanisms: [CKM.SHA384_HMAC] }],
  ['HMAC_512', 'GENERATE_VERIFY_MAC', { uses: ['SIGN', 'VERIFY'], mechanisms: [CKM.SHA512_HMAC] }],
];
const kinds = offeredRows(everyKind, ([spec]) => spec);
const uses = ['ENCRYPT', 'DECRYPT', 'SIGN', 'SIGN_RECOVER', 'VERIFY', 'VERIFY_RECOVER', 'DERIVE', 'WRAP', 'UNWRAP'];

let service: Service;
let inspection: TokenInspection;
const keyIds = new Map<string, string>();
beforeAll(async () => {
  service = await Service.start();
  for (const [KeySpec, KeyUsage] of kinds) {
    const { KeyId } = await service.newKey({ KeySpec, KeyUsage });
    keyIds.set(`${KeySpec} ${KeyUsage}`, KeyId);
  }
  await service.kms.generateDataKeyPair({
    ...{ KeyId: keyIds.get('SYMMETRIC_DEFAULT ENCRYPT_DECRYPT'), KeyPairSpec: 'ECC_NIST_P256' },
  });
  inspection = await inspectToken(service);
});
afterAll(() => service?.end());

/** Whether the token tells that it has made a key. */
const local = whyLacking('CKA_LOCAL') === undefined ? { LOCAL: true } : {};

function expectThatItCannotLeave(object: InspectedObject): void {
  for (const outcome of Object.values(object.values)) {
    expect([CKR_ATTRIBUTE_SENSITIVE, CKR_ATTRIBUTE_TYPE_INVALID]).toContain(outcome);
  }
  expect(Object.values(object.values)).toContain(CKR_ATTRIBUTE_SENSITIVE);
  const { SENSITIVE, EXTRACTABLE, ALWAYS_SENSITIVE, NEVER_EXTRACTABLE } = object.weakened;
  expect([SENSITIVE, EXTRACTABLE, ALWAYS_SENSITIVE, NEVER_EXTRACTABLE]).not.toContain('done');
  for (const [how, { outcome, sensitive }] of Object.entries(object.copies)) {
    if (outcome === 'done') expect({ how, sensitive }).toEqual({ how, sensitive: true });
  }
  const promised = { SENSITIVE: true, ALWAYS_SENSITIVE: true, EXTRACTABLE: false, NEVER_EXTRACTABLE: true };
  expect(object.before).toMatchObject({ ...promised, TOKEN: true, PRIVATE: true, ...local });
  expect(object.after).toMatchObject(promised);
}

function expectThatItCannotBeWrapped(object: InspectedObject): void {
  expect(Object.keys(object.wrapped).length).toBeGreaterThan(5);
  expect(Object.values(object.wrapped)).not.toContain('done');
  for (const [how, { outcome, extractable }] of Object.entries(object.copies)) {
    if (outcome === 'done') expect({ how, extractable }).toEqual({ how, extractable: false });
    if (how !== 'as it is') expect({ how, outcome }).not.toEqual({ how, outcome: 'done' });
  }
}

test('the attempts are real: a key that may leave is read and wrapped by them', () => {
  expect(inspection.control.value).toBe('done');
  const { CKM_AES_KEY_WRAP, CKM_AES_KEY_WRAP_PAD, CKM_AES_CBC, CKM_RSA_PKCS, CKM_RSA_PKCS_OAEP } =
    inspection.control.wrapped;
  for (const outcome of [CKM_AES_KEY_WRAP, CKM_AES_KEY_WRAP_PAD, CKM_AES_CBC, CKM_RSA_PKCS, CKM_RSA_PKCS_OAEP]) {
    expect(outcome).toBe('done');
  }
});

testWith('keys that cannot be wrapped', 'all mechanisms that wrap are tried', () => {
  expect(inspection.tried).toEqual(expect.arrayContaining([...inspection.wrappingMechanisms]));
});

describe.each(kinds)('%s for %s', (spec, usage, { uses: wanted, publicUses, mechanisms }) => {
  const objects = () => inspection.objects.filter(({ label }) => label === keyIds.get(`${spec} ${usage}`));
  const secret = () => objects().find((object) => object.class !== 'public')!;
  const having = ({ before }: InspectedObject) => uses.filter((use) => before[use] === true);

  test('cannot be read, weakened or copied into something weaker', () => {
    expect(objects()).toHaveLength(publicUses ? 2 : 1);
    expectThatItCannotLeave(secret());
  });

  testWith('keys that cannot be wrapped', 'cannot be wrapped, nor copied into what can', () =>
    expectThatItCannotBeWrapped(secret()),
  );

  test('may be used for what its key usage says, and for nothing else', () => {
    expect(having(secret())).toEqual(wanted);
  });

  testWith('restricted keys', 'may be used by the mechanisms that it needs, and by no others', () => {
    expect(secret().allowedMechanisms.toSorted()).toEqual(mechanisms.toSorted());
  });

  if (publicUses) {
    test('is a private key that cannot be changed at all', () => {
      expect(secret().before).toMatchObject({ MODIFIABLE: false });
      expect(Object.values(secret().weakened)).not.toContain('done');
      expect(Object.values(secret().newUses)).not.toContain('done');
    });

    testWith('restricted keys', 'is a private key that cannot be copied at all', () => {
      expect(secret().before).toMatchObject({ COPYABLE: false });
      expect(Object.values(secret().copies).map(({ outcome }) => outcome)).not.toContain('done');
    });

    test('has a public key in the token that cannot be given another use', () => {
      const publicKey = objects().find((object) => object.class === 'public')!;
      expect(having(publicKey)).toEqual(publicUses);
      expect(Object.values(publicKey.newUses)).not.toContain('done');
    });
  }
});

/** Keys that the service made for itself. */
const ownPrefix = 'hsm-kms ';

test("the service's own keys cannot leave either; one of them seals its secrets, and nothing else", () => {
  const own = inspection.objects.filter(({ label }) => label.startsWith(ownPrefix));
  for (const object of own.filter((each) => each.class !== 'public')) {
    expectThatItCannotLeave(object);
    if (!whyLacking('keys that cannot be wrapped')) expectThatItCannotBeWrapped(object);
  }
  const sealing = own.filter(({ label }) => label === 'hsm-kms sealing key');
  expect(sealing.map(({ before }) => uses.filter((use) => before[use]))).toEqual([['ENCRYPT', 'DECRYPT']]);
  expect(new Set(own.map((object) => `${object.class} ${object.label}`)).size).toBe(own.length);
});

test('the token holds nothing that the service has not told of: no probes, no data key pairs', () => {
  const known = new Set(keyIds.values());
  const unknown = inspection.objects.filter(({ label }) => !known.has(label) && !label.startsWith(ownPrefix));
  expect(unknown.map(({ label }) => label)).toEqual([]);
  expect(inspection.objects.map(({ label }) => label)).not.toContain('hsm-kms probe');
});

test('the keys work as before, after all that was tried', async () => {
  const KeyId = keyIds.get('SYMMETRIC_DEFAULT ENCRYPT_DECRYPT')!;
  const { CiphertextBlob } = await service.kms.encrypt({ KeyId, Plaintext: Buffer.from('x') });
  expect(Buffer.from((await service.kms.decrypt({ CiphertextBlob })).Plaintext!).toString()).toBe('x');
});
