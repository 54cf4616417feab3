import { KmsError } from '../../contract/kms-error.js';

/** What AWS answers to a policy that it does not take. The sentence reaches the client. */
export function malformed(sentence: string): KmsError {
  return new KmsError('MalformedPolicyDocumentException', sentence);
}
