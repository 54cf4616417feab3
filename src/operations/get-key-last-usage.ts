import type { KeyLastUsageTrackingOperation } from '@aws-sdk/client-kms';
import { operation } from './operation.js';

/**
 * The last use of the key that succeeded. What another worker process has noted appears once it is written: after the
 * setting usesMilliseconds at the latest. There is no CloudTrail, hence no CloudTrailEventId.
 */
export const getKeyLastUsage = operation('GetKeyLastUsage', {
  keys: { key: { from: 'KeyId' } },
  async run(_input, { key, kms }) {
    const use = await kms.uses.last(key.id);
    return {
      // "the globally unique identifier", as in KeyMetadata: not the ARN
      KeyId: key.id,
      // uses are noted under the names of the operations, which are those of this list
      KeyLastUsage: use && {
        Operation: use.operation as KeyLastUsageTrackingOperation,
        Timestamp: new Date(use.at),
        KmsRequestId: use.requestId,
      },
      TrackingStartDate: key.createdAt,
      KeyCreationDate: key.createdAt,
    };
  },
});
