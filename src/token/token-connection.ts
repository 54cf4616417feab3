import type pkcs11 from 'pkcs11js';
import { CallPaces } from './call-pace.js';
import { Canary } from './canary.js';
import { KeyMaker } from './key-maker.js';
import { outlastLoginOfAnother, tokenIdentity, tokenInfo } from './module.js';
import { ObjectHandles } from './object-handles.js';
import { listKeyObjects, readShown } from './object-index.js';
import { profileOf, type TokenProfile } from './profiles.js';
import { TokenError } from './return-values.js';
import { SessionCopies } from './session-copies.js';
import { mostSessions, withinLimits } from './session-limits.js';
import { readWriteSession, SessionPool } from './session-pool.js';
import type { TokenIdentity } from './token-selection.js';
import type { TokenSettings } from './token-settings.js';

const CKU_USER = 1;
const CKS_RW_USER_FUNCTIONS = 3;
/** CKR_USER_ALREADY_LOGGED_IN: an earlier connection's login holds, as its sessions could not be closed. */
const alreadyLoggedIn = 256;
const healthBytes = 8;

/** A login to a token, and what is true as long as it holds: sessions and handles. */
export class TokenConnection {
  readonly identity: TokenIdentity;
  readonly profile: TokenProfile;
  readonly sessions: SessionPool;
  readonly handles: ObjectHandles;
  readonly maker: KeyMaker;
  readonly canary: Canary;
  readonly copies: SessionCopies;
  readonly paces: CallPaces;
  /** Holds the login, and the session objects that outlive a call. */
  readonly loginSession: pkcs11.Handle;

  /**
   * C_OpenSession, C_Login.
   *
   * @param failed is told of every error of a call
   * @throws TokenError
   */
  constructor(
    private readonly cryptoki: pkcs11.PKCS11,
    readonly slot: pkcs11.Handle,
    settings: Pick<TokenSettings, 'pin' | 'limits' | 'profile' | 'meter' | 'hasProcessor'>,
    failed: (error: TokenError) => void,
  ) {
    this.identity = tokenIdentity(cryptoki, slot);
    this.profile = profileOf(this.identity, settings.profile);
    const pin = settings.pin.read();
    this.loginSession = outlastLoginOfAnother(() => cryptoki.C_OpenSession(slot, readWriteSession));
    try {
      outlastLoginOfAnother(() => cryptoki.C_Login(this.loginSession, CKU_USER, pin));
    } catch (error) {
      if (!(error instanceof TokenError) || error.ckr !== alreadyLoggedIn) {
        cryptoki.C_CloseSession(this.loginSession);
        throw error;
      }
    }
    const most = this.profile.mostSessions ?? mostSessions(tokenInfo(cryptoki, slot));
    const limits = withinLimits(settings.limits, most, this.profile.computesHere);
    this.sessions = new SessionPool(cryptoki, slot, limits, failed, settings.meter);
    this.handles = new ObjectHandles(cryptoki, this.profile, () => void this.learnObjects());
    this.maker = new KeyMaker(cryptoki, this.handles, this.profile);
    this.copies = new SessionCopies(cryptoki, this.loginSession, this.handles, this.profile.mostSessionCopies);
    this.paces = new CallPaces(this.profile.computesHere === true && settings.hasProcessor === true);
    this.canary = new Canary(cryptoki, this.loginSession, this.sessions);
  }

  /** Looks at all keys, so that none has to be searched for. */
  private async learnObjects(): Promise<void> {
    try {
      this.handles.rememberAll(await listKeyObjects(this.cryptoki, this.slot, () => this.sessions.isOpen, readShown));
    } catch {
      // then each is searched for when it is needed
    }
  }

  /** True when the token answers and the login holds; asked twice, as one call may fail. */
  isHealthy(): boolean {
    return this.answers() || this.answers();
  }

  private answers(): boolean {
    try {
      tokenInfo(this.cryptoki, this.slot);
      // what a module remembers of a token says nothing about it: random numbers come from the token itself
      this.cryptoki.C_GenerateRandom(this.loginSession, Buffer.allocUnsafeSlow(healthBytes));
      return this.cryptoki.C_GetSessionInfo(this.loginSession).state === CKS_RW_USER_FUNCTIONS;
    } catch {
      return false;
    }
  }
}
