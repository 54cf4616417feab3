/** Who makes a request, as policies see them. */
export interface PolicyPrincipal {
  /** ARN of the user, of the account root, or of the role session: `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`. */
  readonly arn: string;
  /** Twelve digits. */
  readonly accountId: string;
  readonly kind: 'user' | 'role-session' | 'root';
  /** aws:userid. */
  readonly uniqueId: string;
  /** User name or role name, without its path. */
  readonly name: string;
  readonly tags: ReadonlyMap<string, string>;
  /** ARN of the role, path included; of a role session only. */
  readonly roleArn?: string;
  readonly sessionName?: string;
}
