import { createPublicKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { auditDirectory, auditPublicKey } from '../service/audit.js';
import { evidence, evidenceElsewhere, type MadeBundle, makeEvidence, verdictsOn } from '../service/evidence.js';
import { ckr, FaultToken, whyNoFaultToken } from '../service/fault-token.js';
import { OpenSsl } from '../service/openssl.js';
import { environments, hsmKms, Service } from '../service/service.js';
import { changeObject } from '../service/token-inspection.js';
import { until } from '../service/within.js';

const why = whyNoFaultToken();
const describeIfPossible = why === undefined ? describe : describe.skip;

describeIfPossible(`over a token that makes no keys on elliptic curves${why ? ` [${why}]` : ''}`, () => {
  const openssl = new OpenSsl();
  let service: Service;
  let fault: FaultToken;
  let directory: string;
  let made: MadeBundle;
  let keyId: string;
  let inTrouble: Awaited<ReturnType<typeof evidence>>;
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'hsm-kms-without-ec-'));
    service = await Service.start({
      flags: ['--audit-checkpoint-seconds', '0.5'],
      prepare: async (dataDir) => {
        // the first keys were made while the token could do more
        await changeObject({ dataDir }, { key: 'hsm-kms audit key', destroy: true });
        fault = new FaultToken(join(dataDir, 'softhsm2.conf'));
        await fault.set('no-ec');
        environments.set(dataDir, {
          HSM_KMS_PKCS11_MODULE: fault.module,
          HSM_KMS_TOKEN_PIN_FILE: join(dataDir, 'token-user-pin'),
        });
        const { code, output } = await hsmKms('init', '--data-dir', dataDir);
        if (code !== 0) throw new Error(output);
      },
    });
    keyId = (await service.newKey({ KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' })).KeyId;
    await fault.set({ on: 'C_GenerateKeyPair', return: ckr('CKR_DEVICE_MEMORY'), next: 1 });
    inTrouble = await evidence(service.dataDir, keyId);
    await fault.set('no-ec');
    const audit = auditDirectory(service);
    await until('a checkpoint', () => readdirSync(audit).some((name) => name.startsWith('checkpoints.')));
    made = await makeEvidence(service.dataDir, directory, keyId);
  });
  afterAll(async () => {
    await service?.end();
    fault?.end();
    openssl.end();
    rmSync(directory, { recursive: true, force: true });
  });

  const rsa = (key: ReturnType<typeof createPublicKey>) => [
    key.asymmetricKeyType,
    key.asymmetricKeyDetails?.modulusLength,
  ];

  test('a token that is only in trouble is not taken for one that makes no such keys', () => {
    expect(inTrouble).toMatchObject({ code: 1, output: '' });
    expect(inTrouble.errors).toMatch(/makes no key pair that signs \(hsm-kms evidence key\): .*CKR_DEVICE_MEMORY/);
  });

  test('the token is as it is said to be', async () => {
    const making = service.kms.createKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
    await expect(making).rejects.toMatchObject({ name: 'UnsupportedOperationException' });
  });

  test('an RSA key signs the evidence, which is believed; its report on itself is as good as on any key', async () => {
    const { payload, signature } = made.bundle;
    expect(signature.algorithm).toBe('RSASSA_PKCS1_V1_5_SHA_256');
    expect(rsa(new X509Certificate(readFileSync(made.trust)).publicKey)).toEqual(['rsa', 3072]);
    expect(payload.evidenceKey.keySpec).toBe('RSA_3072');
    expect(verdictsOn(payload.evidenceKey)).toMatchObject({
      ...{ 'not-readable': 'proven', 'not-wrappable': 'proven', 'no-weaker-copy': 'proven' },
      ...{ 'generated-in-token': 'asserted', 'only-its-usage': 'asserted', 'public-key': 'asserted' },
    });
    const { code, output } = await evidenceElsewhere('verify', made.file, '--trust', made.trust);
    expect([code, output]).toEqual([0, expect.stringMatching(/^To be believed/)]);
  });

  test('openssl takes its certificate and its request', async () => {
    expect(openssl.run('verify', '-x509_strict', '-CAfile', made.trust, made.trust)).toContain('OK');
    const { output } = await evidence(service.dataDir, 'csr');
    expect(openssl.run('req', '-in', openssl.file('rsa.csr', output), '-noout', '-verify')).toContain('verify OK');
  });

  test('an RSA key signs the checkpoints of the audit log, which verifies, with the one in the bundle', async () => {
    const pem = await auditPublicKey(service);
    expect(rsa(createPublicKey(pem))).toEqual(['rsa', 3072]);
    const { line } = made.bundle.payload.auditCheckpoint!;
    expect(line).toContain('"algorithm":"RSASSA_PKCS1_V1_5_SHA_256"');
    expect(verdictsOn(made.bundle.payload.keys[0]!).audited).toBe('asserted');
    const publicKey = openssl.file('audit.pem', pem);
    const { code, output } = await hsmKms('audit', 'verify', auditDirectory(service), '--public-key', publicKey);
    expect([code, output]).toEqual([0, expect.any(String)]);
  });
});
