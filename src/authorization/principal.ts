import type { PolicyPrincipal } from './policy/policy-principal.js';

/** Who makes a request, as its access key says. */
export interface Principal {
  readonly arn: string;
  /** aws:userid. */
  readonly uniqueId: string;
  readonly accountId: string;
  /** True for who may do everything. */
  readonly administrator: boolean;
}

/** The principal as policies see it. */
export function policyPrincipal({ arn, accountId, uniqueId }: Principal): PolicyPrincipal {
  return { arn, accountId, uniqueId, kind: 'user', name: arn.slice(arn.lastIndexOf('/') + 1), tags: new Map() };
}
