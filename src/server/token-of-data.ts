import { purposeOfSecret } from '../authorization/secret-purpose.js';
import type { Settings } from '../config/settings.js';
import { ownerOf } from '../keys/object-owners.js';
import type { Store } from '../store/store.js';
import type { Sealer } from '../token/sealing.js';
import type { Token } from '../token/token.js';
import { dataDirectory } from './data-directory.js';

/**
 * Checks that a database was made with this token: another has none of its keys, and cannot open what is sealed in it.
 *
 * @throws Error in one sentence that says what to do
 */
export async function expectTokenOfData(
  settings: Settings,
  { token, sealer, store }: { readonly token: Token; readonly sealer: Sealer; readonly store: Store },
): Promise<void> {
  const sealed = await store.db.selectFrom('access_keys').select(['id', 'sealed_secret']).limit(1).executeTakeFirst();
  if (sealed === undefined) {
    const key = await store.db.selectFrom('keys').select('id').limit(1).executeTakeFirst();
    if (key === undefined) await expectNoStrandedKeys(settings, token);
    return;
  }
  const secret = sealer.isReady() ? await sealer.open(purposeOfSecret(sealed.id), sealed.sealed_secret) : undefined;
  if (secret === undefined) {
    throw new Error(
      `The token ${JSON.stringify(token.identity.label)} (serial number ${token.identity.serialNumber}) is not the one that ${dataDirectory(settings).path} was made with: it does not have its sealing key. Set HSM_KMS_PKCS11_MODULE and HSM_KMS_TOKEN_LABEL, _SERIAL or _URI as they were, or HSM_KMS_DATA_DIR to a new directory.`,
    );
  }
  secret.fill(0);
}

/**
 * Checks that a token has no KMS keys, for a database that has none: that one was lost, and nobody finds their keys by
 * another. What others keep in the token does not matter.
 *
 * @throws Error in one sentence that says what to do
 */
export async function expectNoStrandedKeys(settings: Settings, token: Token): Promise<void> {
  const keys = new Set<string>();
  for (const object of await token.labelledObjects()) {
    const owner = ownerOf(object);
    if (owner.kind === 'key') keys.add(owner.keyId);
  }
  if (keys.size === 0) return;
  const { label, serialNumber } = token.identity;
  const database = settings.databaseUrl === undefined ? dataDirectory(settings).database : 'in PostgreSQL';
  throw new Error(
    `The token ${JSON.stringify(label)} (serial number ${serialNumber}) holds ${keys.size} KMS keys, and the database ${database} knows of none: put the database back from your back-up, or choose a token without keys (HSM_KMS_TOKEN_LABEL, _SERIAL or _URI) for a new one.`,
  );
}
