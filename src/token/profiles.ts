import type { DeclaredProfile } from '../config/token-profile.js';
import { type AttributeName, isAttributeName } from './attributes.js';
import { TokenError, tokenError } from './return-values.js';
import { relistSoftHsmObjects } from './softhsm-generation.js';
import type { TokenIdentity } from './token-selection.js';

/** What a kind of token does otherwise than PKCS#11 says, where a probe cannot make up for it. */
export interface TokenProfile {
  readonly name: string;
  readonly matches: (identity: TokenIdentity) => boolean;
  /** Attributes of a key that it does not keep as PKCS#11 has it, so that reading them back says nothing. */
  readonly unkeptAttributes: readonly AttributeName[];
  /** Attributes that it refuses in a template: left out. */
  readonly refusedAttributes: readonly AttributeName[];
  /**
   * True when it tries a key pair that it has made by encrypting with the public key, where the private one decrypts or
   * unwraps, and fails if the public key may not.
   */
  readonly encryptsToTestPairs?: true;
  /**
   * CK_RVs by which a function says that its input is wrong, where PKCS#11 has another. Read so only of the function
   * itself, when its Init function has taken key and mechanism.
   */
  readonly misnamedWrongInput?: { readonly [F in InputFunction]?: readonly number[] };
  /**
   * CK_RVs by which a function says that its input is wrong, and which may as well mean that the token has failed: a
   * canary tells. Those that PKCS#11 has for it (CKR_ENCRYPTED_DATA_INVALID ...) are believed without one.
   */
  readonly saysOfWrongData: { readonly [F in InputFunction]?: readonly number[] };
  /**
   * True when it may show a process one object twice. CKA_IDs are 32 random bytes, so two objects with one CKA_ID are not
   * an accident elsewhere; who could plant one on purpose has the PIN, and could as well replace the first.
   */
  readonly showsObjectsTwice?: boolean;
  /**
   * Who makes the initialisation vectors of AES-GCM: the service, of the token's random numbers; or the token, which wants
   * a buffer of zeros and writes what it has used into it. The service by default.
   */
  readonly gcmIv?: 'service' | 'token';
  /**
   * Where uses of keys run: what is fast on the spot and what is slow in threads (`mixed`, the default), or all in
   * threads, for a token behind a network that would make everybody wait.
   */
  readonly calls?: 'mixed' | 'threads';
  /**
   * True for a program of this machine: more calls at once than it has processors only wait for each other, and its
   * random numbers may be fetched ahead (`gcm-ivs.ts`).
   */
  readonly computesHere?: boolean;
  /** Sessions that one worker may have open at once, where the token does not say it itself. */
  readonly mostSessions?: number;
  /** Session copies of keys that one worker may keep (`session-copies.ts`): 512 by default. */
  readonly mostSessionCopies?: number;
  /** Makes the module look for objects that it may have overlooked; false when that cannot be done. */
  readonly relistObjects?: () => boolean;
}

/** CKR_GENERAL_ERROR, CKR_FUNCTION_FAILED. */
const [generalError, functionFailed] = [5, 6];
const eitherError = { C_Decrypt: [generalError, functionFailed], C_Verify: [generalError, functionFailed] };

const standard: TokenProfile = {
  name: 'PKCS#11',
  matches: () => true,
  unkeptAttributes: [],
  refusedAttributes: [],
  saysOfWrongData: eitherError,
};

/** The first profile that matches holds. */
const profiles: readonly TokenProfile[] = [
  {
    name: 'NSS softokn',
    matches: ({ manufacturer }) => manufacturer === 'Mozilla Foundation',
    computesHere: true,
    // false of keys that it has just generated (3.87, 3.132)
    unkeptAttributes: ['CKA_LOCAL'],
    // token objects with them are CKR_GENERAL_ERROR: its database has no column for them, for CKA_COPYABLE in NSS 3.87;
    // 3.132 has one, but copies a key all the same
    refusedAttributes: ['CKA_ALLOWED_MECHANISMS', 'CKA_COPYABLE'],
    encryptsToTestPairs: true,
    // after CKM_RSA_PKCS has not found the DigestInfo, C_Verify answers with the last error of the thread, whatever it
    // was about (CKR_ARGUMENTS_BAD, CKR_DEVICE_ERROR ...); C_Decrypt finds a number above the modulus a bad argument
    misnamedWrongInput: { C_Verify: [7, 48, 98, 304, 336], C_Decrypt: [7] },
    saysOfWrongData: {},
  },
  {
    name: 'SoftHSM',
    matches: ({ manufacturer }) => manufacturer === 'SoftHSM project',
    computesHere: true,
    unkeptAttributes: [],
    refusedAttributes: [],
    saysOfWrongData: { C_Decrypt: [generalError] },
    // SoftHSM2 2.6: when one thread makes a key pair while another reads the token's directory again
    showsObjectsTwice: true,
    // each takes 8 KiB of the worker's memory; over 5,000 keys an Encrypt costs 149 us of CPU with them, 163 with 512
    mostSessionCopies: 8_192,
    relistObjects: relistSoftHsmObjects,
  },
  {
    // untested: as AWS documents it (docs/hsm/aws-cloudhsm.md); its name in CK_TOKEN_INFO is not documented
    name: 'AWS CloudHSM',
    matches: () => false,
    unkeptAttributes: [],
    // not supported, or only with the default value: all objects are private and modifiable
    refusedAttributes: [
      'CKA_ALLOWED_MECHANISMS',
      'CKA_COPYABLE',
      'CKA_MODIFIABLE',
      'CKA_PRIVATE',
      'CKA_SIGN_RECOVER',
      'CKA_VERIFY_RECOVER',
    ],
    saysOfWrongData: eitherError,
    gcmIv: 'token',
    calls: 'threads',
  },
];

/**
 * What is known of a token: the profile that the configuration names, or else that of its manufacturer; with what the
 * configuration says more.
 *
 * @throws Error that names a profile or an attribute that is unknown
 */
export function profileOf(identity: TokenIdentity, declared: DeclaredProfile = {}): TokenProfile {
  const { like, unkeptAttributes, refusedAttributes } = declared;
  const base =
    like === undefined ? (profiles.find((profile) => profile.matches(identity)) ?? standard) : profileNamed(like);
  const changes = Object.entries(declared).filter(([name, value]) => name !== 'like' && value !== undefined);
  if (changes.length === 0) return base;
  return {
    ...base,
    ...Object.fromEntries(changes),
    name: `${base.name}, with other ${changes.map(([name]) => name).join(', ')}`,
    unkeptAttributes: unkeptAttributes?.map(knownAttribute) ?? base.unkeptAttributes,
    refusedAttributes: refusedAttributes?.map(knownAttribute) ?? base.refusedAttributes,
  };
}

function profileNamed(name: string): TokenProfile {
  const all = [...profiles, standard];
  const found = all.find((profile) => spelled(profile.name) === spelled(name));
  if (found !== undefined) return found;
  const names = all.map((profile) => spelled(profile.name)).join(', ');
  throw new Error(`There is no profile of tokens ${JSON.stringify(name)}: HSM_KMS_TOKEN_PROFILE takes ${names}.`);
}

/** aws-cloudhsm for AWS CloudHSM. */
function spelled(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]+/g, '-');
}

function knownAttribute(name: string): AttributeName {
  if (isAttributeName(name)) return name;
  throw new Error(`The profile of the token names ${name}, an attribute that this service does not use: leave it out.`);
}

/** CKR_SIGNATURE_INVALID, CKR_ENCRYPTED_DATA_INVALID. */
const wrongInput = { C_Verify: 192, C_Decrypt: 64 } as const;
export type InputFunction = keyof typeof wrongInput;

/** What a function threw, as PKCS#11 names it. */
export function wellNamed(profile: TokenProfile, on: InputFunction, thrown: unknown): Error {
  const error = tokenError(thrown);
  const misnamed = profile.misnamedWrongInput?.[on] ?? [];
  const isMisnamed = error instanceof TokenError && misnamed.some((ckr) => ckr === error.ckr);
  return isMisnamed ? new TokenError(wrongInput[on], thrown) : error;
}
