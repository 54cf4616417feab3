import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KeySpec } from '@aws-sdk/client-kms';
import { describe, test } from '@jest/globals';
import { softHsmConfiguration, softHsmModule } from '../../src/token/softhsm.js';
import { type Certutil, certutil, makeNssDatabase, nssAccess, nssObjects } from './nss.js';
import { runOfSid, sidNode, sidRoot } from './sid/sid.js';

/** What a test may need of the token, beside key specs: not every token has it. */
type Feature =
  /** The service makes its token itself, and works around its faults. */
  | "the service's own SoftHSM2"
  /** CKA_EXTRACTABLE false holds: neither C_WrapKey nor a copy of the key gets around it. */
  | 'keys that cannot be wrapped'
  /** A key keeps CKA_COPYABLE and CKA_ALLOWED_MECHANISMS. */
  | 'restricted keys'
  /** CKA_LOCAL of a key that it has made. */
  | 'CKA_LOCAL'
  /** What a split makes up for: a test of the split itself. */
  | 'a lack of OAEP with SHA-256'
  /** Wrong RSA key material is told from a wrong ciphertext. */
  | 'generic secrets as long as RSA keys'
  /** All key material of elliptic curves but Ed25519's is unwrapped in the token. */
  | 'import of EC keys in the token';
export type Need = KeySpec | 'ED25519_PH_SHA_512' | Feature;

/** How another process gets at the token. */
export interface TokenAccess {
  readonly module: string;
  /** CK_C_INITIALIZE_ARGS.pReserved. */
  readonly parameters?: string;
  readonly label: string;
  readonly pinFile: string;
}

/** A token that the tests run over. */
interface TestedToken {
  readonly title: string;
  /** Makes it for a data directory, where it is missing. */
  readonly make: (dataDir: string) => void;
  /** What tells the service of it, by environment variable. */
  readonly settings: (dataDir: string) => Readonly<Record<string, string>>;
  readonly access: (dataDir: string) => TokenAccess;
  /** How many objects it holds. */
  readonly objects: (dataDir: string) => number;
  /** The Node.js that can load its module, where it is not the one that tests. */
  readonly node?: () => string;
  /** What it does not have, and why. */
  readonly lacks: { readonly [N in Need]?: string };
}

const mlDsaSpecs = ['ML_DSA_44', 'ML_DSA_65', 'ML_DSA_87'] as const;
const noMlDsa = (why: string) => Object.fromEntries(mlDsaSpecs.map((spec) => [spec, why]));

/** NSS softokn. @param root directory of the system whose it is, '' for this one */
function nss(root: () => string, run: Certutil) {
  const directory = (dataDir: string) => join(dataDir, 'nss');
  const access = (dataDir: string) => nssAccess(directory(dataDir), root());
  return {
    make: (dataDir: string) => {
      makeNssDatabase(directory(dataDir), run);
      // further tokens, of custom key stores, are SoftHSM2's
      makeSoftHsmDirectory(dataDir);
    },
    settings: (dataDir: string) => {
      const { module, parameters, label, pinFile } = access(dataDir);
      return {
        HSM_KMS_PKCS11_MODULE: module,
        HSM_KMS_PKCS11_PARAMETERS: parameters,
        HSM_KMS_TOKEN_LABEL: label,
        HSM_KMS_TOKEN_PIN_FILE: pinFile,
        SOFTHSM2_CONF: join(dataDir, 'softhsm2.conf'),
      };
    },
    access,
    objects: (dataDir: string) => nssObjects(directory(dataDir)),
  };
}

function makeSoftHsmDirectory(dataDir: string): void {
  const tokens = join(dataDir, 'tokens');
  if (existsSync(tokens)) return;
  mkdirSync(tokens, { mode: 0o700 });
  writeFileSync(join(dataDir, 'softhsm2.conf'), softHsmConfiguration(tokens), { mode: 0o600 });
}

const lacksOfEveryNss = {
  ECC_SECG_P256K1: 'NSS has no secp256k1',
  ED25519_PH_SHA_512: 'NSS has Ed25519 without parameters only',
  "the service's own SoftHSM2": 'it is about SoftHSM2',
  'keys that cannot be wrapped': 'NSS wraps a key with CKA_EXTRACTABLE false all the same, if who has the PIN asks',
  'a lack of OAEP with SHA-256': 'NSS does OAEP with SHA-256 itself',
  'generic secrets as long as RSA keys': 'NSS takes none, so nothing unwraps wrong RSA key material',
  CKA_LOCAL: 'NSS says false of keys that it has made',
  'restricted keys': 'NSS stores no CKA_ALLOWED_MECHANISMS, and copies a key whatever its CKA_COPYABLE says',
} as const;

/** One row per token. */
const tokens: Readonly<Record<string, TestedToken>> = {
  softhsm: {
    title: 'SoftHSM2',
    make: () => {},
    settings: () => ({}),
    access: (dataDir) => ({
      module: softHsmModule(),
      label: 'hsm-kms',
      pinFile: join(dataDir, 'token-user-pin'),
    }),
    objects: (dataDir) => {
      const files = readdirSync(join(dataDir, 'tokens'), { recursive: true, encoding: 'utf8' });
      return files.filter((file) => file.endsWith('.object') && !file.endsWith('token.object')).length;
    },
    lacks: {
      ...noMlDsa('SoftHSM2 2.6 is older than ML-DSA'),
      ED25519_PH_SHA_512: 'SoftHSM2 2.6 answers with pure Ed25519',
      'import of EC keys in the token': 'SoftHSM2 2.6 does not tell the length of what it unwraps',
    },
  },
  nss: {
    title: 'NSS softokn',
    ...nss(() => '', certutil),
    lacks: {
      ...lacksOfEveryNss,
      ...noMlDsa('NSS 3.87 has no ML-DSA'),
      ECC_NIST_EDWARDS25519: 'NSS 3.87 has no Ed25519',
      'import of EC keys in the token': 'NSS 3.87 does not unwrap EC keys',
    },
  },
  'nss-sid': {
    title: 'NSS softokn of Debian sid',
    ...nss(sidRoot, (...parameters) => void runOfSid('certutil', ...parameters)),
    node: sidNode,
    lacks: lacksOfEveryNss,
  },
};

function chosenToken(): TestedToken {
  const name = process.env.HSM_KMS_TEST_TOKEN ?? 'softhsm';
  const token = tokens[name];
  if (token) return token;
  throw new Error(`HSM_KMS_TEST_TOKEN is ${name}; it may be ${Object.keys(tokens).join(', ')}`);
}

/** The token that HSM_KMS_TEST_TOKEN names. */
export const testedToken: TestedToken = chosenToken();

/** Why the tested token does not have something; undefined when it does. */
export const whyLacking = (need: Need): string | undefined => testedToken.lacks[need];

const skipped = (title: string, why: string) => `${title} [${testedToken.title}: ${why}]`;

/** A key spec for signatures that the tested token does not have: each lacks one. */
export const signingSpecNotOffered = ([...mlDsaSpecs, 'ECC_SECG_P256K1'] as const).find(
  (spec) => whyLacking(spec) !== undefined,
) as KeySpec;

/** Tests of what only some tokens have: skipped where the tested one has it not, which their titles say. */
export function describeWith(need: Need, title: string, tests: () => void): void {
  const why = whyLacking(need);
  if (why === undefined) describe(title, tests);
  else describe.skip(skipped(title, why), tests);
}

/** A test of what only some tokens have. */
export function testWith(need: Need, title: string, run: () => Promise<void> | void): void {
  const why = whyLacking(need);
  if (why === undefined) test(title, run);
  else test.skip(skipped(title, why), run);
}

/** The rows whose need the tested token meets; the others are shown as skipped. */
export function offeredRows<R>(rows: readonly R[], needOf: (row: R) => Need): R[] {
  const lacking = new Set(rows.map(needOf).filter((need) => whyLacking(need) !== undefined));
  for (const need of lacking) test.skip(skipped(need, whyLacking(need) as string), () => {});
  return rows.filter((row) => !lacking.has(needOf(row)));
}
