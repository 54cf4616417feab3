import type { AttributeName } from './attributes.js';
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
   * True when it may show a process one object twice. CKA_IDs are 32 random bytes, so two objects with one CKA_ID are not
   * an accident elsewhere; who could plant one on purpose has the PIN, and could as well replace the first.
   */
  readonly showsObjectsTwice?: true;
  /** Makes the module look for objects that it may have overlooked; false when that cannot be done. */
  readonly relistObjects?: () => boolean;
}

const standard: TokenProfile = { name: 'PKCS#11', matches: () => true, unkeptAttributes: [], refusedAttributes: [] };

/** The first profile that matches holds. */
const profiles: readonly TokenProfile[] = [
  {
    name: 'NSS softokn',
    matches: ({ manufacturer }) => manufacturer === 'Mozilla Foundation',
    // NSS 3.132 answers false for keys that it has just generated
    unkeptAttributes: ['CKA_LOCAL'],
    // token objects with it are CKR_GENERAL_ERROR: its database has no column for it
    refusedAttributes: ['CKA_ALLOWED_MECHANISMS'],
  },
  {
    name: 'SoftHSM',
    matches: ({ manufacturer }) => manufacturer === 'SoftHSM project',
    unkeptAttributes: [],
    refusedAttributes: [],
    // SoftHSM2 2.6: when one thread makes a key pair while another reads the token's directory again
    showsObjectsTwice: true,
    relistObjects: relistSoftHsmObjects,
  },
];

export function profileOf(identity: TokenIdentity): TokenProfile {
  return profiles.find((profile) => profile.matches(identity)) ?? standard;
}
