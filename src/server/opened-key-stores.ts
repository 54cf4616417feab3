import { setTimeout as wait } from 'node:timers/promises';
import type { ConnectionErrorCodeType } from '@aws-sdk/client-kms';
import type { Logger } from 'pino';
import { KmsError } from '../contract/kms-error.js';
import { Capabilities, type ProbePolicy } from '../keys/capabilities.js';
import { connectionErrorOf, isRefusedLogin } from '../keys/connection-errors.js';
import { StaleKeyError } from '../keys/key-repository.js';
import {
  type KeyStoreRecord,
  type KeyStoreRepository,
  keyStoreInvalidState,
  keyStoreNotFound,
} from '../keys/key-store-repository.js';
import type { KeyStoreTokens, KeyToken, KeyTokens } from '../keys/key-tokens.js';
import type { KeyObject } from '../token/object-handles.js';
import { PinRefusedError } from '../token/pin-refused-error.js';
import { expectPromptAnswer } from '../token/scout.js';
import { Token } from '../token/token.js';
import type { TokenMeter, TokenState } from '../token/token-meter.js';
import { TokenNotFoundError } from '../token/token-selection.js';
import { fixedPin, type TokenEvents } from '../token/token-settings.js';
import type { DeclaredToken } from './token-settings.js';

/** How long a token that could not be opened is left alone, in milliseconds. */
const retryMilliseconds = 500;
/** How long requests that have the token of a store may go on after it was disconnected, in milliseconds. */
const graceMilliseconds = 500;

/** A store's token in this process. */
interface Opening {
  readonly clusterId: string;
  /** The connection of the store that it was opened for. */
  readonly connection: number;
  readonly keyToken: Promise<KeyToken>;
  /** Undefined until it is open, and for ever when it could not be opened. */
  opened: KeyToken | undefined;
  /** When it is to be tried again, if it could not be opened, on the clock of performance.now(). */
  retryAt: number;
}

interface KeyStoreParts {
  readonly policy: ProbePolicy;
  readonly log: Logger;
  /** Only a new process may reach a token again. */
  readonly stuck: () => void;
  /** By CloudHsmClusterId. */
  readonly meterOf: ((clusterId: string) => TokenMeter) | undefined;
}

/**
 * The custom key stores whose tokens this process has opened: each when it is first needed, until the store is
 * disconnected, by whichever process.
 */
export class OpenedKeyStores implements KeyStoreTokens {
  /** By the store's id. */
  private readonly openings = new Map<string, Opening>();
  /** By CloudHsmClusterId: a token is logged in to once per process, so the last login must be over before the next. */
  private readonly closings = new Map<string, Promise<void>>();

  /** @param declared by CloudHsmClusterId */
  constructor(
    private readonly declared: ReadonlyMap<string, () => DeclaredToken>,
    private readonly keyStores: KeyStoreRepository,
    private readonly parts: KeyStoreParts,
  ) {}

  private get log(): Logger {
    return this.parts.log;
  }

  isDeclared(clusterId: string): boolean {
    return this.declared.has(clusterId);
  }

  isPresent(clusterId: string): boolean {
    try {
      Token.expectPresent(this.declarationOf(clusterId));
      return true;
    } catch (error) {
      this.log.warn({ token: clusterId, err: error }, 'a token of the configuration is not there');
      return false;
    }
  }

  async of(id: string): Promise<KeyToken> {
    const keyStore = await this.keyStores.find(id);
    if (keyStore === undefined) throw keyStoreNotFound(id);
    if (keyStore.connectionState !== 'CONNECTED') throw keyStoreInvalidState(id, keyStore.connectionState);
    try {
      const keyToken = await this.openingOf(keyStore).keyToken;
      if (!keyToken.token.isThere) throw new TokenNotFoundError('the token does not answer');
      return keyToken;
    } catch (error) {
      throw new KmsError(
        'CustomKeyStoreInvalidStateException',
        `The token of custom key store ${id} cannot be opened: ${connectionErrorOf(error)}.`,
        { cause: error },
      );
    }
  }

  async connect(keyStore: KeyStoreRecord): Promise<ConnectionErrorCodeType | undefined> {
    try {
      await this.begin(keyStore).keyToken;
      return undefined;
    } catch (error) {
      return connectionErrorOf(error);
    }
  }

  disconnect(id: string): void {
    const opening = this.openings.get(id);
    if (opening === undefined) return;
    this.openings.delete(id);
    const closed = opening.keyToken.then(
      async ({ token }) => {
        // a CreateKey that is refused at its end wants to destroy what it has made
        await wait(graceMilliseconds);
        await token.close();
        this.log.info({ token: opening.clusterId, keyStore: id }, 'the token of a custom key store is closed');
      },
      () => {},
    );
    this.closings.set(opening.clusterId, closed);
  }

  async holds(clusterId: string, pin: string, objects: readonly KeyObject[]): Promise<boolean> {
    await this.closings.get(clusterId);
    let token: Token | undefined;
    try {
      const opened = Token.open({ ...this.declarationOf(clusterId), pin: fixedPin(pin) });
      token = opened;
      return objects.every((object) => opened.has(object));
    } catch (error) {
      this.log.error({ token: clusterId, err: error }, 'a token cannot be compared with that of a custom key store');
      return false;
    } finally {
      if (token) this.closings.set(clusterId, token.close());
    }
  }

  /** How the tokens are that are needed, by CloudHsmClusterId; undefined for one that could not be opened yet. */
  states(): [clusterId: string, state: TokenState | undefined][] {
    return [...this.openings.values()].map(({ clusterId, opened }) => [clusterId, opened?.token.state]);
  }

  /** Looks whether the tokens are still there. */
  watch(): void {
    for (const { opened } of this.openings.values()) opened?.token.watch();
  }

  /** Lets go of the tokens of stores that have been disconnected, or connected anew, by other processes. */
  async closeDisconnected(): Promise<void> {
    for (const [id, opening] of this.openings) {
      const keyStore = await this.keyStores.find(id);
      const isCurrent =
        keyStore?.connection === opening.connection &&
        (keyStore.connectionState === 'CONNECTED' || keyStore.connectionState === 'CONNECTING');
      if (!isCurrent && this.openings.get(id) === opening) this.disconnect(id);
    }
  }

  private openingOf(keyStore: KeyStoreRecord): Opening {
    const known = this.openings.get(keyStore.id);
    // one that is open looks for its token by itself when that is gone
    if (known?.connection === keyStore.connection && performance.now() < known.retryAt) return known;
    return this.begin(keyStore);
  }

  private begin(keyStore: KeyStoreRecord): Opening {
    const { id, clusterId, connection } = keyStore;
    this.disconnect(id);
    const before = this.closings.get(clusterId) ?? Promise.resolve();
    const opening: Opening = {
      clusterId,
      connection,
      // who is told of a refused PIN finds the store FAILED
      keyToken: before
        .then(() => this.open(keyStore))
        .catch(async (error) => {
          await this.giveUpRefusedLogin(keyStore, connectionErrorOf(error));
          throw error;
        }),
      opened: undefined,
      retryAt: Number.POSITIVE_INFINITY,
    };
    opening.keyToken.then(
      (keyToken) => {
        opening.opened = keyToken;
        this.log.info({ token: clusterId, keyStore: id }, 'the token of a custom key store is open');
      },
      (error) => {
        opening.retryAt = performance.now() + retryMilliseconds;
        this.log.error(
          { token: clusterId, keyStore: id, err: error },
          'the token of a custom key store cannot be opened',
        );
      },
    );
    this.openings.set(id, opening);
    return opening;
  }

  private async open(keyStore: KeyStoreRecord): Promise<KeyToken> {
    const declaration = this.declarationOf(keyStore.clusterId);
    const pin = await this.keyStores.password(keyStore);
    // a module whose token is gone may block whoever calls it for long
    await expectPromptAnswer(declaration);
    const meter = this.parts.meterOf?.(keyStore.clusterId);
    const token = Token.open({ ...declaration, pin: fixedPin(pin), events: this.eventsOf(keyStore), meter });
    try {
      // the only keys that KMS has in custom key stores
      const policy: ProbePolicy = { ...this.parts.policy, specs: ['SYMMETRIC_DEFAULT'] };
      return { token, capabilities: await Capabilities.probe(token, policy) };
    } catch (error) {
      await token.close();
      throw error;
    }
  }

  /** What becomes of the token of a store. */
  private eventsOf(keyStore: KeyStoreRecord): TokenEvents {
    const { id, clusterId } = keyStore;
    const facts = { token: clusterId, keyStore: id };
    return {
      lost: (err) => this.log.error({ ...facts, err }, 'the token of a custom key store does not answer'),
      failed: (err) => {
        this.log.warn({ ...facts, err }, 'the token of a custom key store is not back yet');
        if (err instanceof PinRefusedError) void this.giveUpRefusedLogin(keyStore, connectionErrorOf(err));
      },
      back: (milliseconds) => this.log.info({ ...facts, milliseconds }, 'the token of a custom key store is back'),
      stuck: (err) => {
        this.log.error({ ...facts, err }, 'this process does not get to the token of a custom key store any more');
        this.parts.stuck();
      },
    };
  }

  /** Marks a store whose token has refused the PIN as FAILED, so that no process tries it until the token locks. */
  private async giveUpRefusedLogin(keyStore: KeyStoreRecord, code: ConnectionErrorCodeType): Promise<void> {
    if (!isRefusedLogin(code)) return;
    try {
      await this.keyStores.change(keyStore, { connectionState: 'FAILED', connectionError: code });
    } catch (error) {
      if (error instanceof StaleKeyError) return;
      this.log.error({ keyStore: keyStore.id, err: error }, 'a custom key store cannot be marked as failed');
    }
  }

  private declarationOf(clusterId: string): DeclaredToken {
    const declaration = this.declared.get(clusterId);
    if (declaration === undefined) throw new TokenNotFoundError(`the setting keyStores has no ${clusterId}`);
    return declaration();
  }
}

/** The service's own token for keys that are in no custom key store, and its token for each that is. */
export function keyTokensOf(own: KeyToken, keyStores: KeyStoreTokens): KeyTokens {
  return {
    own,
    keyStores,
    of: ({ arn, customKeyStoreId }) =>
      customKeyStoreId === undefined
        ? own
        : keyStores.of(customKeyStoreId).catch((error) => {
            throw new KmsError('KMSInvalidStateException', `${arn} is unavailable. ${(error as Error).message}`, {
              cause: error,
            });
          }),
  };
}
