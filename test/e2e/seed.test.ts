import { createHmac, createPublicKey, diffieHellman, generateKeyPairSync, randomBytes, verify } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { newPair, pkcs8, spki } from '../service/byok.js';
import { tokenObjects } from '../service/database.js';
import { refusalName } from '../service/refusal.js';
import { accountId, hsmKms, region, Service } from '../service/service.js';
import { signingSpecNotOffered, whyLacking } from '../service/tested-token.js';
import { inspectToken } from '../service/token-inspection.js';

const id = (n: number) => `5eed0000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const arn = (KeyId: string) => `arn:aws:kms:${region}:${accountId}:key/${KeyId}`;
const multiRegionId = `mrk-5eed${'0'.repeat(28)}`;
const Message = Buffer.from('seeded');

const directory = mkdtempSync(join(tmpdir(), 'hsm-kms-seed-'));
afterAll(() => rmSync(directory, { recursive: true }));

function seedFile(...Keys: object[]): string {
  const file = join(directory, `${randomBytes(6).toString('hex')}.yaml`);
  writeFileSync(file, stringify({ Keys }));
  return file;
}

const init = (dataDir: string, file: string) => hsmKms('init', '--data-dir', dataDir, '--seed-file', file);

/** A service over a seed, which `init` makes before the first start. */
async function seededService(...keys: object[]): Promise<Service> {
  return Service.start({
    prepare: async (dataDir) => {
      const { code, output } = await init(dataDir, seedFile(...keys));
      if (code !== 0) throw new Error(output);
    },
  });
}

/** What a second `init` printed. */
async function reseed(service: Service, ...keys: object[]): Promise<{ code: number | null; output: string }> {
  return init(service.dataDir, seedFile(...keys));
}

/** A policy that lets the administrator do nothing. */
const lonely = {
  Version: '2012-10-17',
  Statement: [
    { Effect: 'Allow', Principal: { AWS: 'arn:aws:iam::111122223333:user/nobody' }, Action: 'kms:*', Resource: '*' },
  ],
};

describe('a seed', () => {
  const privateKeys = { ec: newPair('ECC_NIST_P384'), rsa: newPair('RSA_2048'), ed: newPair('ECC_NIST_EDWARDS25519') };
  const hasEd25519 = whyLacking('ECC_NIST_EDWARDS25519') === undefined;
  const hmacKey = randomBytes(32);
  const seed = [
    {
      KeyId: id(1),
      Description: 'the first',
      Aliases: ['alias/first', 'alias/deep/er'],
      Tags: [{ TagKey: 'team', TagValue: 'red' }],
      RotationPeriodInDays: 180,
    },
    { KeyId: multiRegionId, KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY', Aliases: ['alias/sign'] },
    { KeyId: id(3), KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' },
    { KeyId: id(4), KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC', Enabled: false },
    { KeyId: id(5), KeySpec: 'ECC_NIST_P256', KeyUsage: 'KEY_AGREEMENT' },
    { KeyId: id(6), Enabled: false, KeyRotationEnabled: true },
    {
      KeyId: id(7),
      Policy: { ...lonely, Statement: [{ ...lonely.Statement[0], Principal: '*' }] },
      BypassPolicyLockoutSafetyCheck: false,
    },
    { KeyId: id(8), Policy: lonely, BypassPolicyLockoutSafetyCheck: true, Aliases: ['alias/lonely'] },
    { KeyId: id(10), Origin: 'EXTERNAL', Aliases: ['alias/waiting'] },
    { KeyId: id(11), Origin: 'EXTERNAL', KeyMaterial: randomBytes(32).toString('base64') },
    {
      ...{ KeyId: id(12), KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' },
      ...{ Origin: 'EXTERNAL', KeyMaterial: hmacKey.toString('base64') },
    },
    {
      ...{ KeyId: id(13), KeySpec: 'ECC_NIST_P384', KeyUsage: 'SIGN_VERIFY', Origin: 'EXTERNAL' },
      KeyMaterial: privateKeys.ec.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    },
    {
      ...{ KeyId: id(14), KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY', Origin: 'EXTERNAL' },
      KeyMaterial: pkcs8(privateKeys.rsa.privateKey).toString('base64'),
    },
    hasEd25519 && {
      ...{ KeyId: id(15), KeySpec: 'ECC_NIST_EDWARDS25519', KeyUsage: 'SIGN_VERIFY', Origin: 'EXTERNAL' },
      KeyMaterial: pkcs8(privateKeys.ed.privateKey).toString('base64'),
    },
  ].filter((key) => key !== false);

  let seeded: Service;
  beforeAll(async () => {
    seeded = await seededService(...seed);
  });
  afterAll(() => seeded?.end());

  const describeKey = async (KeyId: string) => (await seeded.kms.describeKey({ KeyId })).KeyMetadata;

  test('makes keys under their ids, in the account and Region of the service', async () => {
    const { Keys } = await seeded.kms.listKeys({});
    const ids = seed.map(({ KeyId }) => KeyId);
    expect(new Set(Keys!.map(({ KeyArn }) => KeyArn))).toEqual(new Set(ids.map(arn)));
    expect(await describeKey(id(1))).toMatchObject({
      ...{ KeyId: id(1), Arn: arn(id(1)), Description: 'the first', Origin: 'AWS_KMS', KeyState: 'Enabled' },
      ...{ KeySpec: 'SYMMETRIC_DEFAULT', KeyUsage: 'ENCRYPT_DECRYPT', MultiRegion: false },
    });
    expect(await describeKey(multiRegionId)).toMatchObject({ MultiRegion: true, KeySpec: 'ECC_NIST_P256' });
    expect(await describeKey(id(4))).toMatchObject({ KeyState: 'Disabled', Enabled: false });
  });

  test('gives them aliases, tags, rotation and policies', async () => {
    const { Aliases } = await seeded.kms.listAliases({});
    expect(Aliases!.map(({ AliasName, TargetKeyId }) => [AliasName, TargetKeyId])).toEqual([
      ['alias/deep/er', id(1)],
      ['alias/first', id(1)],
      ['alias/lonely', id(8)],
      ['alias/sign', multiRegionId],
      ['alias/waiting', id(10)],
    ]);
    expect((await seeded.kms.listResourceTags({ KeyId: id(1) })).Tags).toEqual([{ TagKey: 'team', TagValue: 'red' }]);
    const rotation = async (KeyId: string) => seeded.kms.getKeyRotationStatus({ KeyId });
    expect(await rotation(id(1))).toMatchObject({ KeyRotationEnabled: true, RotationPeriodInDays: 180 });
    expect(await rotation(id(6))).toMatchObject({ KeyRotationEnabled: true, RotationPeriodInDays: 365 });
    expect(await rotation(id(7))).toMatchObject({ KeyRotationEnabled: false });
    const policy = async (KeyId: string) => JSON.parse((await seeded.kms.getKeyPolicy({ KeyId })).Policy!);
    expect(await policy(id(7))).toEqual(seed[6]!.Policy);
    expect((await policy(id(1))).Statement[0].Principal).toEqual({ AWS: `arn:aws:iam::${accountId}:root` });
  });

  test('makes a key that lets nobody in, with its alias', async () => {
    expect(await refusalName(seeded.kms.encrypt({ KeyId: 'alias/lonely', Plaintext: Message }))).toBe(
      'AccessDeniedException',
    );
  });

  test('makes keys that work', async () => {
    const { kms } = seeded;
    const { CiphertextBlob } = await kms.encrypt({ KeyId: 'alias/first', Plaintext: Message });
    expect(await kms.decrypt({ CiphertextBlob })).toMatchObject({ KeyId: arn(id(1)), Plaintext: Message });
    const SigningAlgorithm = 'ECDSA_SHA_256';
    const { Signature } = await kms.sign({ KeyId: multiRegionId, Message, SigningAlgorithm });
    expect(verify('sha256', Message, await publicKey(multiRegionId), Signature!)).toBe(true);
    const encrypted = await kms.encrypt({
      ...{ KeyId: id(3), Plaintext: Message, EncryptionAlgorithm: 'RSAES_OAEP_SHA_256' },
    });
    expect(await kms.decrypt({ ...encrypted, KeyId: id(3) } as never)).toMatchObject({ Plaintext: Message });
    const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { SharedSecret } = await kms.deriveSharedSecret({
      ...{ KeyId: id(5), KeyAgreementAlgorithm: 'ECDH', PublicKey: spki(own.publicKey) },
    });
    const expected = diffieHellman({ privateKey: own.privateKey, publicKey: await publicKey(id(5)) });
    expect(Buffer.from(SharedSecret!)).toEqual(expected);
    await kms.enableKey({ KeyId: id(4) });
    expect((await kms.generateMac({ KeyId: id(4), Message, MacAlgorithm: 'HMAC_SHA_256' })).Mac).toHaveLength(32);
    await kms.disableKey({ KeyId: id(4) });
  });

  const publicKey = async (KeyId: string) =>
    createPublicKey({
      key: Buffer.from((await seeded.kms.getPublicKey({ KeyId })).PublicKey!),
      format: 'der',
      type: 'spki',
    });

  test('imports key material, which is the same outside', async () => {
    const { kms } = seeded;
    expect(await describeKey(id(10))).toMatchObject({ KeyState: 'PendingImport', Origin: 'EXTERNAL' });
    const isImported = { KeyState: 'Enabled', ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' };
    for (const n of [11, 12, 13, 14, ...(hasEd25519 ? [15] : [])])
      expect(await describeKey(id(n))).toMatchObject(isImported);
    const { CiphertextBlob } = await kms.encrypt({ KeyId: id(11), Plaintext: Message });
    expect(await kms.decrypt({ CiphertextBlob })).toMatchObject({ Plaintext: Message });
    const { Mac } = await kms.generateMac({ KeyId: id(12), Message, MacAlgorithm: 'HMAC_SHA_256' });
    expect(Buffer.from(Mac!)).toEqual(createHmac('sha256', hmacKey).update(Message).digest());
    const signed = [
      [id(13), 'ECDSA_SHA_384', 'sha384', privateKeys.ec],
      [id(14), 'RSASSA_PKCS1_V1_5_SHA_256', 'sha256', privateKeys.rsa],
      [id(15), 'ED25519_SHA_512', null, privateKeys.ed],
    ] as const;
    for (const [KeyId, SigningAlgorithm, hash, pair] of signed.slice(0, hasEd25519 ? 3 : 2)) {
      const { Signature } = await kms.sign({ KeyId, Message, SigningAlgorithm });
      expect(verify(hash, Message, pair.publicKey, Signature!)).toBe(true);
    }
  });

  test('leaves in the token what is sensitive and cannot be extracted, and nothing of the imports', async () => {
    const { objects } = await inspectToken(seeded);
    const ids = new Set<string>(seed.map(({ KeyId }) => KeyId));
    const keys = objects.filter(({ label, class: kind }) => ids.has(label) && kind !== 'public');
    expect(keys).toHaveLength(seed.length - 1);
    for (const { after } of keys) expect(after).toMatchObject({ SENSITIVE: true, EXTRACTABLE: false });
    // what else there is are the service's own keys
    for (const { label } of objects) expect(ids.has(label) || label.startsWith('hsm-kms ')).toBe(true);
  });

  test('that is there already changes nothing, says nothing, and leaves what users have changed', async () => {
    const { kms } = seeded;
    await kms.updateKeyDescription({ KeyId: id(3), Description: 'changed' });
    await kms.enableKey({ KeyId: id(6) });
    await kms.disableKeyRotation({ KeyId: id(1) });
    await kms.deleteImportedKeyMaterial({ KeyId: id(11) });
    const objects = tokenObjects(seeded);
    expect(await reseed(seeded, ...seed)).toEqual({ code: 0, output: '' });
    expect(tokenObjects(seeded)).toBe(objects);
    expect(await describeKey(id(3))).toMatchObject({ Description: 'changed' });
    expect(await describeKey(id(6))).toMatchObject({ KeyState: 'Enabled' });
    expect(await describeKey(id(11))).toMatchObject({ KeyState: 'PendingImport' });
    expect((await kms.getKeyRotationStatus({ KeyId: id(1) })).KeyRotationEnabled).toBe(false);
  });

  test('that has grown makes what is missing, under a service that runs', async () => {
    const { code, output } = await reseed(
      seeded,
      { ...seed[0], Aliases: ['alias/first', 'alias/third'] },
      { KeyId: id(20), Aliases: ['alias/new'] },
    );
    expect(output).toBe(
      `made alias/third for the key ${id(1)}\nmade the key ${id(20)} (SYMMETRIC_DEFAULT)\nmade alias/new for the key ${id(20)}\n`,
    );
    expect(code).toBe(0);
    expect(await describeKey('alias/third')).toMatchObject({ KeyId: id(1) });
    const { CiphertextBlob } = await seeded.kms.encrypt({ KeyId: 'alias/new', Plaintext: Message });
    expect(await seeded.kms.decrypt({ CiphertextBlob })).toMatchObject({ Plaintext: Message });
  });

  test('gives no alias to a key that is to be deleted, and does not fail', async () => {
    await reseed(seeded, { KeyId: id(21) });
    await seeded.kms.scheduleKeyDeletion({ KeyId: id(21), PendingWindowInDays: 7 });
    expect(await reseed(seeded, { KeyId: id(21), Aliases: ['alias/gone'] })).toEqual({ code: 0, output: '' });
  });

  test.each([
    ['another key spec', { KeyId: id(1), KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' }, 'Keys[1]'],
    ['another usage', { KeyId: id(3), KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' }, 'Keys[1]'],
    ['another origin', { KeyId: id(1), Origin: 'EXTERNAL' }, 'Keys[1]'],
    ['an alias of another key', { KeyId: id(1), Aliases: ['alias/x', 'alias/sign'] }, 'Keys[1].Aliases[1]'],
  ])('that wants %s than there is ends with one sentence, and makes nothing', async (_, key, at) => {
    const before = [tokenObjects(seeded), (await seeded.kms.listAliases({ Limit: 100 })).Aliases];
    const { code, output } = await reseed(seeded, { KeyId: id(30), Aliases: ['alias/y'] }, key);
    expect(code).toBe(1);
    expect(output.trim().split('\n')).toHaveLength(1);
    expect(output).toContain(`.yaml: ${at}: `);
    expect(output).toMatch(/ (exists as .+, and not as .+|names the key mrk-.+)\. Nothing was changed\.\n$/);
    expect([tokenObjects(seeded), (await seeded.kms.listAliases({ Limit: 100 })).Aliases]).toEqual(before);
  });
});

test('serve --init makes the keys of a seed before it serves', async () => {
  const service = await Service.start({ flags: ['--init', '--seed-file', seedFile({ KeyId: id(1) })] });
  try {
    expect((await service.kms.describeKey({ KeyId: id(1) })).KeyMetadata).toMatchObject({ Enabled: true });
    expect(service.stdout).toContain(`made the key ${id(1)} (SYMMETRIC_DEFAULT)\n`);
  } finally {
    await service.end();
  }
});

describe('a seed that is bad', () => {
  let dataDir: string;
  beforeAll(() => {
    dataDir = mkdtempSync(join(directory, 'data-'));
  });

  test('ends before anything is made', async () => {
    const { code, output } = await init(join(dataDir, 'never'), seedFile({ KeyId: id(1), KeySpecs: 'RSA_2048' }));
    expect(code).toBe(1);
    expect(output).toMatch(/^hsm-kms: .+\.yaml: Keys\[0\]\.KeySpecs: is no field of a seeded key; .+\.\n$/);
    expect((await hsmKms('serve', '--data-dir', join(dataDir, 'never'), '--port', '0')).output).toMatch(
      /is not initialised/,
    );
  });

  test('in what only the token finds says so, and is completed when it is put right', async () => {
    const short = randomBytes(31).toString('base64');
    const first = { KeyId: id(1), Aliases: ['alias/first'] };
    const bad = { KeyId: id(2), Origin: 'EXTERNAL', Aliases: ['alias/second'], KeyMaterial: short };
    const refused = await init(dataDir, seedFile(first, bad, { KeyId: id(3) }));
    expect(refused.code).toBe(1);
    expect(refused.output).toMatch(
      /\nhsm-kms: .+\.yaml: Keys\[1\]: it was refused: IncorrectKeyMaterialException\.\n$/,
    );
    expect(refused.output).not.toContain(short);
    const good = { ...bad, KeyMaterial: randomBytes(32).toString('base64') };
    const { code, output } = await init(dataDir, seedFile(first, good, { KeyId: id(3) }));
    expect(output.match(/^made .+$/gm)).toEqual([
      `made the material of the key ${id(2)}, imported`,
      `made alias/second for the key ${id(2)}`,
      `made the key ${id(3)} (SYMMETRIC_DEFAULT)`,
    ]);
    expect(code).toBe(0);
  });

  test.each([
    [
      'a policy that locks out',
      { Policy: lonely },
      /MalformedPolicyDocumentException: The new key policy will not allow/,
    ],
    [
      'a token that lacks the algorithm',
      { KeySpec: signingSpecNotOffered, KeyUsage: 'SIGN_VERIFY' },
      new RegExp(`does not offer ${signingSpecNotOffered}`),
    ],
  ])('%s', async (_, key, sentence) => {
    const { code, output } = await init(dataDir, seedFile({ KeyId: id(9), ...key }));
    expect(code).toBe(1);
    expect(output).toMatch(/^hsm-kms: .+\.yaml: Keys\[0\]: /);
    expect(output.trim()).toMatch(sentence);
  });
});
