import type pkcs11 from 'pkcs11js';
import { type AttributeName, type Attributes, type AttributeValue, readAttributes, template } from './attributes.js';
import { ExtractionTrial } from './extraction-trial.js';
import { GcmIvs } from './gcm-ivs.js';
import { type ImportedObject, ImportSession } from './import-session.js';
import type { GeneratedKey } from './key-maker.js';
import {
  type KeyGeneration,
  type KeyPairGeneration,
  type KeyPermissions,
  type ObjectNames,
  sharedSecretTemplate,
} from './key-templates.js';
import { ecdh1, gcmIvBytes, type Mechanism } from './mechanisms.js';
import { loadModule, outlastLoginOfAnother, useSlot } from './module.js';
import type { KeyObject } from './object-handles.js';
import { type LabelledObject, listKeyObjects, readLabelled } from './object-index.js';
import { ProbeObjects } from './probe-objects.js';
import { TokenError, tokenError } from './return-values.js';
import type { VersionedKey } from './session-copies.js';
import { TokenCalls } from './token-calls.js';
import type { TokenConnection } from './token-connection.js';
import { type ModuleFacts, moduleFacts, type TokenFacts, tokenFacts } from './token-facts.js';
import { TokenLink } from './token-link.js';
import type { TokenState } from './token-meter.js';
import type { TokenIdentity } from './token-selection.js';
import type { TokenPlace, TokenSettings } from './token-settings.js';

/** How many times longer than a signature the generation of a key may take. */
const patienceForGeneration = 8;

/** One use of a key. */
export interface KeyCall {
  /** With a version, where the key may be used by a copy. */
  readonly key: KeyObject | VersionedKey;
  readonly mechanism: Mechanism;
  /** Never shorter than the token's answer, in bytes. */
  readonly outputBytes: number;
  /** True for what is taken to be long until it is measured (RSA private keys): see `call-pace.ts`. */
  readonly slow?: boolean;
  /** True for who may hold what others wait for, as a transaction of the store. */
  readonly atOnce?: boolean;
}

/**
 * A token with a logged-in user: the only door to PKCS#11 for the rest of the service. While the token is gone, every
 * call fails at once with TokenUnavailableError.
 */
export class Token {
  /** An object that is always there: a token that does not show it hides others, too. */
  landmark: KeyObject | undefined;
  /** What shows what it can do. */
  readonly probe: ProbeObjects;
  private readonly calls: TokenCalls;
  private readonly ivs = new GcmIvs((bytes) => this.random(bytes));

  private constructor(
    private readonly cryptoki: pkcs11.PKCS11,
    private readonly link: TokenLink,
  ) {
    this.calls = new TokenCalls(link);
    this.probe = new ProbeObjects(cryptoki, link, this.calls);
  }

  /** Loads the module, finds the token and logs in. @throws Error that says what to do */
  static open(settings: TokenSettings): Token {
    const cryptoki = loadModule(settings.module, settings.moduleParameters);
    const link = new TokenLink(cryptoki, settings);
    return new Token(link.functions, link);
  }

  /**
   * Throws unless the module shows the token; does not log in.
   *
   * @throws TokenNotFoundError; Error when the module does not start
   */
  static expectPresent(place: TokenPlace): void {
    useSlot(loadModule(place.module, place.moduleParameters), place.selector, place.moduleParameters);
  }

  /** What a token says of itself to who has not logged in. @throws TokenNotFoundError; TokenError; Error */
  static look({ module, moduleParameters, selector }: TokenPlace): TokenFacts {
    const cryptoki = loadModule(module, moduleParameters);
    const slot = useSlot(cryptoki, selector, moduleParameters);
    return outlastLoginOfAnother(() => tokenFacts(cryptoki, slot));
  }

  get identity(): TokenIdentity {
    return this.link.identity;
  }

  /** What is known of its kind. */
  get profileName(): string {
    return this.link.profile.name;
  }

  /** Attributes that it does not keep as PKCS#11 has them, or refuses in a template: reading them back says nothing. */
  get unkeptAttributes(): readonly AttributeName[] {
    const { unkeptAttributes, refusedAttributes } = this.link.profile;
    return [...unkeptAttributes, ...refusedAttributes];
  }

  private get connection(): TokenConnection {
    return this.link.connection;
  }

  /** Ends all sessions, and the login with them, when the calls in flight are over. */
  close(): Promise<void> {
    return this.link.close();
  }

  /** Numbers of the mechanisms that the token lists; some lists lie, so what is used is probed. */
  mechanisms(): ReadonlySet<number> {
    return new Set(this.cryptoki.C_GetMechanismList(this.connection.slot));
  }

  /** True when the token answers and the login holds. */
  isHealthy(): boolean {
    return this.link.isHealthy();
  }

  /** False while the token is gone, as far as is known. */
  get isThere(): boolean {
    return this.link.isThere;
  }

  /** How it is at the moment, for who watches it. */
  get state(): TokenState {
    return this.link.state;
  }

  /** Looks whether the token is there still; to be called now and then, so that an idle service finds out, too. */
  watch(): void {
    this.link.watch();
  }

  /** C_GenerateRandom. @throws TokenError */
  random(bytes: number): Buffer {
    const buffer = Buffer.allocUnsafeSlow(bytes);
    return this.calls.now((session) => this.cryptoki.C_GenerateRandom(session, buffer));
  }

  /** An IV to give to CKM_AES_GCM for one encryption; `usedGcmIv` afterwards. @throws TokenError */
  newGcmIv(): Buffer {
    const { gcmIv, computesHere } = this.link.profile;
    if (gcmIv === 'token') return Buffer.alloc(gcmIvBytes);
    return computesHere ? this.ivs.next() : this.random(gcmIvBytes);
  }

  /**
   * The IV that an encryption has used: a token that makes it itself has written it into the buffer that it was given.
   *
   * @throws Error when it has not: zeros a second time would give the key away
   */
  usedGcmIv(iv: Buffer): Buffer {
    if (this.link.profile.gcmIv === 'token' && iv.every((byte) => byte === 0)) {
      throw new Error('the token makes no IVs of AES-GCM, and its profile says that it does (gcmIv)');
    }
    return iv;
  }

  /** C_EncryptInit, C_Encrypt. @throws TokenError, ObjectMissingError, TokenBusyError */
  encrypt(call: KeyCall, plaintext: Buffer): Buffer | Promise<Buffer> {
    const output = Buffer.allocUnsafeSlow(call.outputBytes);
    return this.calls.withKey(call, {
      begin: (session, handle) => this.cryptoki.C_EncryptInit(session, call.mechanism, handle),
      finish: (session) => this.cryptoki.C_Encrypt(session, plaintext, output),
      finishElsewhere: (session) => this.cryptoki.C_EncryptAsync(session, plaintext, output),
    });
  }

  /**
   * C_DecryptInit, C_Decrypt.
   *
   * @returns undefined when the ciphertext is not one of this key's
   * @throws TokenError, ObjectMissingError, TokenBusyError
   */
  decrypt(call: KeyCall, ciphertext: Buffer): Buffer | undefined | Promise<Buffer | undefined> {
    const output = Buffer.allocUnsafeSlow(call.outputBytes);
    const { calls, cryptoki } = this;
    return calls.unlessDataIsWrong(() =>
      calls.withKey(call, {
        begin: (session, handle) => cryptoki.C_DecryptInit(session, call.mechanism, handle),
        finish: (session) => calls.judging('C_Decrypt', () => cryptoki.C_Decrypt(session, ciphertext, output)),
        finishElsewhere: (session) =>
          calls.judging('C_Decrypt', () => cryptoki.C_DecryptAsync(session, ciphertext, output)),
      }),
    );
  }

  /** C_SignInit, C_Sign: signatures and MACs. @throws TokenError, ObjectMissingError, TokenBusyError */
  sign(call: KeyCall, data: Buffer): Buffer | Promise<Buffer> {
    const output = Buffer.allocUnsafeSlow(call.outputBytes);
    return this.calls.withKey(call, {
      begin: (session, handle) => this.cryptoki.C_SignInit(session, call.mechanism, handle),
      finish: (session) => this.cryptoki.C_Sign(session, data, output),
      finishElsewhere: (session) => this.cryptoki.C_SignAsync(session, data, output),
    });
  }

  /** C_VerifyInit, C_Verify. @throws TokenError, ObjectMissingError, TokenBusyError */
  async verify(call: Omit<KeyCall, 'outputBytes' | 'slow'>, data: Buffer, signature: Buffer): Promise<boolean> {
    const { calls, cryptoki } = this;
    const timed = { ...call, outputBytes: signature.length };
    const verified = await calls.unlessDataIsWrong(() =>
      calls.withKey(timed, {
        begin: (session, handle) => cryptoki.C_VerifyInit(session, call.mechanism, handle),
        finish: (session) => calls.judging('C_Verify', () => cryptoki.C_Verify(session, data, signature)),
      }),
    );
    return verified === true;
  }

  /**
   * CKM_ECDH1_DERIVE, and the secret read out of the session object.
   *
   * @param point a point of the curve, uncompressed
   * @param bytes length of the secret: the curve's field size
   * @throws TokenError, ObjectMissingError, TokenBusyError
   */
  deriveSharedSecret(key: KeyObject, point: Buffer, bytes: number): Buffer | Promise<Buffer> {
    const { calls, cryptoki } = this;
    const mechanism = ecdh1(point);
    const finish = (session: pkcs11.Handle, handle: pkcs11.Handle) => {
      const derived = cryptoki.C_DeriveKey(session, mechanism, handle, template(sharedSecretTemplate(bytes)));
      try {
        return readAttributes(cryptoki, session, derived, ['CKA_VALUE']).CKA_VALUE;
      } finally {
        cryptoki.C_DestroyObject(session, derived);
      }
    };
    return calls.withKey({ key, mechanism, outputBytes: bytes }, { finish });
  }

  /**
   * Makes a key that stays in the token, and reads back what was promised of it. Where the token made something else,
   * it is destroyed again.
   *
   * @throws Error that names the attribute; TokenError
   */
  generate(generation: KeyGeneration, names: ObjectNames, permissions: KeyPermissions): Promise<GeneratedKey> {
    const { sessions, maker } = this.connection;
    return sessions.use((session) => maker.make(session, generation, names, permissions, {}), patienceForGeneration);
  }

  /** What the module says of itself. @throws TokenError */
  moduleFacts(): ModuleFacts {
    return this.asTokenError(() => moduleFacts(this.cryptoki));
  }

  /** What the token says of itself, and of its mechanisms. @throws TokenError */
  facts(): TokenFacts {
    return this.asTokenError(() => tokenFacts(this.cryptoki, this.connection.slot));
  }

  private asTokenError<T>(call: () => T): T {
    try {
      return call();
    } catch (thrown) {
      throw tokenError(thrown);
    }
  }

  /** Makes a key pair as session objects, reads both keys and destroys them. @throws TokenError, TokenBusyError */
  generateDisclosedKeyPair(
    generation: KeyPairGeneration,
  ): Promise<{ publicValue: Attributes; privateValue: Attributes }> {
    return this.calls.elsewhere((session, { maker }) => maker.makeDisclosed(session, generation), {
      patience: patienceForGeneration,
    });
  }

  /** Attributes of a key in the token. @throws TokenError, ObjectMissingError */
  attributes<N extends AttributeName>(key: KeyObject, names: readonly N[]): { [K in N]: AttributeValue<K> } {
    return this.calls.withKey(
      { key },
      {
        finish: (session, handle) => readAttributes(this.cryptoki, session, handle, names),
      },
    ) as { [K in N]: AttributeValue<K> };
  }

  /** What tries to get keys out of the token; its objects live until it is ended. */
  extractionTrial(): ExtractionTrial {
    const { slot, loginSession, handles, maker } = this.connection;
    const templateFor = (attributes: Attributes) => maker.templateFor(attributes);
    return new ExtractionTrial(this.cryptoki, slot, loginSession, handles, templateFor);
  }

  /** Imports key material; see ImportSession. @throws TokenError, TokenBusyError, or what `work` throws */
  importing<T>(work: (session: ImportSession) => Promise<T>): Promise<T> {
    const { sessions, handles, maker } = this.connection;
    return sessions.use(async (handle) => {
      const session = new ImportSession(this.cryptoki, handle, handles, (attributes) => maker.templateFor(attributes));
      try {
        return await work(session);
      } finally {
        session.end();
      }
    }, patienceForGeneration);
  }

  /** Destroys objects that an import has kept. @throws TokenError */
  destroyImported(objects: readonly ImportedObject[]): void {
    this.connection.sessions.now((session) => {
      for (const object of objects) this.cryptoki.C_DestroyObject(session, object);
    });
  }

  /** True when an error is explained by what a client sent: key material that the token does not take. */
  isInputAtFault(error: unknown): boolean {
    if (!(error instanceof TokenError)) return false;
    const { reaction } = error;
    return reaction === 'input' || reaction === 'refused' || (reaction === 'ambiguous' && this.calls.worksOtherwise());
  }

  /** All keys in the token, for who compares them with the store. @throws the token's error */
  labelledObjects(): Promise<LabelledObject[]> {
    const { slot, sessions } = this.connection;
    return listKeyObjects(this.cryptoki, slot, () => sessions.isOpen, readLabelled);
  }

  /** True when the token shows the object. @throws TokenError */
  has(key: KeyObject): boolean {
    return this.countOf(key) > 0;
  }

  /** How many objects of that class and CKA_ID the token shows: 0, 1, or 2 for several. @throws TokenError */
  countOf(key: KeyObject): number {
    return this.calls.now((session, { handles }) => handles.find(session, key).length, key);
  }

  /**
   * Destroys all objects of that class and CKA_ID.
   *
   * @throws TokenError; ObjectMissingError when the token shows none, nor those that are always there
   */
  destroy(key: KeyObject): void {
    this.calls.now((session, { handles, copies }) => {
      handles.forget(key);
      copies.forget(key);
      const found = handles.findBeside(session, key, this.landmark);
      for (const handle of found) this.cryptoki.C_DestroyObject(session, handle);
    }, key);
  }
}
