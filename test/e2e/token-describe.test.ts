import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { TokenReport } from '../../src/keys/token-report.js';
import { softHsmModule } from '../../src/token/softhsm.js';
import { ownKeyLabels } from '../service/further-token.js';
import { certutil, makeNssDatabase, nssAccess } from '../service/nss.js';
import { hsmKms } from '../service/service.js';
import { describeWith } from '../service/tested-token.js';

describeWith("the service's own SoftHSM2", 'the report on a token', () => {
  let directory: string;
  let text: string;
  let report: TokenReport;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'hsm-kms-describe-'));
    expect((await hsmKms('init', '--data-dir', directory)).code).toBe(0);
    text = (await hsmKms('token', 'describe', '--data-dir', directory)).output;
    report = JSON.parse((await hsmKms('token', 'describe', '--json', '--data-dir', directory)).output);
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test('the report tells what token it is', () => {
    expect(report.token).toMatchObject({
      label: 'hsm-kms',
      manufacturer: 'SoftHSM project',
      model: 'SoftHSM v2',
      serialNumber: expect.stringMatching(/^[0-9a-f]{16}$/),
      hardwareVersion: expect.stringMatching(/^2\.\d+$/),
      flags: expect.arrayContaining(['CKF_RNG', 'CKF_LOGIN_REQUIRED', 'CKF_TOKEN_INITIALIZED']),
      pinLength: { least: 4, most: 255 },
    });
    // CK_EFFECTIVELY_INFINITE and CK_UNAVAILABLE_INFORMATION are no numbers to show
    expect(report.token).not.toHaveProperty('mostSessions');
    expect(report.token).not.toHaveProperty('freePrivateMemory');
    expect(report.module).toMatchObject({
      file: softHsmModule(),
      libraryManufacturer: 'SoftHSM',
      cryptokiVersion: '2.40',
    });
    expect(report.profile).toBe('SoftHSM');
  });

  test('it tells what mechanisms the token lists', () => {
    const gcm = report.mechanisms.find(({ name }) => name === 'CKM_AES_GCM');
    expect(gcm).toEqual({
      name: 'CKM_AES_GCM',
      type: 0x1087,
      keySize: { least: 16, most: 32 },
      flags: ['ENCRYPT', 'DECRYPT'],
    });
    expect(report.mechanisms.filter(({ name }) => name.startsWith('0x'))).toEqual([]);
  });

  test('it tells what was found by trying', () => {
    expect(report.traits).toMatchObject({ gcmIv: 'service', sessionCopies: 'yes', ecPoint: 'DER' });
    expect(report.traits.oaepHashes).toMatchObject({ sha1: 'yes', sha256: { no: expect.stringMatching(/^CKR_/) } });
  });

  test('it tells of each algorithm where it runs', () => {
    const where = new Map(report.algorithms.map((line) => [`${line.spec} ${line.algorithm}`, line]));
    expect(where.get('SYMMETRIC_DEFAULT SYMMETRIC_DEFAULT')).toMatchObject({
      where: 'in the token',
      detail: 'CKM_AES_GCM',
    });
    expect(where.get('RSA_4096 RSAES_OAEP_SHA_256')).toMatchObject({
      where: 'split',
      detail: 'OAEP padding is done outside the token',
    });
    expect(where.get('ECC_NIST_EDWARDS25519 ED25519_PH_SHA_512')).toMatchObject({ where: 'not available' });
    expect(report.algorithms.filter(({ where, detail }) => where === 'not available' && detail === '')).toEqual([]);
    expect(report.imports).toContainEqual(
      expect.objectContaining({ algorithm: 'RSAES_OAEP_SHA_1', material: 'secret' }),
    );
  });

  test('the text tells the same, in sections of aligned lines', () => {
    const sections = text
      .trimEnd()
      .split('\n\n')
      .map((section) => section.split('\n'));
    expect(sections.map(([title]) => title)).toEqual([
      'Token',
      'Module',
      'Limits',
      'Found by trying',
      'KMS algorithms',
      'Import of key material',
      `${report.mechanisms.length} mechanisms, as the token lists them`,
    ]);
    for (const [title, ...lines] of sections) {
      expect([title, lines.filter((line) => !/^ {2}\S/.test(line))]).toEqual([title, []]);
    }
    for (const { spec, algorithm, where } of report.algorithms.filter((line) => line.algorithm)) {
      expect(text).toMatch(new RegExp(`^  ${spec} +\\w+ +${algorithm} +${where}`, 'm'));
    }
    const columns = sections[4]!.slice(1).map((line) => line.search(/in the token|split|not available/));
    expect(new Set(columns).size).toBe(1);
  });

  describe('of NSS softokn', () => {
    const database = () => join(directory, 'nss');

    /** Where it is installed; undefined elsewhere. */
    function access() {
      try {
        makeNssDatabase(database(), certutil);
        return nssAccess(database(), '');
      } catch (error) {
        console.warn(`SKIPPED: ${(error as Error).message}`);
        return undefined;
      }
    }

    test('the report is told as JSON, too', async () => {
      const nss = access();
      if (nss === undefined) return;
      const ofNss = await hsmKms(
        ...['token', 'describe', '--json', '--data-dir', join(directory, 'of-nss'), '--pkcs11-module', nss.module],
        ...['--pkcs11-parameters', nss.parameters, '--token-label', nss.label, '--token-pin-file', nss.pinFile],
      );
      const { token, profile, traits, algorithms } = JSON.parse(ofNss.output) as TokenReport;
      expect(token).toMatchObject({ manufacturer: 'Mozilla Foundation', slotId: 2 });
      expect(profile).toBe('NSS softokn');
      expect(traits).toMatchObject({ gcmIv: 'service', oaepHashes: { sha1: 'yes', sha256: 'yes' } });
      const oaep = algorithms.find(({ spec, algorithm }) => spec === 'RSA_2048' && algorithm === 'RSAES_OAEP_SHA_256');
      expect(oaep).toMatchObject({ where: 'in the token' });
    });
  });

  test('nothing is left in the token', async () => {
    expect((await ownKeyLabels(directory)).filter((label) => label.includes('probe'))).toEqual([]);
  });
});
