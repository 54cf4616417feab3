/** What an attribute of a secret or private key says, and what is good. */
export interface AttributeMeaning {
  /** For people. */
  readonly meaning: string;
  /** The value that protects the key; undefined where none is better than another. */
  readonly good?: boolean;
}

/** PKCS#11 v3.0, 4.4 to 4.10. What is not here says what the key is, and not how it is protected. */
export const attributeMeanings: Readonly<Record<string, AttributeMeaning>> = {
  CKA_CLASS: { meaning: 'kind of object' },
  CKA_TOKEN: { meaning: 'kept by the token, not only for a session', good: true },
  CKA_PRIVATE: { meaning: 'seen only by who has logged in', good: true },
  CKA_LABEL: { meaning: 'name for people: the key id' },
  CKA_UNIQUE_ID: { meaning: "the token's own name of the object" },
  CKA_ID: { meaning: 'name for programs: the KeyMaterialId' },
  CKA_KEY_TYPE: { meaning: 'kind of key' },
  CKA_SENSITIVE: { meaning: 'the token does not reveal its value', good: true },
  CKA_ALWAYS_SENSITIVE: { meaning: 'has been sensitive since it was made', good: true },
  CKA_EXTRACTABLE: { meaning: 'may leave the token, encrypted by another key', good: false },
  CKA_NEVER_EXTRACTABLE: { meaning: 'has never been extractable', good: true },
  CKA_LOCAL: { meaning: 'made by this token, or copied from a key that was', good: true },
  CKA_KEY_GEN_MECHANISM: { meaning: 'the mechanism that made it' },
  CKA_ENCRYPT: { meaning: 'may encrypt' },
  CKA_DECRYPT: { meaning: 'may decrypt' },
  CKA_SIGN: { meaning: 'may sign, or make MACs' },
  CKA_SIGN_RECOVER: { meaning: 'may sign so that the signature holds the message', good: false },
  CKA_VERIFY: { meaning: 'may verify' },
  CKA_VERIFY_RECOVER: { meaning: 'may verify and recover the message', good: false },
  CKA_WRAP: { meaning: 'may encrypt other keys, so that they leave', good: false },
  CKA_UNWRAP: { meaning: 'may decrypt other keys into the token', good: false },
  CKA_DERIVE: { meaning: 'may have other keys derived from it: key agreement' },
  CKA_WRAP_WITH_TRUSTED: { meaning: 'if extractable, by keys only that the security officer trusts' },
  CKA_TRUSTED: { meaning: 'the security officer trusts it to wrap others' },
  CKA_ALWAYS_AUTHENTICATE: { meaning: 'the PIN is asked for each use' },
  CKA_MODIFIABLE: { meaning: 'its attributes may be changed; protections still only in one direction' },
  CKA_COPYABLE: { meaning: 'may be copied; a copy is as protected as it' },
  CKA_DESTROYABLE: { meaning: 'may be destroyed' },
  CKA_ALLOWED_MECHANISMS: { meaning: 'mechanisms that it may be used with, and no others' },
  CKA_VALUE_LEN: { meaning: 'length, in bytes' },
  CKA_MODULUS: { meaning: 'public modulus' },
  CKA_MODULUS_BITS: { meaning: 'length of the modulus, in bits' },
  CKA_PUBLIC_EXPONENT: { meaning: 'public exponent' },
  CKA_EC_PARAMS: { meaning: 'curve (DER)' },
  CKA_EC_POINT: { meaning: 'public point' },
  CKA_PUBLIC_KEY_INFO: { meaning: 'public key (DER SubjectPublicKeyInfo)' },
  CKA_PARAMETER_SET: { meaning: 'parameter set of ML-DSA' },
  CKA_SUBJECT: { meaning: 'subject of its certificate (DER)' },
  CKA_START_DATE: { meaning: 'not to be used before' },
  CKA_END_DATE: { meaning: 'not to be used after' },
};

/** What using a key for its usage takes of a secret or private key: attributes that say it may. */
export const usesOfKeyUsage: Readonly<
  Record<string, { readonly secret: readonly string[]; readonly private: readonly string[] }>
> = {
  ENCRYPT_DECRYPT: { secret: ['CKA_ENCRYPT', 'CKA_DECRYPT'], private: ['CKA_DECRYPT'] },
  SIGN_VERIFY: { secret: [], private: ['CKA_SIGN'] },
  GENERATE_VERIFY_MAC: { secret: ['CKA_SIGN', 'CKA_VERIFY'], private: [] },
  KEY_AGREEMENT: { secret: [], private: ['CKA_DERIVE'] },
};

/** Attributes that let a key be used for something, and that PKCS#11 has for its class (v3.0, 4.9, 4.10). */
export const useAttributes: Readonly<Record<'secret' | 'private', readonly string[]>> = {
  secret: ['CKA_ENCRYPT', 'CKA_DECRYPT', 'CKA_SIGN', 'CKA_VERIFY', 'CKA_WRAP', 'CKA_UNWRAP', 'CKA_DERIVE'],
  private: ['CKA_DECRYPT', 'CKA_SIGN', 'CKA_SIGN_RECOVER', 'CKA_UNWRAP', 'CKA_DERIVE'],
};

/** The same of any class: some tokens give a key more than PKCS#11 has. */
export const allUseAttributes: readonly string[] = [
  ...new Set([...useAttributes.secret, ...useAttributes.private, 'CKA_VERIFY_RECOVER']),
];
