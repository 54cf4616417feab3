import { describe, expect, test } from '@jest/globals';
import { template } from '../../src/token/attributes.js';
import {
  aesKey,
  disclosedKeyPairTemplates,
  ecKeyPair,
  hmacKey,
  type KeyUse,
  privateKeyTemplate,
  publicKeyTemplate,
  rsaKeyPair,
  secretKeyTemplate,
  sharedSecretTemplate,
} from '../../src/token/key-templates.js';

const names = { id: Buffer.alloc(32, 1), label: 'a key' };
const permissions = (...uses: KeyUse[]) => ({ uses, mechanisms: ['AES_GCM' as const] });
const kept = {
  secret: secretKeyTemplate(aesKey, names, permissions('encrypt')),
  hmac: secretKeyTemplate(hmacKey(28), names, permissions('sign')),
  rsa: privateKeyTemplate(rsaKeyPair(2048), names, permissions('encrypt')),
  ec: privateKeyTemplate(ecKeyPair(Buffer.from([5, 0])), names, permissions('derive')),
};
/** Names of the uses that a template allows. */
const allowed = (attributes: object) =>
  Object.entries(attributes)
    .filter(([name, value]) => value === true && /ENCRYPT|DECRYPT|SIGN|VERIFY|DERIVE|WRAP|UNWRAP/.test(name))
    .map(([name]) => name);

describe.each(Object.entries(kept))('the template of a key that stays: %s', (_name, attributes) => {
  test('is of the token, private, sensitive and not extractable', () => {
    expect(attributes).toMatchObject({
      ...{ CKA_TOKEN: true, CKA_PRIVATE: true, CKA_SENSITIVE: true, CKA_EXTRACTABLE: false },
      ...{ CKA_ID: names.id, CKA_LABEL: names.label, CKA_ALLOWED_MECHANISMS: [0x1087] },
    });
  });

  test('says of every use whether it is allowed', () => {
    const said = Object.keys(attributes).filter((name) => /SIGN$|DECRYPT|DERIVE|UNWRAP/.test(name));
    expect(said.length).toBeGreaterThanOrEqual(4);
  });
});

test.each<[string, object, string[]]>([
  ['an AES key', kept.secret, ['CKA_ENCRYPT', 'CKA_DECRYPT']],
  ['an HMAC key', kept.hmac, ['CKA_SIGN', 'CKA_VERIFY']],
  ['an RSA private key', kept.rsa, ['CKA_DECRYPT']],
  ['an EC private key', kept.ec, ['CKA_DERIVE']],
  ['an RSA public key', publicKeyTemplate(rsaKeyPair(2048), names, permissions('encrypt')), ['CKA_ENCRYPT']],
  ['a public key for signatures', publicKeyTemplate(rsaKeyPair(2048), names, permissions('sign')), ['CKA_VERIFY']],
])('%s is for nothing but its usage', (_what, attributes, uses) => {
  expect(allowed(attributes)).toEqual(uses);
});

test('what is made to be given away is gone with its session', () => {
  const pair = disclosedKeyPairTemplates(ecKeyPair(Buffer.from([5, 0])));
  for (const attributes of [pair.private, pair.public, sharedSecretTemplate(32)])
    expect(attributes.CKA_TOKEN).toBe(false);
  for (const attributes of [pair.private, sharedSecretTemplate(32)]) {
    expect(attributes).toMatchObject({ CKA_SENSITIVE: false, CKA_EXTRACTABLE: true });
  }
});

describe('template', () => {
  test('encodes a list of mechanisms as CK_ULONGs', () => {
    const [attribute] = template({ CKA_ALLOWED_MECHANISMS: [0x1087, 0x80000001] });
    expect(attribute).toEqual({ type: 0x40000600, value: Buffer.from('87100000000000000100008000000000', 'hex') });
  });

  test.each<[string, object]>([
    ['a text for bytes', { CKA_ID: 'text' }],
    ['bytes for a number', { CKA_CLASS: Buffer.alloc(8) }],
    ['a number for a truth value', { CKA_TOKEN: 1 }],
    ['nothing', { CKA_LABEL: undefined }],
    ['a negative number', { CKA_VALUE_LEN: -1 }],
    ['half a number', { CKA_VALUE_LEN: 0.5 }],
    ['a list with a text', { CKA_ALLOWED_MECHANISMS: ['x'] }],
  ])('refuses what pkcs11js would end the process for: %s', (_what, attributes) => {
    expect(() => template(attributes)).toThrow(TypeError);
  });
});
