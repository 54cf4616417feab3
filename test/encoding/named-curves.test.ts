import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { curveOfEcParams, curveOfOid, ed25519, namedCurves } from '../../src/encoding/named-curves.js';

describe.each(Object.values(namedCurves))('$name', (curve) => {
  test('has the parameters that OpenSSL writes', () => {
    const params = execFileSync('openssl', [
      'ecparam',
      '-name',
      curve.opensslName,
      '-outform',
      'DER',
      '-param_enc',
      'named_curve',
    ]);
    expect(curve.ecParams).toEqual(params);
  });

  test('has the sizes of its keys', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: curve.opensslName });
    const { d, x, crv } = privateKey.export({ format: 'jwk' });
    expect(Buffer.from(d ?? '', 'base64url')).toHaveLength(curve.orderBytes);
    expect(Buffer.from(x ?? '', 'base64url')).toHaveLength(curve.fieldBytes);
    expect(crv).toBe(curve.name);
  });

  test('is found by its parameters and its OID', () => {
    expect(curveOfEcParams(Buffer.from(curve.ecParams))).toBe(curve.name);
    expect(curveOfOid(curve.oid)).toBe(curve);
  });
});

test('Ed25519 has both of its parameters', () => {
  expect(ed25519.ecParams.curveName.toString('hex')).toBe('130c656477617264733235353139');
  expect(ed25519.ecParams.oid.toString('hex')).toBe('06032b6570');
  expect(curveOfEcParams(ed25519.ecParams.curveName)).toBe('Ed25519');
  expect(curveOfEcParams(ed25519.ecParams.oid)).toBe('Ed25519');
});

test('other curves are not found', () => {
  // prime192v1
  expect(curveOfEcParams(Buffer.from('06082a8648ce3d030101', 'hex'))).toBeUndefined();
  expect(curveOfEcParams(Buffer.alloc(0))).toBeUndefined();
  expect(curveOfOid('1.2.840.10045.3.1.1')).toBeUndefined();
  expect(curveOfOid('')).toBeUndefined();
});
