import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { KeyEvidence } from '../../src/evidence/bundle.js';
import { importInto } from '../service/byok.js';
import { evidence, evidenceElsewhere, type MadeBundle, makeEvidence, verdictsOn } from '../service/evidence.js';
import { makeToken } from '../service/further-token.js';
import { Service } from '../service/service.js';
import { describeWith } from '../service/tested-token.js';
import { trustAnchorCertificate } from '../service/trust-anchor.js';

const pin = 'pin-of-the-store';
const clusterId = 'cluster-aaaaaaaaaaa';

// further tokens are SoftHSM2's
describeWith("the service's own SoftHSM2", 'evidence on keys that are not generated in the own token', () => {
  const materials = { aes: randomBytes(32), hmac: randomBytes(32) };
  let service: Service;
  let directory: string;
  let made: MadeBundle;
  const ids = { aes: '', hmac: '', gone: '', pending: '', stored: '' };
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'hsm-kms-evidence-'));
    const keyStores = JSON.stringify([{ clusterId, tokenLabel: 'further token' }]);
    service = await Service.start({
      environment: { HSM_KMS_KEY_STORES: keyStores },
      prepare: (dataDir) => makeToken(dataDir, 'further token', pin),
    });
    const { kms } = service;
    ids.aes = (await service.newKey({ Origin: 'EXTERNAL' })).KeyId;
    await importInto(service, ids.aes, materials.aes);
    ids.hmac = (
      await service.newKey({ Origin: 'EXTERNAL', KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' })
    ).KeyId;
    await importInto(service, ids.hmac, materials.hmac);
    ids.gone = (await service.newKey({ Origin: 'EXTERNAL' })).KeyId;
    await importInto(service, ids.gone, randomBytes(32));
    await kms.deleteImportedKeyMaterial({ KeyId: ids.gone });
    ids.pending = (await service.newKey()).KeyId;
    await kms.scheduleKeyDeletion({ KeyId: ids.pending });
    const { CustomKeyStoreId } = await kms.createCustomKeyStore({
      CustomKeyStoreName: 'store',
      CloudHsmClusterId: clusterId,
      TrustAnchorCertificate: trustAnchorCertificate,
      KeyStorePassword: pin,
    });
    await kms.connectCustomKeyStore({ CustomKeyStoreId });
    ids.stored = (await service.newKey({ Origin: 'AWS_CLOUDHSM', CustomKeyStoreId })).KeyId;
    made = await makeEvidence(service.dataDir, directory, '--all');
  });
  afterAll(async () => {
    await service?.end();
    rmSync(directory, { recursive: true, force: true });
  });

  const evidenceOn = (id: string): KeyEvidence => made.bundle.payload.keys.find(({ keyId }) => keyId === id)!;
  const cannotLeaveNow = { 'not-readable': 'proven', 'not-wrappable': 'proven', 'no-weaker-copy': 'proven' };

  test('imported key material cannot leave from now on; where it has been before is not provable', () => {
    for (const id of [ids.aes, ids.hmac]) {
      expect(verdictsOn(evidenceOn(id))).toMatchObject({
        ...cannotLeaveNow,
        ...{ sensitive: 'asserted', 'non-extractable': 'asserted' },
        ...{ 'always-sensitive': 'not provable', 'never-extractable': 'not provable' },
        'generated-in-token': 'not provable',
      });
    }
  });

  test('imported key material is nowhere in a bundle, in no form', () => {
    const text = JSON.stringify(made.bundle).toLowerCase();
    for (const material of Object.values(materials)) {
      expect(text).not.toContain(material.toString('hex'));
      expect(text).not.toContain(material.toString('base64').toLowerCase().slice(0, 40));
    }
  });

  test('a key whose material was deleted has nothing to prove', () => {
    const { materials: [material] = [], ...key } = evidenceOn(ids.gone);
    expect(material?.objects).toEqual([]);
    expect(verdictsOn(key)).toMatchObject({ 'not-readable': 'not provable', sensitive: 'not provable' });
  });

  test('a key that waits for its deletion is there until then, and is not used', () => {
    expect(evidenceOn(ids.pending).state).toBe('PendingDeletion');
    expect(verdictsOn(evidenceOn(ids.pending))).toMatchObject({
      ...cannotLeaveNow,
      'answers-challenge': 'not provable',
    });
  });

  test('a key of a custom key store is examined in the token of that store', () => {
    expect(evidenceOn(ids.stored)).toMatchObject({ token: clusterId, origin: 'AWS_CLOUDHSM' });
    expect(verdictsOn(evidenceOn(ids.stored))).toMatchObject({
      ...cannotLeaveNow,
      ...{ 'generated-in-token': 'asserted', 'answers-challenge': 'asserted' },
    });
    const { own, [clusterId]: further } = made.bundle.payload.tokens;
    expect(further?.label).toBe('further token');
    expect(further?.serialNumber).not.toBe(own?.serialNumber);
  });

  test('all of it verifies', async () => {
    const { code, output } = await evidenceElsewhere('verify', made.file, '--trust', made.trust);
    expect([code, output]).toEqual([0, expect.stringMatching(/^To be believed/)]);
  });

  test('a key whose store is not connected is answered by a sentence', async () => {
    const { CustomKeyStores: [store] = [] } = await service.kms.describeCustomKeyStores({});
    await service.kms.disconnectCustomKeyStore({ CustomKeyStoreId: store?.CustomKeyStoreId });
    const { code, output, errors } = await evidence(service.dataDir, ids.stored);
    expect([code, output, errors]).toEqual([
      1,
      '',
      expect.stringMatching(/^hsm-kms: .* is unavailable\. .*DISCONNECTED/m),
    ]);
  });
});
