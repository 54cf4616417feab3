/** A session of a role, as its token holds it: all of it but the role itself, which is read from the store. */
export interface Session {
  readonly roleArn: string;
  /** Unique id of the role: another role that gets the same name is another role. */
  readonly roleId: string;
  readonly sessionName: string;
  /** Whole seconds. */
  readonly issuedAt: Date;
  /** Whole seconds: from then on the credentials are over. */
  readonly expiresAt: Date;
  readonly sourceIdentity: string | undefined;
  /** Session tags, inherited ones among them. */
  readonly tags: ReadonlyMap<string, string>;
  /** Of the tags, those that go on to sessions which this session makes. */
  readonly transitiveTagKeys: readonly string[];
  /** Session policy: JSON, as it was sent. */
  readonly policy: string | undefined;
  /** Managed policies that are session policies. */
  readonly policyArns: readonly string[];
}
