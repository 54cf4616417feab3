import type { KeyUsageType } from '@aws-sdk/client-kms';
import type { RequestTrail } from '../audit/request-record.js';
import { type ActionRule, actionRules } from '../authorization/policy/actions.js';
import type { Grant } from '../authorization/policy/grants.js';
import type { Principal } from '../authorization/principal.js';
import type { RequestSource } from '../authorization/request-source.js';
import type { OperationName, OperationTypes } from '../contract/operation-types.js';
import type { KeyRecord } from '../keys/key-record.js';
import { keyArn } from '../keys/key-reference.js';
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
}

/** Who asks, from where, and under which request id. */
export interface Requester {
  readonly principal: Principal;
  readonly source: RequestSource;
  readonly requestId: string;
  /** Is told what the audit log says of the request, where there is one. */
  readonly trail?: RequestTrail | undefined;
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
  /** What has to be allowed on the key; undefined where nothing has. */
  readonly permission: ActionRule | undefined;
}

/** A permission that is not on one of the operation's keys. */
export interface OtherPermission {
  readonly rule: ActionRule;
  /** ARN of what it is on, or `*`. */
  readonly resource: (input: never, kms: Kms) => string;
}

/** An operation as the pipeline sees it. */
export interface Operation {
  readonly name: OperationName;
  readonly keys: readonly KeySlot[];
  readonly permissions: readonly OtherPermission[];
  /** Of RetireGrant. */
  readonly retiring: ((input: never, key: KeyRecord, kms: Kms) => Promise<Grant | undefined>) | undefined;
  readonly run: (input: never, call: never) => unknown;
}

/**
 * Defines an operation: the keys it works on, and the lines that are its own. It does not parse, does not authorize,
 * does not look at key states and does not touch HTTP: the pipeline does, in that order, for every operation. What has
 * to be allowed stands in `actionRules`.
 */
export function operation<N extends OperationName, const R extends Rules<N>>(
  name: N,
  definition: {
    readonly keys?: R;
    /** ARN of what is used besides keys: an alias. */
    readonly resource?: (input: Input<N>, kms: Kms) => string;
    /** The grant that is to be retired. */
    readonly retiring?: (input: Input<N>, key: KeyRecord, kms: Kms) => Promise<Grant | undefined>;
    run(input: Input<N>, call: Call<R>): Output<N> | Promise<Output<N>>;
  },
): Operation {
  const rules = actionRules[name];
  const onKeys = rules.filter(({ resource, withTags }) => resource === 'key' && !withTags);
  const { resource = () => '*' } = definition;
  return {
    name,
    keys: Object.entries((definition.keys ?? {}) as unknown as Rules<OperationName>).map(([slot, rule]) => ({
      slot,
      rule,
      permission: onKeys.find(({ action }) => action === `kms:${rule.action ?? name}`),
    })),
    permissions: rules
      .filter((rule) => !onKeys.includes(rule))
      .map((rule) => ({
        rule,
        // a key that is yet to be made has no id
        resource: rule.withTags ? (_input: Input<N>, { home }: Kms) => keyArn(home, '*') : resource,
      })),
    retiring: definition.retiring,
    run: definition.run as Operation['run'],
  };
}
