/** Who makes a request, as its access key says. */
export interface Principal {
  readonly arn: string;
  /** aws:userid. */
  readonly uniqueId: string;
  readonly accountId: string;
  /** True for who may do everything. */
  readonly administrator: boolean;
}
