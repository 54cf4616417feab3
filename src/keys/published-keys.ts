import { type SignatureJwk, signatureJwk } from '../encoding/jwk.js';
import { RevisionCache } from '../store/revision-cache.js';
import { BrokenSealError } from '../store/seal/broken-seal-error.js';
import type { Store } from '../store/store.js';
import { currentMaterial, type KeyRecord } from './key-record.js';
import type { KeyRepository } from './key-repository.js';

/** The tag by which a key's owner publishes its public key. */
const publishingTag = { key: 'hsm-kms:publish', value: 'jwks' } as const;

/** The public keys that everybody may have, by key id. */
export type PublishedJwks = ReadonlyMap<string, SignatureJwk>;

/** Which keys their owners have published, from memory as long as no key has changed. */
export class PublishedKeys {
  private readonly cache: RevisionCache<PublishedJwks>;
  /** Of records that have not changed: making one takes longer than all else. */
  private readonly made = new WeakMap<KeyRecord, { readonly jwk: SignatureJwk | undefined }>();
  private loading: { readonly revision: number; readonly jwks: Promise<PublishedJwks> } | undefined;

  constructor(
    private readonly store: Store,
    private readonly keys: Pick<KeyRepository, 'find'>,
  ) {
    this.cache = new RevisionCache(store, 1, 'published keys', { on: ['keys', 'custom_key_stores'] });
  }

  /** Enabled keys for signatures that carry the tag, in the order of their ids. */
  async find(): Promise<PublishedJwks> {
    return (await this.cache.get('', () => this.loadOnce())) as PublishedJwks;
  }

  /** Once for all who ask at a time: nobody is to make the store work by asking often. */
  private loadOnce(): Promise<PublishedJwks> {
    const revision = this.store.revision();
    if (revision === undefined) return this.load();
    if (this.loading?.revision === revision) return this.loading.jwks;
    const jwks = this.load().finally(() => {
      if (this.loading?.jwks === jwks) this.loading = undefined;
    });
    this.loading = { revision, jwks };
    return jwks;
  }

  private async load(): Promise<PublishedJwks> {
    const rows = await this.store.db
      .selectFrom('tags')
      .select('key_id')
      .where('tag_key', '=', publishingTag.key)
      .where('tag_value', '=', publishingTag.value)
      .orderBy('key_id')
      .execute();
    const jwks = new Map<string, SignatureJwk>();
    for (const { key_id: id } of rows) {
      const key = await this.findSealed(id);
      const jwk = key && this.jwkOf(key);
      if (jwk) jwks.set(id, jwk);
    }
    return jwks;
  }

  private jwkOf(key: KeyRecord): SignatureJwk | undefined {
    const known = this.made.get(key) ?? { jwk: jwkOf(key) };
    this.made.set(key, known);
    return known.jwk;
  }

  /** A key that somebody else has written to is left out; the others are as good as before. */
  private async findSealed(id: string): Promise<KeyRecord | undefined> {
    try {
      return await this.keys.find(id);
    } catch (error) {
      if (error instanceof BrokenSealError) return undefined;
      throw error;
    }
  }
}

/** Undefined for a key that is not published, or not for signatures, or not in use. */
function jwkOf(key: KeyRecord): SignatureJwk | undefined {
  const isPublished = key.tags.get(publishingTag.key) === publishingTag.value;
  if (!isPublished || key.state !== 'Enabled' || key.usage !== 'SIGN_VERIFY') return undefined;
  const { publicKey } = currentMaterial(key);
  return publicKey && signatureJwk(publicKey, key.id);
}
