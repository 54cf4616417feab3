/** Keys that are there when the container has started. What the service takes is checked by the service. */
export interface Seed {
  readonly Keys: readonly SeededKey[];
}

/** A key: CreateKey's members, under an id of your own, and what goes with it. */
export interface SeededKey {
  /** A UUID, or mrk- and 32 hexadecimal digits, in lower case. */
  readonly KeyId: string;
  readonly KeySpec?: string;
  readonly KeyUsage?: string;
  readonly Origin?: 'AWS_KMS' | 'EXTERNAL';
  readonly MultiRegion?: boolean;
  readonly Description?: string;
  readonly Tags?: readonly { readonly TagKey: string; readonly TagValue: string }[];
  /** A policy document, or its JSON text. */
  readonly Policy?: object | string;
  readonly BypassPolicyLockoutSafetyCheck?: boolean;
  /** With their prefix: alias/... */
  readonly Aliases?: readonly string[];
  readonly Enabled?: boolean;
  readonly KeyRotationEnabled?: boolean;
  readonly RotationPeriodInDays?: number;
  /** Of keys with Origin EXTERNAL: base64, or a private key in PEM. */
  readonly KeyMaterial?: string;
}
