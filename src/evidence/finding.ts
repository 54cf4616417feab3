import type { Verdict } from './bundle.js';

/** A verdict, and the sentence that says why. */
export interface Finding {
  readonly verdict: Verdict;
  readonly because: string;
}

export const proven = (because: string): Finding => ({ verdict: 'proven', because });
export const asserted = (because: string): Finding => ({ verdict: 'asserted', because });
export const notProvable = (because: string): Finding => ({ verdict: 'not provable', because });
export const failed = (because: string): Finding => ({ verdict: 'failed', because });
