import { compilePattern, type TextTest, wildcardPattern } from '../authorization/policy/wildcards.js';
import type { Principal } from '../authorization/principal.js';
import { keySpecsOf, operationsOf, type RequestQuota } from '../config/request-quotas.js';
import { KmsError } from '../contract/kms-error.js';
import type { OperationName } from '../contract/operation-types.js';
import type { KeyRecord } from '../keys/key-record.js';
import type { Operation } from './operation.js';
import { QuotaLease, type RequestCounter } from './quota-lease.js';

/** In how many blocks, over all workers, a quota is given out. More is more exact, and asks more often. */
const blocks = 10;
/** Leases that are over are thrown away when there are that many. */
const manyLeases = 1_000;

/** The key spec that counts where it is not that of the key. */
const specsOfRequests: { readonly [N in OperationName]?: (input: Input) => string | undefined } = {
  CreateKey: ({ KeySpec, CustomerMasterKeySpec }) => KeySpec ?? CustomerMasterKeySpec ?? 'SYMMETRIC_DEFAULT',
  GenerateDataKeyPair: ({ KeyPairSpec }) => KeyPairSpec,
  GenerateDataKeyPairWithoutPlaintext: ({ KeyPairSpec }) => KeyPairSpec,
  // as AWS counts it
  GenerateRandom: () => 'SYMMETRIC_DEFAULT',
};

type Input = { readonly [M in 'KeySpec' | 'CustomerMasterKeySpec' | 'KeyPairSpec']?: string };
type KeyUse = { readonly spec: string | undefined; readonly customKeyStoreId?: string | undefined };
type Asker = Pick<Principal, 'arn' | 'roleArn' | 'accountId'>;

/** A quota, and what this worker may let pass of it: by the ARN, account id or key store id that it counts for. */
interface Rule {
  readonly quota: RequestQuota;
  readonly keySpecs: ReadonlySet<string> | undefined;
  readonly principals: readonly TextTest[] | undefined;
  readonly counter: RequestCounter;
  readonly block: number;
  readonly leases: Map<string, QuotaLease>;
}

/**
 * The setting requestQuotas: how often requests may come. A request counts towards all quotas that it fits, or, when
 * one of them is used up, towards none and is refused. Those that depend on the key are looked at once it is known that
 * the caller may use it: nobody uses up a quota by naming keys of others, or learns from it which there are.
 */
export class RequestQuotas {
  /** How many requests were throttled. */
  refusals = 0;
  /** By operation, in the order of the setting. */
  private readonly simple: ReadonlyMap<OperationName, readonly Rule[]>;
  private readonly ofKeys: ReadonlyMap<OperationName, readonly Rule[]>;

  /**
   * @param counterOf what counts towards a quota, for all workers together
   * @param workers how many share the quotas
   */
  constructor(
    quotas: readonly RequestQuota[],
    counterOf: (quota: RequestQuota, index: number) => RequestCounter,
    workers: number,
  ) {
    const rules = quotas.map(
      (quota, index): Rule => ({
        quota,
        keySpecs: keySpecsOf(quota),
        principals: quota.principals?.map((pattern) => compilePattern(wildcardPattern(pattern))),
        counter: counterOf(quota, index),
        block: Math.max(1, Math.floor(quota.requests / (workers * blocks))),
        leases: new Map(),
      }),
    );
    const needsKeys = ({ quota, keySpecs }: Rule) => keySpecs !== undefined || quota.per === 'keyStore';
    this.simple = byOperation(rules.filter((rule) => !needsKeys(rule)));
    this.ofKeys = byOperation(rules.filter(needsKeys));
  }

  /** The quotas that do not depend on keys; before anything is known but who asks. @throws KmsError ThrottlingException */
  async admit(operation: OperationName, principal: Asker): Promise<void> {
    const rules = this.simple.get(operation);
    if (rules === undefined) return;
    const leases = [];
    for (const rule of rules) {
      if (isFor(rule, principal)) leases.push(leaseOf(rule, subjectOf(rule, principal)));
    }
    await this.takeAll(leases);
  }

  /** The other quotas. @param call where the keys are, by their slots @throws KmsError ThrottlingException */
  async admitWithKeys(
    { name, keys: slots }: Operation,
    principal: Asker,
    input: Input,
    call: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    const rules = this.ofKeys.get(name);
    if (rules === undefined) return;
    const keys = slots.flatMap(({ slot }) => (call[slot] as KeyRecord | undefined) ?? []);
    const specOfRequest = specsOfRequests[name];
    const uses = specOfRequest ? [{ ...keys[0], spec: specOfRequest(input) }] : keys;
    const leases = new Set<QuotaLease>();
    for (const rule of rules) {
      if (!isFor(rule, principal)) continue;
      for (const subject of subjectsOfUses(rule, principal, uses)) leases.add(leaseOf(rule, subject));
    }
    await this.takeAll([...leases]);
  }

  private async takeAll(leases: readonly QuotaLease[]): Promise<void> {
    try {
      await takeAll(leases);
    } catch (error) {
      this.refusals += 1;
      throw error;
    }
  }
}

function byOperation(rules: readonly Rule[]): ReadonlyMap<OperationName, readonly Rule[]> {
  const table = new Map<OperationName, Rule[]>();
  for (const rule of rules) {
    for (const name of operationsOf(rule.quota)) table.set(name, [...(table.get(name) ?? []), rule]);
  }
  return table;
}

function isFor({ principals }: Rule, { arn, roleArn }: Asker): boolean {
  return principals?.some((matches) => matches(arn) || (roleArn !== undefined && matches(roleArn))) ?? true;
}

/** Sessions count for their role: their names are made up by who assumes it. */
function subjectOf({ quota }: Rule, { arn, roleArn, accountId }: Asker): string {
  return quota.per === 'account' ? accountId : (roleArn ?? arn);
}

/** Whom a rule counts the uses of keys for: nobody, where none of them fits. */
function subjectsOfUses(rule: Rule, principal: Asker, uses: readonly KeyUse[]): string[] {
  const { quota, keySpecs } = rule;
  const counted = uses.filter(({ spec }) => keySpecs === undefined || (spec !== undefined && keySpecs.has(spec)));
  if (quota.per === 'keyStore') return counted.flatMap(({ customKeyStoreId }) => customKeyStoreId ?? []);
  return counted.length > 0 ? [subjectOf(rule, principal)] : [];
}

function leaseOf({ leases, counter, quota, block }: Rule, subject: string): QuotaLease {
  let lease = leases.get(subject);
  if (lease === undefined) {
    if (leases.size >= manyLeases) forgetOver(leases);
    lease = new QuotaLease(counter, subject, { requests: quota.requests, block });
    leases.set(subject, lease);
  }
  return lease;
}

function forgetOver(leases: Map<string, QuotaLease>): void {
  const now = performance.now();
  for (const [subject, lease] of leases) {
    if (lease.isOver(now)) leases.delete(subject);
  }
}

/** One request from each of the leases, or from none. @throws KmsError ThrottlingException */
async function takeAll(leases: readonly QuotaLease[]): Promise<void> {
  for (;;) {
    const now = performance.now();
    if (leases.some((lease) => lease.isExhausted(now))) throw throttled();
    const empty = leases.find((lease) => !lease.canTake(now));
    if (empty === undefined) break;
    // where nobody counts, nothing passes
    await empty.renew().catch((error: unknown) => {
      throw throttled(error);
    });
  }
  // nothing was awaited since all were seen to have one
  for (const lease of leases) lease.take();
}

function throttled(cause?: unknown): KmsError {
  return new KmsError(
    'ThrottlingException',
    'You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.',
    { cause },
  );
}
