import { RevisionCache } from '../store/revision-cache.js';
import type { Store } from '../store/store.js';
import type { Sealer } from '../token/sealing.js';
import type { Principal } from './principal.js';

/** An access key that requests are signed with. */
export interface AccessKey {
  readonly accessKeyId: string;
  /** UTF-8. The Buffer lives as long as this record is current: what is derived from it may be kept by its identity. */
  readonly secretAccessKey: Buffer;
  readonly principal: Principal;
}

const cachedAccessKeys = 10_000;

/** The principals and access keys in the store. Secrets are in the database only sealed by the token. */
export class Identities {
  private readonly cache: RevisionCache<AccessKey>;
  /** Opened secrets by access key id and sealed form: a change elsewhere in the store costs no token operation. */
  private readonly opened = new Map<string, { readonly sealed: Buffer; readonly secret: Buffer }>();

  constructor(
    private readonly store: Store,
    private readonly sealer: Sealer,
    private readonly accountId: string,
  ) {
    this.cache = new RevisionCache(store, cachedAccessKeys);
  }

  /** The active access key, or undefined. @throws TokenError, or Error when its secret was sealed by another token */
  find(accessKeyId: string): AccessKey | undefined | Promise<AccessKey | undefined> {
    return this.cache.get(accessKeyId, (id) => this.load(id));
  }

  /** The administrator that was made first. */
  async firstAdministrator(): Promise<Principal | undefined> {
    const row = await this.store.db
      .selectFrom('principals')
      .selectAll()
      .where('administrator', '=', 1)
      .orderBy('created_at')
      .executeTakeFirst();
    return row && { arn: row.arn, uniqueId: row.unique_id, accountId: this.accountId, administrator: true };
  }

  /** Stores a principal with an access key, both or none. */
  async create(principal: Principal, accessKeyId: string, secretAccessKey: Buffer, at: Date): Promise<void> {
    const sealedSecret = await this.sealer.seal(purposeOf(accessKeyId), secretAccessKey);
    await this.store.change(async (transaction) => {
      await transaction
        .insertInto('principals')
        .values({
          arn: principal.arn,
          unique_id: principal.uniqueId,
          administrator: principal.administrator ? 1 : 0,
          created_at: at.getTime(),
        })
        .execute();
      await transaction
        .insertInto('access_keys')
        .values({
          id: accessKeyId,
          principal_arn: principal.arn,
          sealed_secret: sealedSecret,
          active: 1,
          created_at: at.getTime(),
        })
        .execute();
    });
  }

  private async load(accessKeyId: string): Promise<AccessKey | undefined> {
    const row = await this.store.db
      .selectFrom('access_keys')
      .innerJoin('principals', 'principals.arn', 'access_keys.principal_arn')
      .select(['access_keys.sealed_secret', 'principals.arn', 'principals.unique_id', 'principals.administrator'])
      .where('access_keys.id', '=', accessKeyId)
      .where('access_keys.active', '=', 1)
      .executeTakeFirst();
    if (row === undefined) return undefined;
    return {
      accessKeyId,
      secretAccessKey: await this.secretOf(accessKeyId, row.sealed_secret),
      principal: {
        arn: row.arn,
        uniqueId: row.unique_id,
        accountId: this.accountId,
        administrator: row.administrator === 1,
      },
    };
  }

  private async secretOf(accessKeyId: string, sealed: Buffer): Promise<Buffer> {
    const known = this.opened.get(accessKeyId);
    if (known?.sealed.equals(sealed)) return known.secret;
    const secret = await this.sealer.open(purposeOf(accessKeyId), sealed);
    if (secret === undefined) throw new Error(`the secret of access key ${accessKeyId} was not sealed by this token`);
    if (this.opened.size >= cachedAccessKeys) this.opened.clear();
    this.opened.set(accessKeyId, { sealed, secret });
    return secret;
  }
}

function purposeOf(accessKeyId: string): string {
  return `secret access key of ${accessKeyId}`;
}
