import type { KeyUsageType } from '@aws-sdk/client-kms';
import type { Principal } from '../authorization/principal.js';
import type { OperationName, OperationTypes } from '../contract/operation-types.js';
import type { KeyRecord } from '../keys/key-record.js';
import type { Kms } from './kms.js';

type Input<N extends OperationName> = OperationTypes[N]['input'];
type Output<N extends OperationName> = OperationTypes[N]['output'];

/** How an operation comes to a key, and what it needs of it. */
export interface KeyRule<N extends OperationName = OperationName> {
  /** The input member that names the key. */
  readonly from?: keyof Input<N> & string;
  /** True when aliases are taken too, and not key ids and key ARNs only (contract A.3). */
  readonly aliases?: true;
  /** True when the request may leave it out. */
  readonly optional?: true;
  /** Where the key is found when the request does not name it. */
  readonly otherwise?: (input: Input<N>, kms: Kms) => Promise<KeyRecord>;
  readonly usage?: KeyUsageType;
  /** IAM action without its prefix, where it is not the operation's name: ReEncryptFrom. */
  readonly action?: string;
  /** False where the key's state does not matter to the operation: the old target of an alias. */
  readonly state?: false;
  /** False where the operation's own lines decide who may, and not the key's policy: RetireGrant. */
  readonly policy?: false;
}

/** Who asks, and under which request id. */
export interface Requester {
  readonly principal: Principal;
  readonly requestId: string;
}

/** What `run` is given besides its input: the keys of the rules, and what operations work with. */
export type Call<R> = { readonly [K in keyof R]: KeyOf<R[K]> } & { readonly kms: Kms; readonly requester: Requester };
type KeyOf<Rule> = Rule extends { readonly optional: true } ? KeyRecord | undefined : KeyRecord;

type Rules<N extends OperationName> = Readonly<Record<string, KeyRule<N>>>;

/** A key that an operation works on. */
export interface KeySlot {
  /** Its name in what `run` is given. */
  readonly slot: string;
  readonly rule: KeyRule;
  /** IAM action: kms:Encrypt. */
  readonly action: string;
}

/** An operation as the pipeline sees it. */
export interface Operation {
  readonly name: OperationName;
  readonly keys: readonly KeySlot[];
  /** ARN of what is used besides keys: an alias. `*` when there are no keys either. */
  readonly resource: ((input: never, kms: Kms) => string) | undefined;
  readonly run: (input: never, call: never) => unknown;
}

/**
 * Defines an operation: the keys it works on, and the lines that are its own. It does not parse, does not authorize,
 * does not look at key states and does not touch HTTP: the pipeline does, in that order, for every operation.
 */
export function operation<N extends OperationName, const R extends Rules<N>>(
  name: N,
  definition: {
    readonly keys?: R;
    readonly resource?: (input: Input<N>, kms: Kms) => string;
    run(input: Input<N>, call: Call<R>): Output<N> | Promise<Output<N>>;
  },
): Operation {
  return {
    name,
    keys: Object.entries((definition.keys ?? {}) as unknown as Rules<OperationName>).map(([slot, rule]) => ({
      slot,
      rule,
      action: `kms:${rule.action ?? name}`,
    })),
    resource: definition.resource as Operation['resource'],
    run: definition.run as Operation['run'],
  };
}
