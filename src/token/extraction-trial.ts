import type pkcs11 from 'pkcs11js';
import {
  type AttributeName,
  type Attributes,
  type AttributeValue,
  attributeNames,
  objectClass,
  readAttributes,
  template,
} from './attributes.js';
import { disclosedKeyPairTemplates, type KeyGeneration, type PrivateValueAttribute } from './key-templates.js';
import { type KeyObject, type ObjectHandles, objectName } from './object-handles.js';
import { listKeyObjects, readShown } from './object-index.js';
import { TokenError, tokenError } from './return-values.js';
import {
  type WrappingKey,
  type WrappingKeyName,
  type WrappingWay,
  wrappingKeys,
  wrappingWays,
} from './wrapping-ways.js';

/** How an attempt ended: the token did it, and gave so many bytes; or the error that it answered with. */
export type Outcome = { readonly bytes: number } | { readonly refused: TokenError };

/** What became of a copy that was asked to be less protected than its original. */
type CopyOutcome = { readonly sensitive: boolean; readonly extractable: boolean } | { readonly refused: TokenError };

/** Attributes that hold a secret key or a private key (PKCS#11 v3.0, 2.1.3, 2.3.4; CKA_SEED of v3.2). */
const secretAttributes = [
  'CKA_VALUE',
  'CKA_PRIVATE_EXPONENT',
  'CKA_PRIME_1',
  'CKA_PRIME_2',
  'CKA_EXPONENT_1',
  'CKA_EXPONENT_2',
  'CKA_COEFFICIENT',
  'CKA_SEED',
] as const satisfies readonly (PrivateValueAttribute | 'CKA_SEED')[];
type SecretAttribute = (typeof secretAttributes)[number];

/** What a copy is asked to be, and what is changed of it when it has been made. */
const weakerCopies = [
  ['CKA_SENSITIVE false', { CKA_SENSITIVE: false }, undefined],
  ['CKA_EXTRACTABLE true', { CKA_EXTRACTABLE: true }, undefined],
  ['CKA_SENSITIVE false, set afterwards', {}, { CKA_SENSITIVE: false }],
  ['CKA_EXTRACTABLE true, set afterwards', {}, { CKA_EXTRACTABLE: true }],
] as const satisfies readonly (readonly [string, Attributes, Attributes | undefined])[];
type WeakerCopy = (typeof weakerCopies)[number][0];

const isSecret = (name: AttributeName) => (secretAttributes as readonly AttributeName[]).includes(name);

/** More than anybody plants, and than a token shows twice. */
const mostObjects = 100;

/** Longer than the PKCS#8 of an ML-DSA-87 key and what a mechanism adds, in bytes. */
const wrappedBytes = 16_384;

/**
 * Tries to get keys out of a token, as who has the user PIN can. What it gets is overwritten at once: only that it was
 * given, and how many bytes, is told. It makes session objects only; `end` destroys them.
 */
export class ExtractionTrial {
  private readonly made: pkcs11.Handle[] = [];
  private readonly wrapping = new Map<WrappingKeyName, pkcs11.Handle | TokenError>();

  /** What the token has shown when all of it was listed. */
  private listed = new Map<string, pkcs11.Handle[]>();

  constructor(
    private readonly cryptoki: pkcs11.PKCS11,
    private readonly slot: pkcs11.Handle,
    private readonly session: pkcs11.Handle,
    private readonly handles: ObjectHandles,
    /** As this kind of token takes it. */
    private readonly templateFor: (attributes: Attributes) => pkcs11.Template,
  ) {}

  /** Lists the whole token, for who is to try many keys: a search for each takes as long (`listKeyObjects`). @throws TokenError */
  async listAll(): Promise<void> {
    const listed = new Map<string, pkcs11.Handle[]>();
    for (const { handle, ...object } of await listKeyObjects(this.cryptoki, this.slot, () => true, readShown)) {
      const name = objectName(object);
      listed.set(name, [...(listed.get(name) ?? []), handle]);
    }
    this.listed = listed;
  }

  /**
   * All token objects of a class with that CKA_ID: one, but for what somebody else has put beside it.
   *
   * @throws TokenError
   */
  objects(object: KeyObject): pkcs11.Handle[] {
    return this.listed.get(objectName(object)) ?? this.handles.find(this.session, object, mostObjects);
  }

  /**
   * Every attribute of an object that PKCS#11 has and this service knows, but for those that hold secrets: its value, or
   * the error that reading it gave.
   */
  attributes(handle: pkcs11.Handle, isPublic: boolean): Map<AttributeName, AttributeValue<AttributeName> | TokenError> {
    // the CKA_VALUE of a public key is one
    const names = attributeNames.filter((name) => !isSecret(name) || (isPublic && name === 'CKA_VALUE'));
    return new Map(
      names.map((name) => [
        name,
        this.attempt(() => {
          try {
            return readAttributes(this.cryptoki, this.session, handle, [name])[name];
          } catch (thrown) {
            // a value of the wrong length does not decode: it is one attribute that says nothing
            throw thrown instanceof RangeError || thrown instanceof TypeError
              ? new TokenError(undefined, thrown)
              : thrown;
          }
        }),
      ]),
    );
  }

  /** C_GetAttributeValue of each attribute that holds a secret. */
  secretReads(handle: pkcs11.Handle): Map<SecretAttribute, Outcome> {
    return new Map(
      secretAttributes.map((name) => [
        name,
        this.outcome(() => readAttributes(this.cryptoki, this.session, handle, [name])[name]),
      ]),
    );
  }

  /** C_WrapKey. @param ways that the token lists */
  wraps(handle: pkcs11.Handle, ways: readonly WrappingWay[]): Map<WrappingWay, Outcome> {
    const output = Buffer.alloc(wrappedBytes);
    return new Map(
      ways.map((way) => {
        const by = this.wrappingKey(way.by);
        if (by instanceof TokenError) return [way, { refused: by }];
        return [
          way,
          this.outcome(() => this.cryptoki.C_WrapKey(this.session, way.mechanism(), by, handle, output), output),
        ];
      }),
    );
  }

  /** C_CopyObject with each protection taken away, or C_SetAttributeValue taking it away from a copy. */
  weakerCopies(handle: pkcs11.Handle): Map<WeakerCopy, CopyOutcome> {
    return new Map(weakerCopies.map(([name, attributes, changes]) => [name, this.copyOf(handle, attributes, changes)]));
  }

  /**
   * A key of the same kind that may leave: what is refused of it is not refused because of a key's protection.
   *
   * @throws TokenError where the token makes none
   */
  unprotectedKey(generation: KeyGeneration): pkcs11.Handle {
    const made = this.attempt(() => this.makeUnprotected(generation));
    if (made instanceof TokenError) throw made;
    return made;
  }

  /** Destroys what was made; what cannot be destroyed ends with the session. */
  end(): void {
    for (const handle of this.made.splice(0)) this.attempt(() => this.cryptoki.C_DestroyObject(this.session, handle));
    this.wrapping.clear();
  }

  private copyOf(handle: pkcs11.Handle, attributes: Attributes, changes: Attributes | undefined): CopyOutcome {
    const made = this.attempt(() =>
      this.cryptoki.C_CopyObject(this.session, handle, template({ CKA_TOKEN: false, ...attributes })),
    );
    if (made instanceof TokenError) return { refused: made };
    this.made.push(made);
    const change = () => {
      if (changes) this.cryptoki.C_SetAttributeValue(this.session, made, template(changes));
    };
    const refused = this.attempt(change);
    return refused instanceof TokenError ? { refused } : this.protectionOf(made);
  }

  private protectionOf(handle: pkcs11.Handle): CopyOutcome {
    const names = ['CKA_SENSITIVE', 'CKA_EXTRACTABLE'] as const;
    const read = this.attempt(() => readAttributes(this.cryptoki, this.session, handle, names));
    return read instanceof TokenError
      ? { refused: read }
      : { sensitive: read.CKA_SENSITIVE, extractable: read.CKA_EXTRACTABLE };
  }

  private makeUnprotected(generation: KeyGeneration): pkcs11.Handle {
    if (generation.kind === 'pair') {
      const templates = disclosedKeyPairTemplates(generation);
      const pair = this.cryptoki.C_GenerateKeyPair(
        this.session,
        generation.mechanism,
        this.templateFor(templates.public),
        this.templateFor(templates.private),
      );
      this.made.push(pair.publicKey, pair.privateKey);
      return pair.privateKey;
    }
    const attributes = {
      CKA_CLASS: objectClass.secret,
      CKA_KEY_TYPE: generation.keyType,
      CKA_VALUE_LEN: generation.bytes,
      CKA_TOKEN: false,
      CKA_PRIVATE: true,
      CKA_SENSITIVE: false,
      CKA_EXTRACTABLE: true,
      CKA_SIGN: true,
    };
    const key = this.cryptoki.C_GenerateKey(this.session, generation.mechanism, this.templateFor(attributes));
    this.made.push(key);
    return key;
  }

  private wrappingKey(name: WrappingKeyName): pkcs11.Handle | TokenError {
    const known = this.wrapping.get(name);
    if (known) return known;
    const made = this.attempt(() => this.makeWrappingKey(wrappingKeys[name]));
    this.wrapping.set(name, made);
    return made;
  }

  private makeWrappingKey({ generation, attributes, privateAttributes }: WrappingKey): pkcs11.Handle {
    if (privateAttributes === undefined) {
      const key = this.cryptoki.C_GenerateKey(this.session, generation, this.templateFor(attributes));
      this.made.push(key);
      return key;
    }
    const pair = this.cryptoki.C_GenerateKeyPair(
      this.session,
      generation,
      this.templateFor(attributes),
      this.templateFor(privateAttributes),
    );
    this.made.push(pair.publicKey, pair.privateKey);
    return pair.publicKey;
  }

  private attempt<T>(call: () => T): T | TokenError {
    try {
      return call();
    } catch (thrown) {
      const error = tokenError(thrown);
      if (error instanceof TokenError) return error;
      throw error;
    }
  }

  /** @param output that the call writes into, where it is not what it gives */
  private outcome(call: () => Buffer, output?: Buffer): Outcome {
    const given = this.attempt(call);
    if (given instanceof TokenError) return { refused: given };
    const bytes = given.length;
    given.fill(0);
    output?.fill(0);
    return { bytes };
  }
}

/** The ways whose mechanism a token lists at all: some lists do not say that it wraps. */
export function listedWays(mechanisms: ReadonlySet<number>): WrappingWay[] {
  return wrappingWays.filter(({ type }) => mechanisms.has(type));
}
