import { purposeOfSecret } from '../authorization/secret-purpose.js';
import type { Settings } from '../config/settings.js';
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
  if (sealed === undefined) return;
  const secret = sealer.isReady() ? await sealer.open(purposeOfSecret(sealed.id), sealed.sealed_secret) : undefined;
  if (secret === undefined) {
    throw new Error(
      `The token ${JSON.stringify(token.identity.label)} (serial number ${token.identity.serialNumber}) is not the one that ${dataDirectory(settings).path} was made with: it does not have its sealing key. Set HSM_KMS_PKCS11_MODULE and HSM_KMS_TOKEN_LABEL, _SERIAL or _URI as they were, or HSM_KMS_DATA_DIR to a new directory.`,
    );
  }
  secret.fill(0);
}
