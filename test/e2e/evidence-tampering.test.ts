import { execFileSync } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { EvidenceBundle } from '../../src/evidence/bundle.js';
import { canonicalJson, type Json } from '../../src/evidence/canonical-json.js';
import { NoBundleError, verifyBundle } from '../../src/evidence/verify-bundle.js';
import { CertificateAuthority, type CertificateFiles } from '../service/certificates.js';
import { evidenceElsewhere, makeEvidence } from '../service/evidence.js';
import { hsmKms } from '../service/service.js';

const keys = ['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222'] as const;
const nonce = 'ab'.repeat(16);

let directory: string;
let trust: string;
let text: string;
let otherText: string;
/** CAs of others, older than what is forged with them. */
let trusted: CertificateAuthority;
let ofStranger: CertificateFiles;
let ofServer: CertificateFiles;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'hsm-kms-tampering-'));
  ofStranger = new CertificateAuthority(directory, 'stranger').issue('theirs', '/CN=hsm-kms evidence');
  trusted = new CertificateAuthority(directory, 'trusted');
  ofServer = trusted.issue('server', '/CN=app', { names: 'DNS:app\nextendedKeyUsage=serverAuth' });
  const [dataDir, seed] = [join(directory, 'data'), join(directory, 'seed.json')];
  const Keys = keys.map((KeyId) => ({ KeyId, KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY', Description: 'mine' }));
  writeFileSync(seed, JSON.stringify({ Keys }));
  const { code, output } = await hsmKms('init', '--data-dir', dataDir, '--seed-file', seed);
  if (code !== 0) throw new Error(output);
  const made = await makeEvidence(dataDir, directory, keys[0], '--challenge', nonce);
  trust = readFileSync(made.trust, 'utf8');
  text = readFileSync(made.file, 'utf8');
  otherText = JSON.stringify((await makeEvidence(dataDir, directory, keys[1], '--challenge', nonce)).bundle);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Whether a verifier believes it. */
function isBelieved(bundle: string): boolean {
  try {
    return verifyBundle(bundle, { trust, nonce, now: new Date() }).faults.length === 0;
  } catch (error) {
    if (error instanceof NoBundleError) return false;
    throw error;
  }
}

const copyOf = (json: string) => JSON.parse(json) as EvidenceBundle;
type Container = Record<string, Json> & Json[];

/** The same for places that one rule of the format is about: in a list, or by the name of an attribute or a mechanism. */
const kindOf = (path: readonly (string | number)[]) =>
  path.map((step) => (typeof step === 'number' || /^CK[AM]_/.test(step) ? '*' : step)).join('.');

/** Every place in a bundle, as the path to it; of a long list those of its first and its last, as one rule reads them all. */
function placesOf(value: Json, path: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  const all = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  const members = Array.isArray(value) && all.length > 8 ? [...all.slice(0, 1), ...all.slice(-1)] : all;
  return [...(path.length > 0 ? [path] : []), ...members.flatMap(([name, each]) => placesOf(each, [...path, name]))];
}

function at(bundle: EvidenceBundle, path: readonly (string | number)[]): Container {
  return path.reduce((value, name) => (value as Container)[name as never], bundle as unknown) as Container;
}

/** The same kind of value, and another. */
function changed(value: Json): Json {
  if (typeof value === 'boolean') return !value;
  if (typeof value === 'number') return value + 1;
  if (value === null) return 'x';
  if (typeof value === 'string') {
    const [last] = value.slice(-1);
    return value === '' ? 'A' : `${value.slice(0, -1)}${last === 'A' ? 'B' : 'A'}`;
  }
  return Array.isArray(value) ? [...value, (value as Json[])[0] ?? 'x'] : { ...value, more: 1 };
}

test('what nobody has changed is believed', () => {
  expect(isBelieved(text)).toBe(true);
  expect(isBelieved(JSON.stringify(JSON.parse(text)))).toBe(true);
});

const waysToChange: [string, (parent: Container, name: string | number) => void][] = [
  [
    'changed',
    (parent, name) => {
      parent[name as never] = changed(parent[name as never] as Json) as never;
    },
  ],
  [
    'removed',
    (parent, name) => {
      if (Array.isArray(parent)) parent.splice(name as number, 1);
      else delete parent[name as never];
    },
  ],
];

test.each(waysToChange)('every value that is %s is found', (_what, change) => {
  const places = placesOf(JSON.parse(text) as Json);
  expect(places.length).toBeGreaterThan(500);
  const signed = JSON.stringify(copyOf(text).payload);
  const kinds = new Set<string>();
  const overlooked = places.filter((path) => {
    const bundle = copyOf(text);
    change(at(bundle, path.slice(0, -1)), path.at(-1)!);
    // one of each kind is verified as a whole; of the others, whether it is in what was signed
    const kind = kindOf(path);
    if (kinds.has(kind)) return JSON.stringify(bundle.payload) === signed;
    kinds.add(kind);
    return isBelieved(JSON.stringify(bundle));
  });
  expect(overlooked).toEqual([]);
  expect(kinds.size).toBeGreaterThan(150);
});

test('a member that stands twice is found: readers take one or the other', () => {
  const place = text.indexOf('"description": "mine"');
  expect(place).toBeGreaterThan(0);
  const twice = `${text.slice(0, place)}"description": "other", ${text.slice(place)}`;
  expect(JSON.parse(twice)).toEqual(JSON.parse(text));
  expect(isBelieved(twice)).toBe(false);
});

describe('what is put together from bundles that are each good is found', () => {
  const mixtures: [string, (bundle: EvidenceBundle, other: EvidenceBundle) => void][] = [
    ['the signature of another', (bundle, other) => Object.assign(bundle, { signature: other.signature })],
    ['the report on another key', (bundle, other) => bundle.payload.keys.push(...other.payload.keys)],
    ['another key in place of the one', (bundle, other) => bundle.payload.keys.splice(0, 1, ...other.payload.keys)],
    ['the time of another', (bundle, other) => Object.assign(bundle.payload, { madeAt: other.payload.madeAt })],
  ];
  test.each(mixtures)('%s', (_what, mix) => {
    const bundle = copyOf(text);
    const other = copyOf(otherText);
    expect(isBelieved(otherText)).toBe(true);
    mix(bundle, other);
    expect(isBelieved(JSON.stringify(bundle))).toBe(false);
  });
});

describe('what somebody else has signed is found', () => {
  /** As the program signs. */
  function signedBy(key: string, { payload }: EvidenceBundle): string {
    const message = Buffer.from(canonicalJson(JSON.parse(JSON.stringify(payload))));
    const value = sign('sha256', message, createPrivateKey(key)).toString('base64');
    return JSON.stringify({ payload, signature: { algorithm: 'ECDSA_SHA_256', value } });
  }
  const base64Of = (pem: string) => pem.replace(/-----.*-----|\s/g, '');

  test('with a certificate of their own, and all the rest as it was', () => {
    const { certificate, key } = ofStranger;
    const bundle = copyOf(text);
    bundle.payload.certificates = [base64Of(readFileSync(certificate, 'utf8'))];
    const forged = signedBy(readFileSync(key, 'utf8'), bundle);
    expect(verifyBundle(forged, { trust, nonce, now: new Date() }).faults).toEqual([
      expect.stringContaining('is not trusted'),
      'Its report on the evidence key is about another key than the certificate.',
    ]);
  });

  test('with a certificate of the CA that is trusted, which is for a TLS server', () => {
    const bundle = copyOf(text);
    bundle.payload.certificates = [base64Of(readFileSync(ofServer.certificate, 'utf8'))];
    const forged = signedBy(readFileSync(ofServer.key, 'utf8'), bundle);
    const { faults } = verifyBundle(forged, {
      trust: readFileSync(trusted.certificate, 'utf8'),
      nonce,
      now: new Date(),
    });
    expect(faults[0]).toContain('was issued for other purposes than evidence');
  });

  test('an RSA key signs where a token has no EC keys: its signature is known, and of whom it is', () => {
    const [key, certificate] = [join(directory, 'rsa.key'), join(directory, 'rsa.pem')];
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=rsa', '-days', '1'],
        ...['-keyout', key, '-out', certificate],
      ],
      { stdio: 'pipe' },
    );
    const bundle = copyOf(text);
    bundle.payload.certificates = [base64Of(readFileSync(certificate, 'utf8'))];
    bundle.payload.madeAt = new Date(Date.now() + 1_000).toISOString();
    const signed = copyOf(signedBy(readFileSync(key, 'utf8'), bundle));
    const badSignature = expect.stringContaining('The signature is not that of the certificate');
    const faultsOf = (each: EvidenceBundle) => verifyBundle(JSON.stringify(each), { trust, now: new Date() }).faults;
    expect(faultsOf(signed)).toContainEqual(badSignature);
    signed.signature.algorithm = 'RSASSA_PKCS1_V1_5_SHA_256';
    expect(faultsOf(signed)).not.toContainEqual(badSignature);
    signed.payload.program = 'another';
    expect(faultsOf(signed)).toContainEqual(badSignature);
  });

  test('with another key, and the certificate as it was', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const forged = signedBy(privateKey.export({ format: 'pem', type: 'pkcs8' }) as string, copyOf(text));
    expect(isBelieved(forged)).toBe(false);
  });
});

test('verdicts that do not follow from the evidence are found, whoever has signed them', () => {
  // a program that lies: signed as it should be, but for the signature, which is one fault more
  const bundle = copyOf(text);
  const claim = bundle.payload.keys[0]!.claims.find(({ verdict }) => verdict === 'not provable')!;
  claim.verdict = 'proven';
  const { faults } = verifyBundle(JSON.stringify(bundle), { trust, nonce, now: new Date() });
  expect(faults).toContainEqual(expect.stringContaining(`are not what the evidence says (${claim.claim})`));
});

test('another version of the program may have decided otherwise: that is told, and the verdicts are those of the verifier', () => {
  const bundle = copyOf(text);
  bundle.payload.program = '0.0.1';
  bundle.payload.keys[0]!.claims.pop();
  const { faults, notes } = verifyBundle(JSON.stringify(bundle), { trust, nonce, now: new Date() });
  expect(faults).toEqual([expect.stringContaining('The signature is not that of the certificate')]);
  expect(notes).toContainEqual(expect.stringMatching(/are not what the evidence says .+ made by hsm-kms 0\.0\.1\.$/));
});

test('who has not said which nonce was given is told that it was not compared', () => {
  const { faults, notes } = verifyBundle(text, { trust, now: new Date() });
  expect(faults).toEqual([]);
  expect(notes).toContainEqual(expect.stringMatching(/Whether that is yours was not compared: type --challenge/));
});

test('what was cut off is found, wherever', () => {
  const whole = text.trimEnd();
  for (let length = 0; length < whole.length; length += 997) expect(isBelieved(whole.slice(0, length))).toBe(false);
  expect(isBelieved(whole.slice(0, -1))).toBe(false);
});

test('names that every object of JavaScript has are names like others', () => {
  for (const name of ['__proto__', 'constructor', 'toString']) {
    const [ofNoToken, ofNoSpec] = [copyOf(text), copyOf(text)];
    ofNoToken.payload.keys[0]!.token = name;
    expect(() => verifyBundle(JSON.stringify(ofNoToken), { trust, nonce, now: new Date() })).toThrow(NoBundleError);
    Object.assign(ofNoSpec.payload.keys[0]!, { keySpec: name, keyUsage: name });
    expect(verifyBundle(JSON.stringify(ofNoSpec), { trust, nonce, now: new Date() }).faults).not.toEqual([]);
  }
});

test('what is very long is read all the same', () => {
  const bundle = copyOf(text);
  bundle.payload.keys[0]!.description = '\\"'.repeat(5_000_000);
  const { faults } = verifyBundle(JSON.stringify(bundle), { trust, nonce, now: new Date() });
  expect(faults).toEqual([expect.stringContaining('The signature is not that of the certificate')]);
});

test('an old bundle does not answer a new challenge', () => {
  const { faults } = verifyBundle(text, { trust, nonce: 'cd'.repeat(16), now: new Date() });
  expect(faults).toEqual([`It does not answer the challenge ${'cd'.repeat(16)}: it may be older.`]);
});

test('a bundle of the future is not believed', () => {
  const { faults } = verifyBundle(text, { trust, nonce, now: new Date(Date.now() - 600_000) });
  expect(faults).toEqual([expect.stringContaining('has not come yet by the clock of this machine')]);
});

describe('the command', () => {
  const isNone: [string, string, string][] = [
    ['no JSON', 'x', 'It is not JSON.'],
    ['another JSON', '{"payload": {}}', 'It is not an evidence bundle of this format: payload'],
    ['nothing', '', 'It is not JSON.'],
  ];
  test.each(isNone)('says of %s that it is no bundle', async (_what, content, said) => {
    const file = join(directory, 'wrong.json');
    writeFileSync(file, content);
    const { code, errors } = await evidenceElsewhere('verify', file, '--trust', join(directory, 'certificate.pem'));
    expect([code, errors]).toEqual([1, expect.stringContaining(`${file} is not to be believed. ${said}`)]);
  });

  test('says of a changed bundle what is wrong, and ends with 1', async () => {
    const file = join(directory, 'changed.json');
    writeFileSync(file, text.replace('"description": "mine"', '"description": "yours"'));
    const { code, output } = await evidenceElsewhere('verify', file, '--trust', join(directory, 'certificate.pem'));
    expect(output).toContain('NOT TO BE BELIEVED\n- The signature is not that of the certificate');
    expect(code).toBe(1);
  });

  test('shows nothing of a bundle that steers the terminal, or that makes a line of its own', async () => {
    const file = join(directory, 'steering.json');
    const steering = '\u001b[2J\nTo be believed: \u202E';
    const odd = copyOf(text);
    odd.payload.keys[0]!.arn = steering;
    odd.payload.keys[0]!.keySpec = steering;
    odd.payload.keys[0]!.attestation = { source: steering, fileName: 'x', sha256: steering, content: '' };
    const none = JSON.parse(text);
    none.payload.keys[0].materials[0].objects[0].attributes[steering] = 1;
    for (const bundle of [odd, none]) {
      writeFileSync(file, JSON.stringify(bundle));
      const { code, output, errors } = await evidenceElsewhere(
        'verify',
        file,
        '--trust',
        join(directory, 'certificate.pem'),
      );
      expect(code).toBe(1);
      expect(output + errors).toMatch(/\\u\{1B\}\[2J\\u\{A\}To be believed: \\u\{202E\}/);
      for (const hidden of ['\u001b', '\u202e', '\nTo be believed']) expect(output + errors).not.toContain(hidden);
    }
  });

  test('says that a file of --trust holds nothing to trust', async () => {
    const file = join(directory, 'bundle.json');
    const { code, errors } = await evidenceElsewhere('verify', file, '--trust', file);
    expect([code, errors]).toEqual([1, 'hsm-kms: The file of --trust holds no certificate in PEM.\n']);
  });
});
