import { KmsError } from '../../contract/kms-error.js';

/** A sentence may quote the document, which may be long. */
const longestSentence = 500;

/** What AWS answers to a policy that it does not take. The sentence reaches the client. */
export function malformed(sentence: string): KmsError {
  const short = sentence.length > longestSentence ? `${sentence.slice(0, longestSentence)}...` : sentence;
  return new KmsError('MalformedPolicyDocumentException', short);
}
