import { nobodyNamed } from '../authorization/named-principals.js';
import { defaultKeyPolicy } from '../authorization/policy/default-key-policy.js';
import type { Settings } from '../config/settings.js';
import { StaleKeyError } from '../keys/key-repository.js';
import { resolveKey } from '../operations/kms.js';
import { audited } from './audit/command-audit.js';
import { dataDirectory } from './data-directory.js';
import { type KeyMetadataStore, withKeyMetadata } from './key-metadata-store.js';
import { openOwnToken } from './own-token.js';
import { sealStore } from './sealed-store.js';

/** How often a change is begun anew because somebody else changes the key. */
const attempts = 5;

/**
 * Gives a key the default key policy again, by which the account's identity policies decide: for a key whose policy lets
 * nobody in any more, or is broken. In AWS, this is done by AWS Support; here, by who owns the data directory.
 *
 * @param key key id, key ARN, alias name or alias ARN
 * @returns the key's ARN
 * @throws KmsError NotFoundException; Error that says what to do
 */
export function resetKeyPolicy(settings: Settings, key: string, warn: (what: string) => void): Promise<string> {
  const event = { source: 'kms.amazonaws.com', name: 'ResetKeyPolicy', parameters: { keyId: key } } as const;
  return withKeyMetadata(settings, (opened) =>
    audited(settings, event, () => resetPolicy(settings, opened, key, warn)),
  );
}

async function resetPolicy(
  settings: Settings,
  opened: KeyMetadataStore,
  key: string,
  warn: (what: string) => void,
): Promise<string> {
  await sealStore({ token: openOwnToken(settings, dataDirectory(settings), warn), store: opened.store }, warn);
  for (let attempt = 1; ; attempt++) {
    const record = await resolveKey(opened, key, true);
    try {
      await opened.keys.change(record, {
        policy: { text: defaultKeyPolicy(settings.accountId), principals: nobodyNamed },
      });
      return record.arn;
    } catch (error) {
      if (!(error instanceof StaleKeyError) || attempt === attempts) throw error;
    }
  }
}
