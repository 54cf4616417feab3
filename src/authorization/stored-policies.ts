import { brokenPolicy, type PolicyDocument, type PolicyKind, parseStoredPolicy } from './policy/document.js';

/** A policy in the store that is not understood, and denies everything to whom it is about. */
export interface BrokenPolicy {
  /** ARN and name of what it is in. */
  readonly owner: string;
  readonly kind: PolicyKind;
  readonly reason: string;
}

/** UTF-16 code units of all policies that are kept compiled: thousands of them. */
const keptCharacters = 16 * 1024 * 1024;

/** Policies from the store, each compiled once and kept by its text: the same text of a hundred users is one policy. */
export class StoredPolicies {
  private compiled = emptyMaps();
  private characters = 0;

  /** @param report is told of a policy that is broken, when it is first read */
  constructor(private readonly report: (broken: BrokenPolicy) => void) {}

  /**
   * @param text undefined for a policy that should be there and is not: it is broken, too
   * @param owner what has the policy, for the report
   */
  get(text: string | undefined, kind: PolicyKind, owner: string): PolicyDocument {
    const key = text ?? `none of ${owner}`;
    // by kind first: to put kind and text together costs each request the length of the text
    const known = this.compiled[kind].get(key);
    if (known) return known;
    const policy = text === undefined ? brokenPolicy('it does not exist', kind) : parseStoredPolicy(text, kind);
    if (policy.broken !== undefined) this.report({ owner, kind, reason: policy.broken });
    if (this.characters + key.length > keptCharacters) {
      this.compiled = emptyMaps();
      this.characters = 0;
    }
    this.compiled[kind].set(key, policy);
    this.characters += key.length;
    return policy;
  }
}

function emptyMaps(): Readonly<Record<PolicyKind, Map<string, PolicyDocument>>> {
  return { key: new Map(), identity: new Map(), trust: new Map(), session: new Map() };
}
