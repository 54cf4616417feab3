import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Settings } from '../config/settings.js';
import { type DiskError, diskError } from '../store/disk-trouble.js';
import { restartModule, saidDuringLoginOfAnother } from '../token/module.js';
import { PinRefusedError } from '../token/pin-refused-error.js';
import { otherPin } from '../token/refused-pin.js';
import { TokenError } from '../token/return-values.js';
import { sleep } from '../token/sleep.js';
import { tokenDirectory } from '../token/softhsm-generation.js';
import { keepTokenFiles, restoreTokenFiles } from '../token/softhsm-token-file.js';
import { Token } from '../token/token.js';
import type { TokenEvents, TokenSettings } from '../token/token-settings.js';
import type { DataDirectory } from './data-directory.js';
import { checkDataDirectory } from './data-directory-use.js';
import { tokenSettings, usesOwnSoftHsm } from './token-settings.js';

/** Who is told what becomes of the token, and for whom it works. */
export type TokenWatchers = Pick<TokenSettings, 'events' | 'meter' | 'arrivals'>;

/**
 * Opens the service's own token.
 *
 * @param warn is told what had to be repaired
 * @throws Error that says what to do
 */
export function openOwnToken(
  settings: Settings,
  directory: DataDirectory,
  warn: (what: string) => void,
  watchers: TokenWatchers = {},
): Token {
  checkDataDirectory(directory);
  const opened = { ...tokenSettings(settings, directory), ...watchers };
  if (!usesOwnSoftHsm(settings)) return openPatiently(opened);
  expectOwnConfiguration(directory);
  const { tokens } = directory.softHsm;
  try {
    for (const repaired of restoreTokenFiles(tokens))
      warn(`${repaired}: a login that was killed had emptied token.object`);
    const token = openPatiently(opened);
    keepTokenFiles(tokens);
    return token;
  } catch (error) {
    throw diskErrorOf(tokens, error) ?? error;
  }
}

/** SoftHSM2 writes at each login, and says of a disk that it cannot write to only that something has failed. */
function diskErrorOf(tokens: string, error: unknown): DiskError | undefined {
  const what = `The token's directory ${tokens} cannot be written to.`;
  const trial = join(tokens, `.trial-${process.pid}`);
  try {
    writeFileSync(trial, 'x', { flush: true });
  } catch (thrown) {
    return diskError(thrown, what);
  } finally {
    rmSync(trial, { force: true });
  }
  return diskError(error, what);
}

/**
 * Checks that SoftHSM2 is pointed to this data directory: one that was copied or moved points to the tokens of the old.
 *
 * @throws Error in one sentence that says what to do
 */
export function expectOwnConfiguration({ path, softHsm: { configuration, tokens } }: DataDirectory): void {
  let configured: string | undefined;
  try {
    configured = tokenDirectory(readFileSync(configuration, 'utf8'));
  } catch (error) {
    throw new Error(
      `The file ${configuration} cannot be read (${(error as NodeJS.ErrnoException).code}): type hsm-kms init with the same settings, which writes it anew.`,
      { cause: error },
    );
  }
  if (configured === undefined || !isSameDirectory(configured, tokens)) {
    throw new Error(
      `The data directory ${path} was moved or copied: its ${configuration} still names the tokens in ${configured}. Type hsm-kms init with the same settings, which writes it anew.`,
    );
  }
}

function isSameDirectory(one: string, other: string): boolean {
  const [first, second] = [one, other].map((path) => statSync(path, { throwIfNoEntry: false }));
  return first !== undefined && second !== undefined && first.ino === second.ino && first.dev === second.dev;
}

/** The same for who only looks: nothing is repaired. @throws Error that says what to do */
export function openAsItIs(settings: Settings, directory: DataDirectory): Token {
  return openPatiently(tokenSettings(settings, directory));
}

/** How long after a failure the token is opened again that a worker waits for, in milliseconds. */
const waitMilliseconds = 200;

/**
 * Opens the service's own token as soon as that is possible: for a worker that takes the place of another, and has nothing
 * else to do.
 *
 * @param events are told why it is not possible yet, once for each reason
 */
export async function openOwnTokenWhenPossible(
  settings: Settings,
  directory: DataDirectory,
  warn: (what: string) => void,
  watchers: TokenWatchers & { readonly events: TokenEvents },
): Promise<Token> {
  for (let lastReason = ''; ; ) {
    const { pin, module, moduleParameters } = tokenSettings(settings, directory);
    const stamp = pin.stamp();
    try {
      return openOwnToken(settings, directory, warn, watchers);
    } catch (error) {
      const { message } = error as Error;
      if (message !== lastReason) watchers.events.failed(error as Error);
      lastReason = message;
      if (error instanceof PinRefusedError) await otherPin(pin, stamp);
      else await wait(waitMilliseconds);
    }
    try {
      restartModule(module, moduleParameters);
    } catch {
      // the next attempt says why
    }
  }
}

/** How often a token is opened that other processes log in to, and how long after another, in milliseconds. */
const opening = { attempts: 5, milliseconds: 100 } as const;

/**
 * A process that reads a SoftHSM2 token's file while another's login writes it keeps what it has read, and refuses every
 * login (seen as CKR_USER_PIN_NOT_INITIALIZED, on a machine with more to do than it can): the module must start anew.
 */
function openPatiently(settings: TokenSettings): Token {
  for (let attempt = 1; ; attempt++) {
    try {
      return Token.open(settings);
    } catch (error) {
      if (attempt === opening.attempts || !mayBeLoginOfAnother(error)) throw error;
    }
    sleep(opening.milliseconds);
    restartModule(settings.module, settings.moduleParameters);
  }
}

function mayBeLoginOfAnother(error: unknown): boolean {
  const { cause } = error as Error;
  return cause instanceof TokenError && saidDuringLoginOfAnother.includes(cause.ckr);
}
