import { createHash } from 'node:crypto';
import { lineHash, parseCheckpointLine, signedBytes } from '../audit/format.js';
import type { EvidencePayload } from './bundle.js';
import { isSignatureOf } from './challenge.js';
import { asserted, type Finding, failed, notProvable } from './finding.js';

/** Whether what was done with a key is on record, as far as the checkpoint of the audit log in a bundle tells. */
export function decideOnCheckpoint(found: EvidencePayload['auditCheckpoint']): Finding {
  if (found === null) return notProvable('There is no checkpoint of an audit log.');
  const { line, sha256 } = found;
  if (lineHash(line) !== sha256) return failed('The SHA-256 of the checkpoint is another.');
  const parsed = parseCheckpointLine(line);
  if (parsed === undefined) return failed('It is no checkpoint of an audit log.');
  const { text, checkpoint, signature } = parsed;
  const publicKey = Buffer.from(found.publicKey, 'base64');
  const isOfKey = createHash('sha256').update(publicKey).digest('hex') === checkpoint.keyId;
  if (!isOfKey || isSignatureOf(publicKey, checkpoint.algorithm, signedBytes(text), signature) !== true) {
    return failed("The checkpoint is not signed by the token's audit key.");
  }
  return asserted(
    `The token's audit key has signed the audit log up to checkpoint ${checkpoint.sequence} of ${checkpoint.time}, SHA-256 ${sha256}: hsm-kms audit verify, with a copy of the log, says whether it is whole and has that checkpoint.`,
  );
}
