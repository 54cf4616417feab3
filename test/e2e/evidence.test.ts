import { createHash, createPublicKey, randomBytes, verify } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { KeySpec, KeyUsageType } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { EvidenceBundle, KeyEvidence } from '../../src/evidence/bundle.js';
import { requestEvents } from '../service/audit.js';
import { evidence, evidenceElsewhere, type MadeBundle, makeEvidence, verdictsOn } from '../service/evidence.js';
import { hsmKms, Service } from '../service/service.js';
import { testedToken, whyLacking } from '../service/tested-token.js';
import { changeObject } from '../service/token-inspection.js';
import { until } from '../service/within.js';

const kinds = [
  ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'],
  ['RSA_2048', 'SIGN_VERIFY'],
  ['RSA_2048', 'ENCRYPT_DECRYPT'],
  ['ECC_NIST_P256', 'SIGN_VERIFY'],
  ['ECC_NIST_P384', 'KEY_AGREEMENT'],
  ['HMAC_256', 'GENERATE_VERIFY_MAC'],
] as const satisfies readonly (readonly [KeySpec, KeyUsageType])[];
const nonce = randomBytes(32).toString('hex');

let service: Service;
let directory: string;
let made: MadeBundle;
let audit: string;
let objectsBefore: number;
const keyIds = new Map<string, string>();
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'hsm-kms-evidence-'));
  service = await Service.start({ flags: ['--audit-checkpoint-seconds', '0.5'] });
  for (const [KeySpec, KeyUsage] of kinds) {
    const { KeyId } = await service.newKey({ KeySpec, KeyUsage, Description: `${KeySpec} of the test` });
    keyIds.set(`${KeySpec} ${KeyUsage}`, KeyId);
  }
  await service.kms.createAlias({ AliasName: 'alias/app', TargetKeyId: keyOf('SYMMETRIC_DEFAULT ENCRYPT_DECRYPT') });
  const KeyId = keyOf('SYMMETRIC_DEFAULT ENCRYPT_DECRYPT');
  await service.kms.rotateKeyOnDemand({ KeyId });
  const { Policy } = await service.kms.getKeyPolicy({ KeyId });
  await service.kms.putKeyPolicy({ KeyId, Policy: `${Policy} ` });
  audit = join(service.dataDir, 'audit');
  objectsBefore = testedToken.objects(service.dataDir);
  await until('the last change is in the log', () =>
    requestEvents(service).some(({ eventName }) => eventName === 'PutKeyPolicy'),
  );
  await until('a checkpoint is', () => readdirSync(audit).some((name) => name.startsWith('checkpoints.')));
  made = await makeEvidence(service.dataDir, directory, '--all', '--challenge', nonce);
});
afterAll(async () => {
  await service?.end();
  rmSync(directory, { recursive: true, force: true });
});

const keyOf = (kind: string) => keyIds.get(kind)!;
const evidenceOn = (kind: string): KeyEvidence => made.bundle.payload.keys.find(({ keyId }) => keyId === keyOf(kind))!;
const verifying = (...parameters: string[]) => evidenceElsewhere('verify', made.file, ...parameters);

const canBeWrapped = whyLacking('keys that cannot be wrapped') !== undefined;
const hasRestrictions = whyLacking('restricted keys') === undefined;
const splitsOaep = whyLacking('a lack of OAEP with SHA-256') === undefined;
const tellsLocal = whyLacking('CKA_LOCAL') === undefined;

describe.each(kinds)('of %s for %s', (spec, usage) => {
  test('every claim has the verdict that the token deserves', () => {
    const isPair = spec.startsWith('RSA') || spec.startsWith('ECC');
    expect(verdictsOn(evidenceOn(`${spec} ${usage}`))).toEqual({
      'not-readable': 'proven',
      'not-wrappable': canBeWrapped ? 'failed' : 'proven',
      'no-weaker-copy': canBeWrapped ? 'failed' : 'proven',
      sensitive: 'asserted',
      'non-extractable': 'asserted',
      'always-sensitive': 'asserted',
      'never-extractable': 'asserted',
      'generated-in-token': tellsLocal ? 'asserted' : 'not provable',
      'only-its-usage': 'asserted',
      'only-its-mechanisms': hasRestrictions ? 'asserted' : 'not provable',
      'answers-challenge': usage === 'SIGN_VERIFY' ? 'proven' : 'asserted',
      ...(isPair && { 'public-key': 'asserted' }),
      'runs-in-token': spec === 'RSA_2048' && usage === 'ENCRYPT_DECRYPT' && splitsOaep ? 'failed' : 'asserted',
      'in-hardware': 'not provable',
      attested: 'not provable',
      audited: 'asserted',
    });
  });

  test('the objects of all its key material are read, and tried', () => {
    const { materials } = evidenceOn(`${spec} ${usage}`);
    expect(materials).toHaveLength(spec === 'SYMMETRIC_DEFAULT' ? 2 : 1);
    for (const { id, objects } of materials) {
      const [object] = objects;
      expect(object?.attributes).toMatchObject({
        CKA_ID: { value: id },
        CKA_SENSITIVE: { value: true },
        CKA_EXTRACTABLE: { value: false },
        CKA_TOKEN: { value: true },
        CKA_LABEL: { value: keyOf(`${spec} ${usage}`) },
      });
      expect(Object.keys(object?.wraps ?? {}).length).toBeGreaterThan(5);
      expect(Object.values(object?.secretReads ?? {})).toContainEqual({ refused: 'CKR_ATTRIBUTE_SENSITIVE', ckr: 17 });
    }
  });
});

test('a signature that answers the challenge is verified without this program', () => {
  const key = evidenceOn('ECC_NIST_P256 SIGN_VERIFY');
  const [material] = key.materials;
  const { challenge, publicKey, id } = material!;
  // RFC 8785: members in their order
  const text = `{"key":"${key.arn}","madeAt":"${made.bundle.payload.madeAt}","material":"${id}","nonce":"${nonce}","purpose":"hsm-kms evidence challenge"}`;
  const spki = createPublicKey({ key: Buffer.from(publicKey!, 'base64'), format: 'der', type: 'spki' });
  const signature = challenge.kind === 'signature' ? Buffer.from(challenge.signature, 'base64') : Buffer.alloc(0);
  expect(verify('sha256', Buffer.from(text), spki, signature)).toBe(true);
});

test('the public key is the one that GetPublicKey gives', async () => {
  for (const kind of ['RSA_2048 SIGN_VERIFY', 'ECC_NIST_P384 KEY_AGREEMENT']) {
    const { PublicKey } = await service.kms.getPublicKey({ KeyId: keyOf(kind) });
    expect(evidenceOn(kind).materials[0]?.publicKey).toBe(Buffer.from(PublicKey!).toString('base64'));
  }
});

test('it says what the store knows: alias, description, rotation, policy, state', async () => {
  const key = evidenceOn('SYMMETRIC_DEFAULT ENCRYPT_DECRYPT');
  const { Policy } = await service.kms.getKeyPolicy({ KeyId: key.keyId });
  expect(key).toMatchObject({
    aliases: ['alias/app'],
    description: 'SYMMETRIC_DEFAULT of the test',
    state: 'Enabled',
    origin: 'AWS_KMS',
    grants: 0,
    policySha256: createHash('sha256').update(Policy!).digest('hex'),
  });
  expect(key.materials.map(({ state, rotationType }) => [state, rotationType])).toEqual([
    ['NON_CURRENT', null],
    ['CURRENT', 'ON_DEMAND'],
  ]);
});

test('it says what token and what module that is, without where it lies on this machine', () => {
  const { module } = testedToken.access(service.dataDir);
  const token = made.bundle.payload.tokens.own!;
  expect(token.module).toMatchObject({
    fileName: basename(module),
    sha256: createHash('sha256').update(readFileSync(module)).digest('hex'),
  });
  expect(token.serialNumber).not.toBe('');
  expect(JSON.stringify(made.bundle)).not.toContain(service.dataDir);
});

test('attempts tell that something was given and how long it is, and nothing of it', () => {
  const given = JSON.stringify(made.bundle).match(/"givenBytes":[^}]*/g) ?? [];
  expect(given.length).toBeGreaterThan(10);
  expect(given.filter((each) => !/^"givenBytes":\d+$/.test(each))).toEqual([]);
});

test('a verifier elsewhere believes it, and is told of each claim; the exit code says whether one failed', async () => {
  const { code, output } = await verifying('--trust', made.trust, '--challenge', nonce);
  expect(output).toMatch(/^To be believed: signed by /);
  const failures = (canBeWrapped ? 2 * (kinds.length + 1) : 0) + (splitsOaep ? 1 : 0);
  expect(output.split('\n')[1]).toBe(`CLAIMS THAT FAILED: ${failures}`);
  expect(output.match(/^ {2}\S.*It cannot leave the token wrapped by another key/gm)).toHaveLength(kinds.length + 1);
  expect(code).toBe(2);
});

test('the verdicts are told as JSON, too', async () => {
  const { output } = await verifying('--trust', made.trust, '--json');
  const told = JSON.parse(output);
  expect(told).toMatchObject({ believed: true, faults: [] });
  expect(told.keys).toHaveLength(kinds.length + 1);
});

test('it says how a key came to be as it is, each change with the hash of its line in the audit log', async () => {
  const { history, policySha256 } = evidenceOn('SYMMETRIC_DEFAULT ENCRYPT_DECRYPT');
  const { events, earlier } = history!;
  expect(earlier).toBe(0);
  expect(events.map(({ name }) => name)).toEqual(['CreateKey', 'CreateAlias', 'RotateKeyOnDemand', 'PutKeyPolicy']);
  expect(events.map((each) => each.policySha256)).toEqual([null, null, null, policySha256]);
  for (const { stream, sequence, lineSha256, eventId, by } of events) {
    const files = readdirSync(audit).filter((name) => name.startsWith(stream));
    const lines = files.flatMap((name) => readFileSync(join(audit, name), 'utf8').split('\n'));
    expect(
      createHash('sha256')
        .update(lines[sequence - 1]!)
        .digest('hex'),
    ).toBe(lineSha256);
    expect(JSON.parse(lines[sequence - 1]!).eventID).toBe(eventId);
    expect(by).toMatch(/:user\/administrator$/);
  }
  expect(made.bundle.payload.evidenceKey.history).toBeNull();
});

describe('another bundle', () => {
  let disabled: string;
  let bundle: EvidenceBundle;
  let checkpointsBefore: string[];
  const attestation = () => join(directory, 'attestation.p7b');
  const checkpoints = () => {
    const files = readdirSync(audit).filter((name) => name.startsWith('checkpoints.'));
    return files.flatMap((name) => readFileSync(join(audit, name), 'utf8').split('\n')).filter(Boolean);
  };
  beforeAll(async () => {
    disabled = (await service.newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' })).KeyId;
    await service.kms.disableKey({ KeyId: disabled });
    writeFileSync(attestation(), 'something of a vendor');
    checkpointsBefore = checkpoints();
    const more = ['--attestation', `alias/app=${attestation()}`];
    bundle = (await makeEvidence(service.dataDir, directory, 'alias/app', disabled, ...more)).bundle;
  });

  test('the key that signs evidence is the only thing that is left in the token, and is made once', () => {
    const ofDisabledKey = 2;
    expect(testedToken.objects(service.dataDir)).toBe(objectsBefore + 2 + ofDisabledKey);
    expect(bundle.payload.certificates).toEqual(made.bundle.payload.certificates);
    expect(bundle.payload.keys).toHaveLength(2);
  });

  test('the keys work as before', async () => {
    const { CiphertextBlob } = await service.kms.encrypt({ KeyId: 'alias/app', Plaintext: Buffer.from('x') });
    expect(Buffer.from((await service.kms.decrypt({ CiphertextBlob })).Plaintext!).toString()).toBe('x');
  });

  test("without a verifier's nonce, the time is the program's word", () => {
    expect(bundle.payload.challenge.from).toBe('program');
    expect(verdictsOn(bundle.payload.evidenceKey)).toMatchObject({ 'answers-challenge': 'asserted' });
  });

  test('that evidence was made is no change of a key', () => {
    const [key] = bundle.payload.keys;
    expect(key?.history).toEqual(evidenceOn('SYMMETRIC_DEFAULT ENCRYPT_DECRYPT').history);
  });

  test('a key that is disabled is not used, and is reported all the same', () => {
    const key = bundle.payload.keys.find(({ keyId }) => keyId === disabled)!;
    expect(key.materials[0]?.challenge).toEqual({ kind: 'not asked', why: 'It was not asked: the key is Disabled.' });
    expect(verdictsOn(key)).toMatchObject({ 'not-readable': 'proven', 'answers-challenge': 'not provable' });
  });

  test("an attestation of the token's vendor is attached, and nothing is claimed of it", () => {
    const [key] = bundle.payload.keys;
    expect(key?.attestation).toMatchObject({ fileName: 'attestation.p7b', source: 'unknown' });
    expect(Buffer.from(key!.attestation!.content, 'base64').toString()).toBe('something of a vendor');
    expect(key?.claims).toContainEqual({
      claim: 'attested',
      verdict: 'not provable',
      because: expect.stringContaining('nothing in it was checked here'),
    });
  });

  test('the newest checkpoint of the audit log is in it, and verified', async () => {
    const { line, publicKey } = bundle.payload.auditCheckpoint!;
    expect(checkpointsBefore.length).toBeGreaterThan(0);
    expect(checkpoints().slice(checkpointsBefore.length - 1)).toContain(line);
    const printed = await hsmKms('audit', 'public-key', '--data-dir', service.dataDir);
    expect(printed.output.replace(/-----.*-----|\s/g, '')).toBe(publicKey);
    expect(bundle.payload.keys[0]?.claims).toContainEqual({
      claim: 'audited',
      verdict: 'asserted',
      because: expect.stringMatching(/^The token's audit key has signed the audit log up to checkpoint \d+ /),
    });
  });
});

test('what somebody with the PIN has done to keys is found, and keeps no evidence on others from being made', async () => {
  const [planted, weakened, whole] = [await service.newKey(), await service.newKey(), await service.newKey()];
  await changeObject(service, { key: planted.KeyId, plant: true });
  await changeObject(service, { key: weakened.KeyId, set: { CKA_WRAP: true, CKA_ENCRYPT: false } });
  const ids = [planted.KeyId, weakened.KeyId, whole.KeyId];
  const { bundle } = await makeEvidence(service.dataDir, directory, ...ids);
  const [first, second, third] = bundle.payload.keys;
  // NSS has put it in the place of the key's own
  expect(first?.materials[0]?.objects).toHaveLength(canBeWrapped ? 1 : 2);
  expect(verdictsOn(first!)).toMatchObject({
    ...{ 'not-wrappable': 'failed', 'non-extractable': 'failed', 'never-extractable': 'failed' },
  });
  expect(verdictsOn(second!)).toMatchObject({ 'not-readable': 'proven', 'only-its-usage': 'failed' });
  expect(verdictsOn(second!)['answers-challenge']).toBe('failed');
  expect(verdictsOn(third!)).toMatchObject({ 'not-readable': 'proven', 'answers-challenge': 'asserted' });
});

describe('what is asked wrongly is answered by a sentence that says what to type', () => {
  const wrong: [string, string[], RegExp][] = [
    ['no key', [], /Type hsm-kms evidence KEY..., or --all/],
    ['keys and --all', ['alias/app', '--all'], /Type hsm-kms evidence KEY..., or --all/],
    ['a key that is not there', ['alias/none'], /Alias .*alias\/none is not found/],
    ['a nonce that is too short', ['alias/app', '--challenge', 'abcd'], /type openssl rand -hex 32/],
    ['an attestation without a key', ['alias/app', '--attestation', 'file'], /--attestation takes KEY=FILE/],
    ['an attestation that is not there', ['alias/app', '--attestation', 'alias/app=/none'], /cannot be read: ENOENT/],
    ['a verification without trust', ['verify', 'bundle.json'], /--trust/],
  ];
  test.each(wrong)('%s', async (_what, parameters, said) => {
    const { code, output, errors } = await evidence(service.dataDir, ...parameters);
    expect(code).toBe(1);
    expect(output).toBe('');
    expect(errors).toMatch(said);
    expect(errors).not.toMatch(/\bat .*:\d+:\d+/);
  });

  test('an attestation of a key that is not asked for', async () => {
    const other = keyOf('HMAC_256 GENERATE_VERIFY_MAC');
    const { code, errors } = await evidence(service.dataDir, 'alias/app', '--attestation', `${other}=${made.trust}`);
    expect(code).toBe(1);
    expect(errors).toContain(`The key ${other} of --attestation is none of those asked for.`);
  });
});
