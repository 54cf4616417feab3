import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { lineHash } from '../../src/audit/format.js';
import { type ClaimFacts, claims, decideClaims } from '../../src/evidence/claims.js';
import {
  challenge,
  checkpoint,
  deviceError,
  type Facts,
  goodFacts,
  refused,
  sensitive,
  unextractable,
} from './good-facts.js';

const verdictOn = (facts: ClaimFacts, claim: string) =>
  decideClaims(facts).find((each) => each.claim === claim)?.verdict;

test('a key that is protected as well as can be has each claim proven or asserted, but what PKCS#11 cannot prove', () => {
  const verdicts = Object.fromEntries(decideClaims(goodFacts()).map(({ claim, verdict }) => [claim, verdict]));
  expect(verdicts).toEqual({
    ...{ 'not-readable': 'proven', 'not-wrappable': 'proven', 'no-weaker-copy': 'proven' },
    ...{ sensitive: 'asserted', 'non-extractable': 'asserted' },
    ...{ 'always-sensitive': 'asserted', 'never-extractable': 'asserted', 'generated-in-token': 'asserted' },
    ...{ 'only-its-usage': 'asserted', 'only-its-mechanisms': 'asserted' },
    ...{ 'answers-challenge': 'proven', 'public-key': 'asserted', 'runs-in-token': 'asserted' },
    ...{ 'in-hardware': 'not provable', attested: 'not provable', audited: 'not provable' },
  });
  expect(Object.keys(verdicts)).toEqual(claims.map(({ id }) => id));
});

type Change = (facts: Facts) => void;
const attribute =
  (name: string, value: boolean | undefined): Change =>
  ({ privateObject: { attributes } }) => {
    if (value === undefined) delete attributes[name];
    else attributes[name] = { value };
  };

const cases: [claim: string, verdict: string, what: string, change: Change][] = [
  [
    'not-readable',
    'failed',
    'a value was given',
    (f) => Object.assign(f.privateObject.secretReads, { CKA_VALUE: { givenBytes: 32 } }),
  ],
  [
    'not-readable',
    'failed',
    'a prime was given',
    (f) => Object.assign(f.privateObject.secretReads, { CKA_PRIME_1: { givenBytes: 128 } }),
  ],
  [
    'not-readable',
    'not provable',
    'the token broke down',
    (f) => Object.assign(f.privateObject.secretReads, { CKA_VALUE: deviceError }),
  ],
  ['not-readable', 'not provable', 'nothing was tried', (f) => Object.assign(f.privateObject, { secretReads: {} })],
  [
    'not-readable',
    'not provable',
    'no key may be read',
    (f) => Object.assign(f.token.controls.ECC_NIST_P256!, { secretReads: { CKA_VALUE: sensitive } }),
  ],
  ['not-readable', 'not provable', 'there was no control', (f) => Object.assign(f.token, { controls: {} })],
  [
    'not-wrappable',
    'failed',
    'it was wrapped',
    (f) => Object.assign(f.privateObject.wraps, { CKM_AES_KEY_WRAP: { givenBytes: 40 } }),
  ],
  [
    'not-wrappable',
    'failed',
    'it was wrapped in a way that the control was not',
    (f) => Object.assign(f.privateObject.wraps, { CKM_AES_GCM: { givenBytes: 60 } }),
  ],
  [
    'not-wrappable',
    'not provable',
    'the token broke down',
    (f) => Object.assign(f.privateObject.wraps, { CKM_AES_KEY_WRAP: deviceError }),
  ],
  [
    'not-wrappable',
    'not provable',
    "a vendor's own code came back",
    (f) => Object.assign(f.privateObject.wraps, { CKM_AES_KEY_WRAP: refused('CKR_VENDOR_DEFINED', 0x80000001) }),
  ],
  [
    'not-wrappable',
    'not provable',
    'a mechanism that wraps was not tried',
    (f) => f.token.wrappingNotTried.push('CKM_VENDOR'),
  ],
  [
    'not-wrappable',
    'not provable',
    'no key may be wrapped',
    (f) => Object.assign(f.token.controls.ECC_NIST_P256!, { wraps: { CKM_AES_KEY_WRAP: unextractable } }),
  ],
  [
    'not-wrappable',
    'not provable',
    'the token makes no key that may leave',
    (f) => Object.assign(f.token.controls, { ECC_NIST_P256: refused('CKR_TEMPLATE_INCONSISTENT', 209) }),
  ],
  [
    'no-weaker-copy',
    'failed',
    'an extractable copy was made',
    (f) =>
      Object.assign(f.privateObject.weakerCopies, { 'CKA_EXTRACTABLE true': { sensitive: true, extractable: true } }),
  ],
  [
    'no-weaker-copy',
    'failed',
    'a copy that may be read was made',
    (f) =>
      Object.assign(f.privateObject.weakerCopies, { 'CKA_SENSITIVE false': { sensitive: false, extractable: false } }),
  ],
  [
    'no-weaker-copy',
    'proven',
    'a copy was made that is as protected',
    (f) =>
      Object.assign(f.privateObject.weakerCopies, { 'CKA_SENSITIVE false': { sensitive: true, extractable: false } }),
  ],
  [
    'no-weaker-copy',
    'not provable',
    'the token broke down',
    (f) => Object.assign(f.privateObject.weakerCopies, { 'CKA_SENSITIVE false': deviceError }),
  ],
  [
    'no-weaker-copy',
    'failed',
    'a copy of it was made extractable',
    (f) =>
      Object.assign(f.privateObject.weakerCopies, {
        'CKA_EXTRACTABLE true, set afterwards': { sensitive: true, extractable: true },
      }),
  ],
  [
    'no-weaker-copy',
    'not provable',
    'no key may be copied, for a reason that is not known',
    (f) => Object.assign(f.token.controls.ECC_NIST_P256!, { weakerCopies: { 'CKA_SENSITIVE false': deviceError } }),
  ],
  [
    'no-weaker-copy',
    'proven',
    'the token copies no key at all',
    (f) => {
      const lacking = { 'CKA_SENSITIVE false': refused('CKR_FUNCTION_NOT_SUPPORTED', 84) };
      Object.assign(f.token.controls.ECC_NIST_P256!, { weakerCopies: lacking });
      Object.assign(f.privateObject, { weakerCopies: lacking });
    },
  ],
  ['sensitive', 'failed', 'CKA_SENSITIVE is false', attribute('CKA_SENSITIVE', false)],
  ['sensitive', 'not provable', 'CKA_SENSITIVE is not told', attribute('CKA_SENSITIVE', undefined)],
  ['non-extractable', 'failed', 'CKA_EXTRACTABLE is true', attribute('CKA_EXTRACTABLE', true)],
  ['always-sensitive', 'failed', 'CKA_ALWAYS_SENSITIVE is false', attribute('CKA_ALWAYS_SENSITIVE', false)],
  ['never-extractable', 'failed', 'CKA_NEVER_EXTRACTABLE is false', attribute('CKA_NEVER_EXTRACTABLE', false)],
  ['never-extractable', 'not provable', 'the key was imported', (f) => Object.assign(f.key, { origin: 'EXTERNAL' })],
  ['generated-in-token', 'failed', 'CKA_LOCAL is false', attribute('CKA_LOCAL', false)],
  [
    'generated-in-token',
    'not provable',
    'CKA_LOCAL is false, which this kind of token does not keep',
    (f) => {
      attribute('CKA_LOCAL', false)(f);
      f.token.unkeptAttributes.push('CKA_LOCAL');
    },
  ],
  [
    'generated-in-token',
    'not provable',
    'CKA_LOCAL is true, which this kind of token does not keep',
    (f) => f.token.unkeptAttributes.push('CKA_LOCAL'),
  ],
  [
    'non-extractable',
    'failed',
    'CKA_EXTRACTABLE is true, of whatever kind of token',
    (f) => {
      attribute('CKA_EXTRACTABLE', true)(f);
      f.token.unkeptAttributes.push('CKA_EXTRACTABLE');
    },
  ],
  ['generated-in-token', 'not provable', 'the key was imported', (f) => Object.assign(f.key, { origin: 'EXTERNAL' })],
  ['only-its-usage', 'failed', 'it may wrap others', attribute('CKA_WRAP', true)],
  ['only-its-usage', 'failed', 'it may agree on keys, too', attribute('CKA_DERIVE', true)],
  ['only-its-usage', 'not provable', 'it is not told whether it may unwrap', attribute('CKA_UNWRAP', undefined)],
  [
    'only-its-mechanisms',
    'not provable',
    'its mechanisms are not told',
    attribute('CKA_ALLOWED_MECHANISMS', undefined),
  ],
  [
    'answers-challenge',
    'failed',
    'it was asked another nonce',
    (f) => Object.assign(f.payload, { challenge: { ...challenge, nonce: '00'.repeat(16) } }),
  ],
  [
    'answers-challenge',
    'failed',
    'another key has answered',
    (f) =>
      Object.assign(f.material, {
        publicKey: generateKeyPairSync('ec', { namedCurve: 'P-256' })
          .publicKey.export({ format: 'der', type: 'spki' })
          .toString('base64'),
      }),
  ],
  [
    'answers-challenge',
    'failed',
    'its answer is of another algorithm',
    (f) => Object.assign(f.material.challenge, { algorithm: 'RSASSA_PSS_SHA_256' }),
  ],
  [
    'answers-challenge',
    'failed',
    'its answer was wrong',
    (f) => Object.assign(f.material, { challenge: { kind: 'wrong', algorithm: 'ECDH', what: 'x' } }),
  ],
  [
    'answers-challenge',
    'asserted',
    "the nonce is the program's own",
    (f) => Object.assign(f.payload, { challenge: { ...challenge, from: 'program' } }),
  ],
  [
    'answers-challenge',
    'asserted',
    'only the program saw the answer',
    (f) => Object.assign(f.material, { challenge: { kind: 'round trip', algorithm: 'ECDH' } }),
  ],
  [
    'answers-challenge',
    'not provable',
    'the program does not know the algorithm',
    (f) => Object.assign(f.material.challenge, { algorithm: 'NEW' }),
  ],
  [
    'answers-challenge',
    'not provable',
    'it was not asked',
    (f) => Object.assign(f.material, { challenge: { kind: 'not asked', why: 'It is Disabled.' } }),
  ],
  [
    'public-key',
    'failed',
    'the token has another',
    (f) => Object.assign(f.material.objects[1]!.attributes.CKA_EC_POINT!, { value: `0441${'04'.padEnd(130, '1')}` }),
  ],
  ['public-key', 'failed', 'its SHA-256 is another', (f) => Object.assign(f.material, { publicKeySha256: '00' })],
  ['public-key', 'not provable', 'the token shows none', (f) => f.material.objects.pop()],
  [
    'runs-in-token',
    'failed',
    'a part is done outside',
    (f) => Object.assign(f.token.algorithms[0]!, { where: 'split' }),
  ],
  ['in-hardware', 'not provable', 'it is SoftHSM2', (f) => Object.assign(f.token, { manufacturer: 'SoftHSM project' })],
  [
    'attested',
    'not provable',
    'a file is attached',
    (f) => Object.assign(f.key, { attestation: { source: 'Thales Luna PKC', fileName: 'x', sha256: '', content: '' } }),
  ],
  ['audited', 'asserted', 'there is a checkpoint', (f) => Object.assign(f.payload, { auditCheckpoint: checkpoint() })],
  [
    'audited',
    'failed',
    'the checkpoint was changed',
    (f) =>
      Object.assign(f.payload, { auditCheckpoint: { ...checkpoint(), line: checkpoint().line.replace('7', '8') } }),
  ],
  [
    'audited',
    'failed',
    'the checkpoint was changed, and its hash',
    (f) => {
      const line = checkpoint().line.replace('"sequence":7', '"sequence":8');
      Object.assign(f.payload, { auditCheckpoint: { ...checkpoint(), line, sha256: lineHash(line) } });
    },
  ],
  [
    'audited',
    'failed',
    'another key has signed the checkpoint',
    (f) => {
      const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;
      const text = other.export({ format: 'der', type: 'spki' }).toString('base64');
      Object.assign(f.payload, { auditCheckpoint: { ...checkpoint(), publicKey: text } });
    },
  ],
];

describe.each(cases)('%s is %s', (claim, verdict, what, change) => {
  test(`when ${what}`, () => {
    const facts = goodFacts();
    change(facts);
    expect(verdictOn(facts, claim)).toBe(verdict);
  });
});

describe('of several key materials', () => {
  test('the worst decides', () => {
    const facts = goodFacts();
    const other = goodFacts();
    attribute('CKA_SENSITIVE', false)(other);
    facts.key.materials.push(other.material);
    expect(verdictOn(facts, 'sensitive')).toBe('failed');
    expect(verdictOn(facts, 'non-extractable')).toBe('asserted');
  });

  test('an object that somebody has put beside it is judged like it', () => {
    const facts = goodFacts();
    const planted = goodFacts().privateObject;
    Object.assign(planted.secretReads, { CKA_VALUE: { givenBytes: 32 } });
    facts.material.objects.push(planted);
    expect(verdictOn(facts, 'not-readable')).toBe('failed');
  });

  test('one that is not in the token any more is no part of the verdict; none at all proves nothing', () => {
    const facts = goodFacts();
    facts.key.materials.push({ ...goodFacts().material, objects: [], challenge: { kind: 'not asked', why: 'x' } });
    expect(verdictOn(facts, 'answers-challenge')).toBe('proven');
    facts.key.materials.shift();
    expect(verdictOn(facts, 'sensitive')).toBe('not provable');
    expect(verdictOn(facts, 'answers-challenge')).toBe('not provable');
  });
});
