/** What is wrong with a seal, as a sentence goes on after the record's name. */
export const faults = {
  changed: 'was changed in the database, and not by hsm-kms: its seal does not match',
  unsealed: 'has no seal: it was not written by hsm-kms',
  incomplete: 'lacks records that were taken out of the database, or has some as they had been earlier',
  older: 'was put back as it had been earlier: this process has seen a later seal of it',
} as const;
export type SealFault = keyof typeof faults;

/** A record that is not as the service has written it: nothing is decided by it. */
export class BrokenSealError extends Error {
  override readonly name = 'BrokenSealError';

  /** @param record table and id: keys/1234abcd-..., grants/... */
  constructor(
    readonly record: string,
    readonly fault: SealFault,
  ) {
    super(`${record} ${faults[fault]}. Type: hsm-kms doctor`);
  }
}
