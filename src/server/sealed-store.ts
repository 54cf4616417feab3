import type { BrokenSealError } from '../store/seal/broken-seal-error.js';
import { Seals } from '../store/seal/seals.js';
import type { SealState, Store } from '../store/store.js';
import { RecordSealing } from '../token/record-sealing.js';
import type { Token } from '../token/token.js';

/** Token and store that belong together. */
export interface SealedParts {
  readonly token: Token;
  readonly store: Store;
}

/** A database whose records nobody vouches for; the message says what to do. */
export class UnsealedStoreError extends Error {
  override readonly name = 'UnsealedStoreError';
}

/**
 * Has a store check the seals of its records by a token, and seal what it changes; nothing is written.
 *
 * @param broken told of each record that is not as it was written
 * @returns the key that seals
 */
export function checkSeals({ token, store }: SealedParts, broken?: (error: BrokenSealError) => void): RecordSealing {
  const sealing = new RecordSealing(token);
  store.seals = new Seals(sealing, broken);
  return sealing;
}

/**
 * The same for who serves: a store that was never sealed, by a token that has never sealed one, is sealed as it is. That
 * happens once, in an upgrade; from then on a store without seals is refused.
 *
 * @param report told what was made
 * @throws UnsealedStoreError; Error that says what to do; the token's errors
 */
export async function sealStore(
  parts: SealedParts,
  report: (what: string) => void,
  broken?: (error: BrokenSealError) => void,
): Promise<void> {
  const { store } = parts;
  const sealing = checkSeals(parts, broken);
  if (await store.isSealed()) {
    if (sealing.isReady()) return;
    const { label, serialNumber } = parts.token.identity;
    throw new UnsealedStoreError(
      `The token ${JSON.stringify(label)} (serial number ${serialNumber}) does not have the key that the database is sealed by: put that token's newest back-up back.`,
    );
  }
  let isMade = false;
  const decide = async ({ isSealed, isEmpty }: SealState) => {
    // another process was faster
    if (isSealed) return false;
    if (!sealing.isReady()) {
      await sealing.prepare();
      // asked again when the transaction has to be made again
      isMade = true;
    } else if (!isEmpty && !isMade) {
      throw new UnsealedStoreError(
        'The database has no seals, although the token has sealed one: somebody has taken them away, or has put back a database from before they were made. Look at what is in it; if that is right, type: hsm-kms reseal --all',
      );
    }
    return true;
  };
  const sealed = await store.sealAll(decide);
  if (sealed > 0) report(`the seals of ${sealed} records, by a key in the token`);
}
