import { existsSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import type { Settings } from '../../config/settings.js';
import { Capabilities } from '../../keys/capabilities.js';
import type { Store } from '../../store/store.js';
import { expectPromptAnswer } from '../../token/scout.js';
import { Sealer } from '../../token/sealing.js';
import { Token } from '../../token/token.js';
import { type DataDirectory, dataDirectory, expectInitialised } from '../data-directory.js';
import { checkDataDirectory } from '../data-directory-use.js';
import { type ExclusiveLock, takeExclusiveLock } from '../exclusive-lock.js';
import { expectOwnConfiguration, openAsItIs } from '../own-token.js';
import { inspectDatabase, storeOfSettings } from '../store-of-settings.js';
import { expectTokenOfData } from '../token-of-data.js';
import { tokenWithoutPin, usesOwnSoftHsm } from '../token-settings.js';
import { NotExaminedError } from './finding.js';

export interface DoctorOptions {
  /** Whether to do about findings what is safe to do. */
  readonly repair: boolean;
  /** The service is meant to be stopped. */
  readonly stopped: boolean;
  /** How long an object without a row is watched while a service runs, in milliseconds; see `settleMilliseconds`. */
  readonly settleMilliseconds?: number | undefined;
  /** Of how many keys `repair` destroys objects without a row at the most. */
  readonly mostOrphans: number;
}

/** CKF_ flags of a token that was given a wrong PIN, the worst first. */
const afterWrongPin = ['CKF_USER_PIN_LOCKED', 'CKF_USER_PIN_FINAL_TRY', 'CKF_USER_PIN_COUNT_LOW'] as const;
export type WrongPinFlag = (typeof afterWrongPin)[number];

/** What is looked at, opened when a check first needs it; closed at the end. */
export class Patient {
  readonly directory: DataDirectory;
  readonly now = new Date();
  /** Why nothing in the token or the store may be repaired: something does not fit that is there, and is not understood. */
  readonly doubts: string[] = [];
  private tokenOpened: Promise<Token> | undefined;
  private storeOpened: Promise<Store> | undefined;
  private capabilitiesFound: Promise<Capabilities> | undefined;
  private locks: ExclusiveLock[] | undefined;
  private isBusy = false;

  constructor(
    readonly settings: Settings,
    readonly options: DoctorOptions,
  ) {
    this.directory = dataDirectory(settings);
  }

  /**
   * True when neither a service nor an `init` is at work in the data directory; while repairs are made, none can begin.
   * A service that begins to work in that moment waits for a second.
   */
  get isAtRest(): boolean {
    const { path } = this.directory;
    if (this.locks === undefined) {
      this.locks = [];
      for (const name of ['service.lock', 'init.lock']) {
        const file = join(path, name);
        // what was never locked is not made here
        if (!existsSync(file)) continue;
        const lock = takeExclusiveLock(file, 0);
        if (lock) this.locks.push(lock);
        else this.isBusy = true;
      }
      if (!this.options.repair) this.release();
    }
    return !this.isBusy;
  }

  /** True when, as far as can be known here, nobody uses token and database: those of PostgreSQL may have other nodes. */
  get isAlone(): boolean {
    return this.isAtRest && this.settings.databaseUrl === undefined;
  }

  /** @throws NotExaminedError where there is no data directory */
  expectDirectory(): void {
    const { path } = this.directory;
    if (!existsSync(path)) throw new NotExaminedError(`there is no data directory ${path}`);
  }

  /** The token, logged in to. @throws NotExaminedError when it cannot be opened */
  async token(): Promise<Token> {
    return needed('the token', this.openToken());
  }

  /** The same, for the check that says why it cannot be opened. @throws Error in one sentence */
  openToken(): Promise<Token> {
    const { settings, directory } = this;
    this.tokenOpened ??= (async () => {
      checkDataDirectory(directory);
      if (usesOwnSoftHsm(settings)) {
        expectOwnConfiguration(directory);
        expectRoom(directory.softHsm.tokens);
      }
      await this.expectPromptModule();
      const [flag] = this.wrongPinFlags();
      if (flag) throw new WrongPinGivenError(flag);
      const token = openAsItIs(settings, directory);
      // what is always there: nothing is said to be destroyed by a token that does not show it
      new Sealer(token);
      return token;
    })();
    return this.tokenOpened;
  }

  /** A module whose token is gone may block whoever calls it. */
  private expectPromptModule(): Promise<void> {
    return expectPromptAnswer(tokenWithoutPin(this.settings, this.directory));
  }

  /** What the token says of wrong PINs that it was given; nobody logs in. */
  private wrongPinFlags(): WrongPinFlag[] {
    const { flags } = Token.look(tokenWithoutPin(this.settings, this.directory));
    return afterWrongPin.filter((flag) => flags.includes(flag));
  }

  /** The store, with the schema of this program; nothing is migrated. @throws NotExaminedError */
  async store(): Promise<Store> {
    this.storeOpened ??= (async () => {
      checkDataDirectory(this.directory);
      expectInitialised(this.settings);
      const { pending } = await inspectDatabase(this.settings);
      if (pending.length > 0) throw new Error('its schema is older than this program');
      return storeOfSettings(this.settings);
    })();
    return needed('the database', this.storeOpened);
  }

  /** What the token can do of KMS. @throws NotExaminedError; ProbeError */
  async capabilities(): Promise<Capabilities> {
    const token = await this.token();
    this.capabilitiesFound ??= Capabilities.probe(token, { allowSplit: this.settings.splitOaep });
    return this.capabilitiesFound;
  }

  /** Token and store that belong together. @throws NotExaminedError; TokenNotOfDataError, whose cause says why */
  async tokenAndStore(): Promise<{ readonly token: Token; readonly store: Store; readonly sealer: Sealer }> {
    const [token, store] = [await this.token(), await this.store()];
    const sealer = new Sealer(token);
    try {
      await expectTokenOfData(this.settings, { token, sealer, store });
    } catch (cause) {
      throw new TokenNotOfDataError('token and database do not belong together', { cause });
    }
    return { token, store, sealer };
  }

  async close(): Promise<void> {
    this.release();
    const store = await this.storeOpened?.catch(() => undefined);
    await store?.close();
    const token = await this.tokenOpened?.catch(() => undefined);
    await token?.close();
  }

  private release(): void {
    for (const lock of this.locks ?? []) lock.release();
    if (this.locks) this.locks = [];
  }
}

/** What SoftHSM2 writes at a login, and much more, in bytes. */
const roomForLogin = 256 * 1024;

/** SoftHSM2 empties a token's file at a login, and writes it anew: on a full disk it would stay empty. @throws Error */
function expectRoom(tokens: string): void {
  const { bavail, bsize } = statfsSync(tokens);
  if (bavail * bsize < roomForLogin)
    throw new Error(`No login was made to SoftHSM2, which needs room in ${tokens} for it.`);
}

/** The database was made with another token. */
export class TokenNotOfDataError extends NotExaminedError {}

/** The last login had a wrong PIN: another such one may lock the token. */
export class WrongPinGivenError extends Error {
  override readonly name = 'WrongPinGivenError';
  constructor(readonly flag: WrongPinFlag) {
    super(`the token says ${flag}`);
  }
}

async function needed<T>(what: string, opened: Promise<T>): Promise<T> {
  try {
    return await opened;
  } catch (cause) {
    throw new NotExaminedError(`${what} cannot be opened`, { cause });
  }
}
