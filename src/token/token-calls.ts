import type pkcs11 from 'pkcs11js';
import { CallBatch } from './call-batch.js';
import type { CallPlace, CallTraits } from './call-pace.js';
import { CallTurns } from './call-turns.js';
import type { Mechanism } from './mechanisms.js';
import type { KeyObject } from './object-handles.js';
import { type InputFunction, wellNamed } from './profiles.js';
import { Retries } from './retries.js';
import { TokenError } from './return-values.js';
import type { VersionedKey } from './session-copies.js';
import type { TokenConnection } from './token-connection.js';
import type { TokenLink } from './token-link.js';

/** One operation with a key. */
export interface Steps<T> {
  /** C_EncryptInit and the like. */
  begin?: (session: pkcs11.Handle, handle: pkcs11.Handle) => void;
  finish: (session: pkcs11.Handle, handle: pkcs11.Handle) => T;
  /** The same in another thread. */
  finishElsewhere?: (session: pkcs11.Handle) => Promise<T>;
}

/** What a key is used for; with mechanism and length of the output, its calls are timed. */
interface KeyUse {
  readonly key: KeyObject | VersionedKey;
  readonly slow?: boolean;
  readonly mechanism?: Mechanism;
  readonly outputBytes?: number;
  /** True for who may hold what others wait for, as a transaction of the store: such a call waits for no others. */
  readonly atOnce?: boolean;
}

/** How calls of a token are made: in which session, in which thread, and again where an error asks for it. */
export class TokenCalls {
  private readonly batch = new CallBatch();
  private readonly turns: CallTurns;

  constructor(private readonly link: TokenLink) {
    this.turns = new CallTurns(link.limits, this.batch, link.arrivals, link.meter);
  }

  /**
   * One operation with a key, made where `call-pace.ts` says; at once where it tells no mechanism.
   *
   * @throws TokenError, ObjectMissingError, TokenBusyError
   */
  withKey<T>(call: KeyUse, steps: Steps<T>): T | Promise<T> {
    const { key, mechanism, outputBytes = 0, slow = false, atOnce = false } = call;
    const { begin, finish, finishElsewhere } = steps;
    const traits = mechanism && { key, mechanism, outputBytes, slow, canBeElsewhere: finishElsewhere !== undefined };
    const place = traits && this.placeOf(traits);
    if (finishElsewhere && place === 'elsewhere') {
      return this.elsewhere(
        async (session, connection) => {
          begin?.(session, handleOf(session, key, connection));
          const start = performance.now();
          const result = await finishElsewhere(session);
          if (traits) connection.paces.note(traits, performance.now() - start);
          return result;
        },
        { key },
      );
    }
    const here = () =>
      this.now((session, connection) => {
        const handle = handleOf(session, key, connection);
        begin?.(session, handle);
        if (!traits) return finish(session, handle);
        const start = performance.now();
        const result = finish(session, handle);
        connection.paces.note(traits, performance.now() - start);
        return result;
      }, key);
    if (place === undefined || atOnce) return here();
    return place === 'in turn' ? this.turns.take(here) : this.batch.add(here);
  }

  private placeOf(traits: CallTraits): CallPlace {
    const { profile, connection } = this.link;
    if (profile.calls === 'threads') return traits.canBeElsewhere ? 'elsewhere' : 'together';
    return connection.paces.placeOf(traits);
  }

  /** On the spot. @param key whose handle may be stale @throws TokenError */
  now<T>(call: (session: pkcs11.Handle, connection: TokenConnection) => T, key?: KeyObject): T {
    for (let retries: Retries | undefined; ; ) {
      const { connection } = this.link;
      try {
        return connection.sessions.now((session) => call(session, connection));
      } catch (error) {
        retries ??= new Retries();
        if (!retries.allow(error)) throw error;
        this.link.noteRetry(error);
        if (key) forget(key, connection);
      }
    }
  }

  /** In another thread. @throws TokenError, TokenBusyError, TokenTimeoutError */
  async elsewhere<T>(
    call: (session: pkcs11.Handle, connection: TokenConnection) => Promise<T>,
    { key, patience }: { readonly key?: KeyObject; readonly patience?: number } = {},
  ): Promise<T> {
    for (let retries: Retries | undefined; ; ) {
      const { connection } = this.link;
      try {
        return await connection.sessions.use((session) => call(session, connection), patience);
      } catch (error) {
        retries ??= new Retries();
        if (!retries.allow(error)) throw error;
        this.link.noteRetry(error);
        if (key) forget(key, connection);
      }
    }
  }

  /** A call that judges a client's data: its errors say so, by PKCS#11's names for them. */
  judging<T>(on: InputFunction, call: () => T): T {
    const rethrow = (thrown: unknown): never => {
      const error = wellNamed(this.link.profile, on, thrown);
      if (error instanceof TokenError) error.judging = on;
      throw error;
    };
    try {
      const result = call();
      return result instanceof Promise ? (result.catch(rethrow) as T) : result;
    } catch (thrown) {
      return rethrow(thrown);
    }
  }

  /**
   * Undefined for an error that a client's data explain. Where it may as well be the token's fault, the call is made
   * again; and where it fails again although the token works otherwise, it is the data.
   */
  unlessDataIsWrong<T>(call: () => T | Promise<T>): T | undefined | Promise<T | undefined> {
    const attempt = (again?: () => T | undefined | Promise<T | undefined>) => {
      const explain = (error: unknown) => {
        const verdict = this.verdictOnData(error);
        if (verdict === 'wrong') return undefined;
        if (verdict === 'unclear' && again) return again();
        if (verdict === 'unclear' && this.worksOtherwise()) return undefined;
        throw error;
      };
      try {
        const result = call();
        return result instanceof Promise ? result.catch(explain) : result;
      } catch (error) {
        return explain(error);
      }
    };
    return attempt(() => attempt());
  }

  /** False when the token fails at what it must be able to do. */
  worksOtherwise(): boolean {
    if (this.link.connection.canary.sings()) return true;
    this.link.watch();
    return false;
  }

  /** What an error of a call says of the data that it was to judge. */
  private verdictOnData(error: unknown): 'wrong' | 'unclear' | undefined {
    if (!(error instanceof TokenError) || error.judging === undefined) return undefined;
    if (error.reaction === 'input') return 'wrong';
    const unclear = this.link.profile.saysOfWrongData[error.judging] ?? [];
    return unclear.some((ckr) => ckr === error.ckr) ? 'unclear' : undefined;
  }
}

function handleOf(session: pkcs11.Handle, key: KeyObject | VersionedKey, connection: TokenConnection): pkcs11.Handle {
  return 'version' in key ? connection.copies.handleOf(session, key) : connection.handles.of(session, key);
}

function forget(key: KeyObject, { handles, copies }: TokenConnection): void {
  handles.forget(key);
  copies.forget(key);
}
