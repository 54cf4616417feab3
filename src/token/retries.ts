import { type Reaction, TokenError } from './return-values.js';

/** How often a call is made again for one kind of error: another handle, another session can make it good. */
const worthOtherTries: { readonly [R in Reaction]?: number } = { handle: 2, session: 3 };

/** What one call has been made again for. */
export class Retries {
  private readonly made: { [R in Reaction]?: number } = {};

  /** True when the call is to be made again after this error. */
  allow(error: unknown): boolean {
    if (!(error instanceof TokenError)) return false;
    const { reaction } = error;
    const made = (this.made[reaction] ?? 0) + 1;
    this.made[reaction] = made;
    return made <= (worthOtherTries[reaction] ?? 0);
  }
}
