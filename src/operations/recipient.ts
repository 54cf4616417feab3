import { KmsError } from '../contract/kms-error.js';

/**
 * Recipient asks for an answer that only a certain Nitro enclave can read. Its attestation document cannot be verified
 * here, and an answer in plaintext would betray the caller.
 *
 * @throws KmsError UnsupportedOperationException when the request has a Recipient
 */
export function refuseRecipient(input: { readonly Recipient?: unknown }): void {
  if (input.Recipient === undefined) return;
  throw new KmsError(
    'UnsupportedOperationException',
    'Recipient is not supported: the attestation documents of AWS Nitro Enclaves cannot be verified here.',
  );
}
