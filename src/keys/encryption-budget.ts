import { KmsError } from '../contract/kms-error.js';
import type { Store } from '../store/store.js';

/**
 * How many encryptions one AES-GCM key may make with random 96-bit IVs: NIST SP 800-38D, 8.3, sets 2^32; beyond, two
 * IVs may be the same, which gives the key's authentication away.
 */
export const mostEncryptions = 2 ** 32;
/** From here on the log warns: half of it. */
export const warnFrom = 2 ** 31;
/** What a process sets aside at a time; what it does not use when it ends is lost to the key. */
const smallestBlock = 2 ** 12;
const largestBlock = 2 ** 20;

/** Counts the encryptions of each key material, across processes and restarts, without a database write for each. */
export class EncryptionBudget {
  private readonly blocks = new Map<string, { left: number; size: number }>();
  private readonly reservations = new Map<string, Promise<void>>();

  constructor(
    private readonly store: Store,
    private readonly warn: (materialId: string, reserved: number) => void,
  ) {}

  /**
   * Takes one encryption from the material's budget; at once as long as this process has set some aside.
   *
   * @throws KmsError LimitExceededException when the budget is used up: the key must be rotated
   */
  take(materialId: string): void | Promise<void> {
    const block = this.blocks.get(materialId);
    if (block === undefined || block.left === 0) return this.takeReserved(materialId);
    block.left -= 1;
  }

  /** Requests that find the block empty together share one reservation: what is set aside and not used is lost. */
  private async takeReserved(materialId: string): Promise<void> {
    for (;;) {
      const block = this.blocks.get(materialId);
      if (block && block.left > 0) {
        block.left -= 1;
        return;
      }
      let reservation = this.reservations.get(materialId);
      if (reservation === undefined) {
        reservation = this.reserve(materialId, block?.size).finally(() => this.reservations.delete(materialId));
        this.reservations.set(materialId, reservation);
      }
      await reservation;
    }
  }

  private async reserve(materialId: string, lastSize: number | undefined): Promise<void> {
    const size = lastSize === undefined ? smallestBlock : Math.min(lastSize * 4, largestBlock);
    const reserved = await this.store.record(async (transaction) => {
      const row = await transaction
        .updateTable('key_materials')
        .set((material) => ({ encryptions_reserved: material('encryptions_reserved', '+', size) }))
        .where('id', '=', materialId)
        .where('encryptions_reserved', '<=', mostEncryptions - size)
        .returning('encryptions_reserved')
        .executeTakeFirst();
      return row && Number(row.encryptions_reserved);
    });
    if (reserved === undefined) {
      throw new KmsError(
        'LimitExceededException',
        'The key material has encrypted as often as is safe (2^32 times). Rotate the key: RotateKeyOnDemand.',
      );
    }
    if (reserved >= warnFrom) this.warn(materialId, reserved);
    this.blocks.set(materialId, { left: size, size });
  }
}
