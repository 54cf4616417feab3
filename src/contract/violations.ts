import { KmsError } from './kms-error.js';

/** Characters of a value that a message repeats, and violations that it spells out: answers stay small. */
const maxEcho = 256;
const maxSpelledOut = 16;

/** The constraint violations of one request. */
export class Violations {
  #count = 0;
  readonly #texts: string[] = [];

  /**
   * @param at path of the member, such as 'tags.1.member.tagKey'
   * @param value the offending value, null for one that is missing, undefined for one that must not be repeated
   * @param constraint what AWS says of it, such as 'Member must not be null'
   */
  add(at: string, value: string | null | undefined, constraint: string): void {
    this.#count += 1;
    if (this.#count > maxSpelledOut) return;
    this.#texts.push(`Value ${echo(value)}at '${at}' failed to satisfy constraint: ${constraint}`);
  }

  /** @throws KmsError ValidationException that tells of all violations, when there are any */
  throwIfAny(): void {
    if (this.#count === 0) return;
    const errors = this.#count === 1 ? 'error' : 'errors';
    const more = this.#count > maxSpelledOut ? '; …' : '';
    const message = `${this.#count} validation ${errors} detected: ${this.#texts.join('; ')}${more}`;
    throw new KmsError('ValidationException', message);
  }
}

function echo(value: string | null | undefined): string {
  if (value === undefined) return '';
  if (value === null) return 'null ';
  // toWellFormed: the cut may go through a surrogate pair.
  return value.length <= maxEcho ? `'${value}' ` : `'${value.slice(0, maxEcho).toWellFormed()}…' `;
}
