import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { checkpointLine, checkpointText, lineHash, merkleRoot, noHash, signedBytes } from '../../src/audit/format.js';
import type { KeyEvidence, MaterialEvidence, ObjectEvidence, TokenEvidence } from '../../src/evidence/bundle.js';
import { challengeText } from '../../src/evidence/challenge.js';
import type { ClaimFacts } from '../../src/evidence/claims.js';

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const spki = publicKey.export({ format: 'der', type: 'spki' });
export const challenge = { nonce: 'ab'.repeat(16), from: 'verifier' as const };
const madeAt = '2026-11-22T12:00:00.000Z';
const arn = 'arn:aws:kms:us-east-1:000000000000:key/11111111-1111-4111-8111-111111111111';

/** As the audit log has them, signed by the key above. */
export function checkpoint() {
  const facts = { version: 1, sequence: 7, time: madeAt, heads: [], storeRevision: null, log: '0'.repeat(32) } as const;
  const keyId = createHash('sha256').update(spki).digest('hex');
  const text = checkpointText({
    ...{ ...facts, previous: noHash, root: merkleRoot([]), algorithm: 'ECDSA_SHA_256', keyId },
  });
  const line = checkpointLine(text, sign('sha256', signedBytes(text), privateKey));
  return { line, sha256: lineHash(line), publicKey: spki.toString('base64') };
}

export const refused = (name: string, ckr: number) => ({ refused: name, ckr });
export const unextractable = refused('CKR_KEY_UNEXTRACTABLE', 106);
export const sensitive = refused('CKR_ATTRIBUTE_SENSITIVE', 17);
export const deviceError = refused('CKR_DEVICE_ERROR', 48);
const of = (attributes: Record<string, boolean | string | string[]>) =>
  Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, { value }]));

/** A key of a token that is as good as PKCS#11 lets it be. */
export function goodFacts(): Facts {
  const privateObject: ProtectedObject = {
    class: 'private',
    attributes: of({
      CKA_SENSITIVE: true,
      CKA_ALWAYS_SENSITIVE: true,
      CKA_EXTRACTABLE: false,
      CKA_NEVER_EXTRACTABLE: true,
      CKA_LOCAL: true,
      CKA_KEY_GEN_MECHANISM: 'CKM_EC_KEY_PAIR_GEN',
      ...{ CKA_SIGN: true, CKA_SIGN_RECOVER: false, CKA_DECRYPT: false, CKA_UNWRAP: false, CKA_DERIVE: false },
      CKA_ALLOWED_MECHANISMS: ['CKM_ECDSA'],
    }),
    secretReads: { CKA_VALUE: sensitive, CKA_PRIME_1: refused('CKR_ATTRIBUTE_TYPE_INVALID', 18) },
    wraps: { CKM_AES_KEY_WRAP: unextractable, CKM_AES_GCM: refused('CKR_MECHANISM_INVALID', 112) },
    weakerCopies: {
      'CKA_SENSITIVE false': refused('CKR_ACTION_PROHIBITED', 27),
      'CKA_EXTRACTABLE true': refused('CKR_ACTION_PROHIBITED', 27),
      'CKA_EXTRACTABLE true, set afterwards': refused('CKR_ATTRIBUTE_READ_ONLY', 16),
    },
  };
  const point = spki.subarray(-65).toString('hex');
  const id = 'cd'.repeat(32);
  const text = challengeText({ key: arn, material: id, nonce: challenge.nonce, madeAt });
  const material: MaterialEvidence = {
    ...{ id, state: 'CURRENT', createdAt: madeAt, rotatedAt: null, rotationType: null, expiresAt: null },
    publicKey: spki.toString('base64'),
    publicKeySha256: createHash('sha256').update(spki).digest('hex'),
    objects: [privateObject, { class: 'public', attributes: of({ CKA_EC_POINT: `0441${point}` }) }],
    challenge: {
      kind: 'signature',
      algorithm: 'ECDSA_SHA_256',
      signature: sign('sha256', text, privateKey).toString('base64'),
    },
  };
  const key: KeyEvidence = {
    ...{ kind: 'KMS key', keyId: '11111111-1111-4111-8111-111111111111', arn, keySpec: 'ECC_NIST_P256' },
    ...{ keyUsage: 'SIGN_VERIFY', origin: 'AWS_KMS', state: 'Enabled', description: '', aliases: [], token: 'own' },
    ...{
      createdAt: madeAt,
      policySha256: null,
      grants: 0,
      rotation: null,
      history: null,
      attestation: null,
      claims: [],
    },
    materials: [material],
  };
  const token: TokenEvidence = {
    ...{ label: 'x', manufacturer: 'Vendor', model: 'HSM', serialNumber: '1', firmwareVersion: '1.0' },
    ...{ hardwareVersion: '1.0', slotDescription: '', flags: [], profile: 'PKCS#11', unkeptAttributes: [] },
    module: {
      ...{ fileName: 'x.so', sha256: '', libraryDescription: '', libraryManufacturer: '' },
      ...{ libraryVersion: '1.0', cryptokiVersion: '3.0' },
    },
    mechanisms: [],
    wrappingNotTried: [],
    algorithms: [
      { spec: 'ECC_NIST_P256', usage: 'SIGN_VERIFY', algorithm: 'ECDSA_SHA_256', where: 'in the token', detail: '' },
    ],
    controls: {
      ECC_NIST_P256: {
        secretReads: { CKA_VALUE: { givenBytes: 32 } },
        wraps: { CKM_AES_KEY_WRAP: { givenBytes: 40 }, CKM_AES_GCM: refused('CKR_MECHANISM_INVALID', 112) },
        weakerCopies: {
          'CKA_SENSITIVE false': { sensitive: false, extractable: true },
          'CKA_EXTRACTABLE true': { sensitive: false, extractable: true },
          'CKA_EXTRACTABLE true, set afterwards': { sensitive: false, extractable: true },
        },
      },
    },
  };
  return { key, token, material, privateObject, payload: { challenge, madeAt, auditCheckpoint: null } };
}

type ProtectedObject = { [M in keyof ObjectEvidence]-?: NonNullable<ObjectEvidence[M]> };

export interface Facts extends ClaimFacts {
  readonly material: MaterialEvidence;
  readonly privateObject: ProtectedObject;
}
