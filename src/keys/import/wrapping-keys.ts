import { randomBytes } from 'node:crypto';
import type { Transaction } from 'kysely';
import { rsaSpki } from '../../encoding/spki.js';
import type { Schema } from '../../store/schema.js';
import type { Store } from '../../store/store.js';
import { type KeyPermissions, rsaKeyPair } from '../../token/key-templates.js';
import type { Token } from '../../token/token.js';

/** A wrapping key as its client gets it. */
export interface WrappingKey {
  /** CKA_ID, in hexadecimal digits. */
  readonly id: string;
  /** DER SubjectPublicKeyInfo. */
  readonly publicKey: Buffer;
}

const idBytes = 32;

/** The RSA keys in the token under which key material is imported: each for one KMS key, one import and some hours. */
export class WrappingKeys {
  constructor(
    private readonly store: Store,
    private readonly token: Token,
  ) {}

  /**
   * Generates one in the token, then its row: what has no row is an orphan that unwraps for nobody.
   *
   * @throws TokenError, TokenBusyError
   */
  async create(keyId: string, bits: number, permissions: KeyPermissions, expiresAt: Date): Promise<WrappingKey> {
    const ckaId = randomBytes(idBytes);
    const names = { id: ckaId, label: `import ${keyId}`.slice(0, 255) };
    const { publicValue } = await this.token.generate(rsaKeyPair(bits), names, permissions);
    const { CKA_MODULUS: modulus, CKA_PUBLIC_EXPONENT: publicExponent } = publicValue;
    const id = ckaId.toString('hex');
    try {
      if (!modulus || !publicExponent) throw new Error('the token shows no public key of a wrapping key');
      await this.store.record((transaction) =>
        transaction
          .insertInto('import_wrapping_keys')
          .values({ id, key_id: keyId, expires_at: expiresAt.getTime() })
          .execute(),
      );
      return { id, publicKey: rsaSpki({ modulus, publicExponent }) };
    } catch (error) {
      this.destroyObjects(id);
      throw error;
    }
  }

  /** When it expires; undefined when it is used up, or was destroyed. */
  async expiryOf(id: string, keyId: string): Promise<Date | undefined> {
    const row = await this.store.db
      .selectFrom('import_wrapping_keys')
      .select('expires_at')
      .where('id', '=', id)
      .where('key_id', '=', keyId)
      .executeTakeFirst();
    return row && row.expires_at > usedUp ? new Date(row.expires_at) : undefined;
  }

  /** Part of the transaction of an import: nothing else is imported under it. @returns false when it is used up already */
  async use(transaction: Transaction<Schema>, id: string): Promise<boolean> {
    const { numUpdatedRows } = await transaction
      .updateTable('import_wrapping_keys')
      .set({ expires_at: usedUp })
      .where('id', '=', id)
      .where('expires_at', '>', usedUp)
      .executeTakeFirst();
    return numUpdatedRows === 1n;
  }

  /** Ids of those that are used up or have expired. */
  async listDue(now: Date): Promise<string[]> {
    const rows = await this.store.db
      .selectFrom('import_wrapping_keys')
      .select('id')
      .where('expires_at', '<=', now.getTime())
      .execute();
    return rows.map((row) => row.id);
  }

  /** Destroys those that are due. @returns their ids. @throws TokenError; what is left stays due */
  async carryOutDue(now: Date): Promise<string[]> {
    const due = await this.listDue(now);
    for (const id of due) await this.destroy(id);
    return due;
  }

  async listOf(keyId: string): Promise<string[]> {
    const rows = await this.store.db
      .selectFrom('import_wrapping_keys')
      .select('id')
      .where('key_id', '=', keyId)
      .execute();
    return rows.map((row) => row.id);
  }

  /** First the objects in the token, then the row, so that a crash leaves it due. @throws TokenError */
  async destroy(id: string): Promise<void> {
    this.destroyObjects(id);
    await this.store.record((transaction) =>
      transaction.deleteFrom('import_wrapping_keys').where('id', '=', id).execute(),
    );
  }

  private destroyObjects(id: string): void {
    for (const each of ['private', 'public'] as const) this.token.destroy({ id: Buffer.from(id, 'hex'), class: each });
  }
}

/** In place of an expiry: the wrapping key has done its work, and waits for its destruction. */
const usedUp = 0;
