import type { Identities } from '../authorization/identities.js';
import type { StoredPolicies } from '../authorization/stored-policies.js';
import { KmsError } from '../contract/kms-error.js';
import type { AliasRepository } from '../keys/alias-repository.js';
import type { EncryptionBudget } from '../keys/encryption-budget.js';
import type { GrantRepository } from '../keys/grant-repository.js';
import type { GrantTokens } from '../keys/grant-tokens.js';
import type { Imports } from '../keys/import/imports.js';
import type { KeyRecord } from '../keys/key-record.js';
import { type Home, parseKeyReference } from '../keys/key-reference.js';
import type { KeyRepository } from '../keys/key-repository.js';
import type { KeyStoreRepository } from '../keys/key-store-repository.js';
import type { KeyTokens } from '../keys/key-tokens.js';
import type { KeyUses } from '../keys/key-uses.js';
import type { RequestQuotas } from './request-quotas.js';

/** What operations work with. */
export interface Kms {
  readonly home: Home;
  readonly keys: KeyRepository;
  readonly aliases: AliasRepository;
  readonly grants: GrantRepository;
  readonly grantTokens: GrantTokens;
  readonly identities: Pick<Identities, 'named'>;
  /** Of keys, compiled. */
  readonly policies: StoredPolicies;
  readonly keyStores: KeyStoreRepository;
  readonly tokens: KeyTokens;
  readonly imports: Imports;
  readonly uses: KeyUses;
  readonly encryptions: EncryptionBudget;
  /** Undefined where nothing limits how often requests may come. */
  readonly requestQuotas: RequestQuotas | undefined;
  /** Does a part of a request so that traces show it; undefined where nobody collects them. */
  readonly step?: (<T>(name: string, work: () => T) => T) | undefined;
  readonly now: () => Date;
}

/**
 * The key that a parameter names.
 *
 * @param aliases whether alias names and alias ARNs are taken
 * @throws KmsError NotFoundException, InvalidArnException
 */
export async function resolveKey(
  kms: Pick<Kms, 'home' | 'keys' | 'aliases'>,
  text: string,
  aliases: boolean,
): Promise<KeyRecord> {
  const reference = parseKeyReference(text, kms.home);
  if (reference.kind === 'key') {
    const key = await kms.keys.find(reference.id);
    if (key) return key;
  }
  if (reference.kind === 'alias') {
    if (!aliases) throw new KmsError('NotFoundException', `Invalid keyId '${text.slice(0, 256)}'`);
    const alias = await kms.aliases.find(reference.name);
    const key = alias && (await kms.keys.find(alias.keyId));
    if (key) return key;
    throw new KmsError('NotFoundException', `Alias ${reference.arn} is not found.`);
  }
  throw new KmsError('NotFoundException', `Key '${reference.arn}' does not exist`);
}
