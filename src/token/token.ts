import type pkcs11 from 'pkcs11js';
import type { DeclaredProfile } from '../config/token-profile.js';
import {
  type AttributeName,
  type Attributes,
  type AttributeValue,
  objectClass,
  readAttributes,
  template,
} from './attributes.js';
import { type ImportedObject, ImportSession } from './import-session.js';
import { type GeneratedKey, KeyMaker } from './key-maker.js';
import {
  type KeyGeneration,
  type KeyPairGeneration,
  type KeyPermissions,
  type ObjectNames,
  sharedSecretTemplate,
} from './key-templates.js';
import { ecdh1, gcmIvBytes, type Mechanism } from './mechanisms.js';
import { loadModule, outlastLoginOfAnother, tokenIdentity, tokenInfo, useSlot } from './module.js';
import { type KeyObject, ObjectHandles } from './object-handles.js';
import { PinRefusedError } from './pin-refused-error.js';
import { type InputFunction, profileOf, type TokenProfile, wellNamed } from './profiles.js';
import { TokenError, tokenError } from './return-values.js';
import { mostSessions, withinLimits } from './session-limits.js';
import { readWriteSession, SessionPool, type SessionPoolLimits } from './session-pool.js';
import { type ModuleFacts, moduleFacts, type TokenFacts, tokenFacts } from './token-facts.js';
import { describeSelector, type TokenIdentity, type TokenSelector } from './token-selection.js';

const CKU_USER = 1;

export interface TokenSettings {
  /** Which of the module's tokens. */
  readonly selector: TokenSelector;
  /** Path of the PKCS#11 module. */
  readonly module: string;
  /** What the module is told when it is initialised; see loadModule. */
  readonly moduleParameters?: string | undefined;
  /** Reads the PIN, anew at each login. @throws Error that says where it is to be */
  readonly pin: () => string;
  readonly limits: SessionPoolLimits;
  /** What the configuration says of this kind of token. */
  readonly profile?: DeclaredProfile | undefined;
}

/** One use of a key. */
export interface KeyCall {
  readonly key: KeyObject;
  readonly mechanism: Mechanism;
  /** Never shorter than the token's answer, in bytes. */
  readonly outputBytes: number;
  /**
   * True for what takes long (RSA private keys): done in another thread, in a session of its own. Everything else takes
   * microseconds and costs less on the spot.
   */
  readonly slow?: boolean;
}

/** A token with a logged-in user: the only door to PKCS#11 for the rest of the service. */
export class Token {
  readonly identity: TokenIdentity;
  /** What is known of its kind. */
  readonly profileName: string;
  private readonly profile: TokenProfile;
  private readonly sessions: SessionPool;
  private readonly handles: ObjectHandles;
  private readonly maker: KeyMaker;
  /** Holds the login, and the session objects that outlive a call. */
  private readonly loginSession: pkcs11.Handle;

  private constructor(
    private readonly cryptoki: pkcs11.PKCS11,
    private readonly slot: pkcs11.Handle,
    settings: TokenSettings,
  ) {
    this.identity = tokenIdentity(cryptoki, slot);
    const profile = profileOf(this.identity, settings.profile);
    this.profile = profile;
    this.profileName = profile.name;
    const pin = settings.pin();
    this.loginSession = cryptoki.C_OpenSession(slot, readWriteSession);
    try {
      outlastLoginOfAnother(() => cryptoki.C_Login(this.loginSession, CKU_USER, pin));
    } catch (error) {
      cryptoki.C_CloseSession(this.loginSession);
      throw error;
    }
    const limits = withinLimits(settings.limits, profile.mostSessions ?? mostSessions(tokenInfo(cryptoki, slot)));
    this.sessions = new SessionPool(cryptoki, slot, limits);
    this.handles = new ObjectHandles(cryptoki, profile);
    this.maker = new KeyMaker(cryptoki, this.handles, profile);
  }

  /** Loads the module, finds the token and logs in. @throws Error that says what to do */
  static open(settings: TokenSettings): Token {
    const cryptoki = loadModule(settings.module, settings.moduleParameters);
    const slot = useSlot(cryptoki, settings.selector, settings.moduleParameters);
    try {
      return new Token(cryptoki, slot, settings);
    } catch (thrown) {
      const error = tokenError(thrown);
      if (!(error instanceof TokenError)) throw error;
      const Refusal = PinRefusedError.isCauseOf(error) ? PinRefusedError : Error;
      throw new Refusal(
        `The token with ${describeSelector(settings.selector)} refuses the login: ${error.message}. Check its PIN.`,
        { cause: error },
      );
    }
  }

  /**
   * Throws unless the module shows the token; does not log in.
   *
   * @throws TokenNotFoundError; Error when the module does not start
   */
  static expectPresent(settings: Omit<TokenSettings, 'pin' | 'limits'>): void {
    useSlot(loadModule(settings.module, settings.moduleParameters), settings.selector, settings.moduleParameters);
  }

  /** Ends all sessions, and the login with them, when the calls in flight are over. */
  async close(): Promise<void> {
    await this.sessions.close();
    try {
      this.cryptoki.C_CloseAllSessions(this.slot);
    } catch {
      // a token that does not answer has no login either
    }
  }

  /** Numbers of the mechanisms that the token lists; some lists lie, so what is used is probed. */
  mechanisms(): ReadonlySet<number> {
    return new Set(this.cryptoki.C_GetMechanismList(this.slot));
  }

  /** True when the token answers and the login holds. */
  isHealthy(): boolean {
    try {
      tokenInfo(this.cryptoki, this.slot);
      const CKS_RW_USER_FUNCTIONS = 3;
      return this.cryptoki.C_GetSessionInfo(this.loginSession).state === CKS_RW_USER_FUNCTIONS;
    } catch {
      return false;
    }
  }

  /** C_GenerateRandom. @throws TokenError */
  random(bytes: number): Buffer {
    const buffer = Buffer.allocUnsafeSlow(bytes);
    return this.sessions.now((session) => this.cryptoki.C_GenerateRandom(session, buffer));
  }

  /** An IV to give to CKM_AES_GCM for one encryption; `usedGcmIv` afterwards. @throws TokenError */
  newGcmIv(): Buffer {
    return this.profile.gcmIv === 'token' ? Buffer.alloc(gcmIvBytes) : this.random(gcmIvBytes);
  }

  /**
   * The IV that an encryption has used: a token that makes it itself has written it into the buffer that it was given.
   *
   * @throws Error when it has not: zeros a second time would give the key away
   */
  usedGcmIv(iv: Buffer): Buffer {
    if (this.profile.gcmIv === 'token' && iv.every((byte) => byte === 0)) {
      throw new Error('the token makes no IVs of AES-GCM, and its profile says that it does (gcmIv)');
    }
    return iv;
  }

  /** C_EncryptInit, C_Encrypt. @throws TokenError, ObjectMissingError, TokenBusyError */
  encrypt(call: KeyCall, plaintext: Buffer): Buffer | Promise<Buffer> {
    const output = Buffer.allocUnsafeSlow(call.outputBytes);
    return this.withKey(call, {
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
    return this.unlessInputIsWrong(() =>
      this.withKey(call, {
        begin: (session, handle) => this.cryptoki.C_DecryptInit(session, call.mechanism, handle),
        finish: (session) => this.wellNamed('C_Decrypt', () => this.cryptoki.C_Decrypt(session, ciphertext, output)),
        finishElsewhere: (session) =>
          this.wellNamed('C_Decrypt', () => this.cryptoki.C_DecryptAsync(session, ciphertext, output)),
      }),
    );
  }

  /** C_SignInit, C_Sign: signatures and MACs. @throws TokenError, ObjectMissingError, TokenBusyError */
  sign(call: KeyCall, data: Buffer): Buffer | Promise<Buffer> {
    const output = Buffer.allocUnsafeSlow(call.outputBytes);
    return this.withKey(call, {
      begin: (session, handle) => this.cryptoki.C_SignInit(session, call.mechanism, handle),
      finish: (session) => this.cryptoki.C_Sign(session, data, output),
      finishElsewhere: (session) => this.cryptoki.C_SignAsync(session, data, output),
    });
  }

  /** C_VerifyInit, C_Verify. @throws TokenError, ObjectMissingError */
  verify(call: Omit<KeyCall, 'outputBytes' | 'slow'>, data: Buffer, signature: Buffer): boolean {
    const verified = this.unlessInputIsWrong(() =>
      this.withKey(call, {
        begin: (session, handle) => this.cryptoki.C_VerifyInit(session, call.mechanism, handle),
        finish: (session) => this.wellNamed('C_Verify', () => this.cryptoki.C_Verify(session, data, signature)),
      }),
    );
    return verified === true;
  }

  /**
   * CKM_ECDH1_DERIVE, and the secret read out of the session object.
   *
   * @param point the peer's uncompressed point
   * @param bytes length of the secret: the curve's field size
   * @returns undefined when the token does not take the point
   */
  deriveSharedSecret(key: KeyObject, point: Buffer, bytes: number): Buffer | undefined {
    const secret = this.unlessInputIsWrong(() =>
      this.withKey(
        { key },
        {
          finish: (session, handle) => {
            const derived = this.cryptoki.C_DeriveKey(
              session,
              ecdh1(point),
              handle,
              template(sharedSecretTemplate(bytes)),
            );
            try {
              return readAttributes(this.cryptoki, session, derived, ['CKA_VALUE']).CKA_VALUE;
            } finally {
              this.cryptoki.C_DestroyObject(session, derived);
            }
          },
        },
      ),
    );
    return secret as Buffer | undefined;
  }

  /**
   * Makes a key that stays in the token, and reads back what was promised of it. Where the token made something else,
   * it is destroyed again.
   *
   * @throws Error that names the attribute; TokenError
   */
  generate(generation: KeyGeneration, names: ObjectNames, permissions: KeyPermissions): Promise<GeneratedKey> {
    return this.sessions.use((session) => this.maker.make(session, generation, names, permissions, {}));
  }

  /**
   * Makes a key as `generate` does, but of session objects: what shows whether the token can, without leaving anything.
   * One at a time; `forget` it afterwards.
   */
  generateForProbe(generation: KeyGeneration, names: ObjectNames, permissions: KeyPermissions): Promise<GeneratedKey> {
    return this.maker.make(this.loginSession, generation, names, permissions, { CKA_TOKEN: false });
  }

  /** C_CreateObject of a session object whose value is known: for known-answer tests. @throws TokenError */
  importForProbe(key: KeyObject, attributes: Attributes): void {
    try {
      const handle = this.cryptoki.C_CreateObject(
        this.loginSession,
        template({
          CKA_CLASS: objectClass[key.class],
          CKA_TOKEN: false,
          CKA_PRIVATE: true,
          CKA_SENSITIVE: false,
          CKA_EXTRACTABLE: true,
          ...attributes,
        }),
      );
      this.handles.remember(key, handle);
    } catch (thrown) {
      throw tokenError(thrown);
    }
  }

  /**
   * C_CopyObject of a key in the token to a session object, which must stay as protected: what shows whether hot keys can
   * be used by copies. `forgetProbe` the copy afterwards.
   *
   * @throws Error that says how the copy is less protected; TokenError
   */
  copyForProbe(original: KeyObject, copy: KeyObject): void {
    this.withKey(
      { key: original },
      {
        finish: (_session, handle) => {
          const parameters = template({ CKA_TOKEN: false, CKA_ID: copy.id });
          this.handles.remember(copy, this.cryptoki.C_CopyObject(this.loginSession, handle, parameters));
        },
      },
    );
    const { CKA_SENSITIVE, CKA_EXTRACTABLE } = this.attributes(copy, ['CKA_SENSITIVE', 'CKA_EXTRACTABLE']);
    if (!CKA_SENSITIVE || CKA_EXTRACTABLE) {
      throw new Error(`the copy has CKA_SENSITIVE ${CKA_SENSITIVE} and CKA_EXTRACTABLE ${CKA_EXTRACTABLE}`);
    }
  }

  /** What the module says of itself. @throws TokenError */
  moduleFacts(): ModuleFacts {
    return this.asTokenError(() => moduleFacts(this.cryptoki));
  }

  /** What the token says of itself, and of its mechanisms. @throws TokenError */
  facts(): TokenFacts {
    return this.asTokenError(() => tokenFacts(this.cryptoki, this.slot));
  }

  private asTokenError<T>(call: () => T): T {
    try {
      return call();
    } catch (thrown) {
      throw tokenError(thrown);
    }
  }

  /** Destroys the session objects of a probe. */
  forgetProbe(id: Buffer): void {
    for (const each of ['secret', 'private', 'public'] as const) {
      const handle = this.handles.take({ id, class: each });
      if (handle) this.cryptoki.C_DestroyObject(this.loginSession, handle);
    }
  }

  /** Makes a key pair as session objects, reads both keys and destroys them. @throws TokenError, TokenBusyError */
  generateDisclosedKeyPair(
    generation: KeyPairGeneration,
  ): Promise<{ publicValue: Attributes; privateValue: Attributes }> {
    return this.sessions.use((session) => this.maker.makeDisclosed(session, generation));
  }

  /** Attributes of a key in the token. @throws TokenError, ObjectMissingError */
  attributes<N extends AttributeName>(key: KeyObject, names: readonly N[]): { [K in N]: AttributeValue<K> } {
    return this.withKey(
      { key },
      {
        finish: (session, handle) => readAttributes(this.cryptoki, session, handle, names),
      },
    ) as { [K in N]: AttributeValue<K> };
  }

  /** Imports key material; see ImportSession. @throws TokenError, TokenBusyError, or what `work` throws */
  importing<T>(work: (session: ImportSession) => Promise<T>): Promise<T> {
    return this.sessions.use(async (handle) => {
      const session = new ImportSession(this.cryptoki, handle, this.handles, (attributes) =>
        this.maker.templateFor(attributes),
      );
      try {
        return await work(session);
      } finally {
        session.end();
      }
    });
  }

  /** Destroys objects that an import has kept. @throws TokenError */
  destroyImported(objects: readonly ImportedObject[]): void {
    this.sessions.now((session) => {
      for (const object of objects) this.cryptoki.C_DestroyObject(session, object);
    });
  }

  /** True when an error is explained by what a client sent: key material that the token does not take. */
  isInputAtFault(error: unknown): boolean {
    if (!(error instanceof TokenError)) return false;
    const { reaction } = error;
    return reaction === 'input' || reaction === 'refused' || (reaction === 'ambiguous' && this.isHealthy());
  }

  /** True when the token shows the object. @throws TokenError */
  has(key: KeyObject): boolean {
    return this.countOf(key) > 0;
  }

  /** How many objects of that class and CKA_ID the token shows: 0, 1, or 2 for several. @throws TokenError */
  countOf(key: KeyObject): number {
    return this.sessions.now((session) => this.handles.find(session, key).length);
  }

  /** Destroys all objects of that class and CKA_ID. @throws TokenError */
  destroy(key: KeyObject): void {
    this.handles.forget(key);
    const attempt = () =>
      this.sessions.now((session) => {
        for (const handle of this.handles.find(session, key)) this.cryptoki.C_DestroyObject(session, handle);
      });
    try {
      attempt();
    } catch (error) {
      if (!this.isWorthAnotherTry(key, error)) throw error;
      attempt();
    }
  }

  /** One operation with a key: on the spot, or its last step in another thread. A stale handle is found again, once. */
  private withKey<T>(call: Pick<KeyCall, 'key' | 'slow'>, steps: Steps<T>): T | Promise<T> {
    return (call.slow || this.profile.calls === 'threads') && steps.finishElsewhere
      ? this.withKeyElsewhere(call.key, steps.begin, steps.finishElsewhere)
      : this.withKeyNow(call.key, steps);
  }

  private withKeyNow<T>(key: KeyObject, { begin, finish }: Steps<T>): T {
    const attempt = () =>
      this.sessions.now((session) => {
        const handle = this.handles.of(session, key);
        begin?.(session, handle);
        return finish(session, handle);
      });
    try {
      return attempt();
    } catch (error) {
      if (!this.isWorthAnotherTry(key, error)) throw error;
      return attempt();
    }
  }

  private async withKeyElsewhere<T>(
    key: KeyObject,
    begin: Steps<T>['begin'],
    finish: (session: pkcs11.Handle) => Promise<T>,
  ): Promise<T> {
    const attempt = () =>
      this.sessions.use(async (session) => {
        begin?.(session, this.handles.of(session, key));
        return finish(session);
      });
    try {
      return await attempt();
    } catch (error) {
      if (!this.isWorthAnotherTry(key, error)) throw error;
      return attempt();
    }
  }

  private isWorthAnotherTry(key: KeyObject, error: unknown): boolean {
    if (!(error instanceof TokenError)) return false;
    if (error.reaction === 'handle') this.handles.forget(key);
    return error.reaction === 'handle' || error.reaction === 'session';
  }

  /** Has what a function throws named as PKCS#11 has it. */
  private wellNamed<T>(on: InputFunction, call: () => T): T {
    const rethrow = (thrown: unknown): never => {
      throw wellNamed(this.profile, on, thrown);
    };
    try {
      const result = call();
      return result instanceof Promise ? (result.catch(rethrow) as T) : result;
    } catch (thrown) {
      return rethrow(thrown);
    }
  }

  /** Undefined for an error that the input explains; where it may as well be the token's fault, its health decides. */
  private unlessInputIsWrong<T>(call: () => T | Promise<T>): T | undefined | Promise<T | undefined> {
    const explain = (error: unknown): undefined => {
      if (error instanceof TokenError) {
        if (error.reaction === 'input') return undefined;
        if (error.reaction === 'ambiguous' && this.isHealthy()) return undefined;
      }
      throw error;
    };
    try {
      const result = call();
      return result instanceof Promise ? result.catch(explain) : result;
    } catch (error) {
      return explain(error);
    }
  }
}

interface Steps<T> {
  begin?: (session: pkcs11.Handle, handle: pkcs11.Handle) => void;
  finish: (session: pkcs11.Handle, handle: pkcs11.Handle) => T;
  finishElsewhere?: (session: pkcs11.Handle) => Promise<T>;
}
