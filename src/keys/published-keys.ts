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

/** What was found of a key when its seal was looked at. */
interface Known {
  readonly seal: Buffer;
  readonly jwk: SignatureJwk | undefined;
}

/** Which keys their owners have published, from memory as long as nothing in the store has changed. */
export class PublishedKeys {
  private readonly cache: RevisionCache<PublishedJwks>;
  /**
   * Keys with the tag as they were last read, by id: one whose seal is the same says the same. Everybody may ask, also
   * while keys change all the time, so that no answer may take a look at each of them.
   */
  private known: ReadonlyMap<string, Known> = new Map();
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
      .innerJoin('keys', 'keys.id', 'tags.key_id')
      .select(['tags.key_id as id', 'keys.seal as seal'])
      .where('tag_key', '=', publishingTag.key)
      .where('tag_value', '=', publishingTag.value)
      .orderBy('key_id')
      .execute();
    const known = new Map<string, Known>();
    for (const { id, seal } of rows) {
      const same = seal && this.known.get(id)?.seal.equals(seal) ? this.known.get(id) : undefined;
      const found = same ?? (await this.look(id, seal));
      if (found) known.set(id, found);
    }
    this.known = known;
    return new Map([...known].flatMap(([id, { jwk }]) => (jwk ? [[id, jwk]] : [])));
  }

  private async look(id: string, seal: Buffer | null): Promise<Known | undefined> {
    const key = await this.findSealed(id);
    return key && seal ? { seal, jwk: jwkOf(key) } : undefined;
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
