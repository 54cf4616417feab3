import { createHash } from 'node:crypto';

/** The name by which the set is sealed, in the place of a record's. */
export const recordSetName = 'store';

const lanes = 1024;
const bytes = 2 * lanes;

/**
 * Tells which records there are, however many: the sum of a long hash of each, so that one is added or taken away without
 * looking at the others (LtHash: Bellare and Micciancio, 1997; 1,024 sums modulo 2^16, as in Facebook's of 2019). Whoever
 * takes a record away, or puts back an older one, would have to find others with the same sum.
 */
export class RecordSet {
  private readonly sums: Buffer;

  /** @param sums 2,048 bytes as `toBuffer` gave them; none for the empty set */
  constructor(sums?: Buffer) {
    this.sums = sums?.length === bytes ? Buffer.from(sums) : Buffer.alloc(bytes);
  }

  /** @param name of the record, unique. @param seal its own */
  add(name: string, seal: Buffer): void {
    this.change(name, seal, 1);
  }

  remove(name: string, seal: Buffer): void {
    this.change(name, seal, -1);
  }

  equals(other: RecordSet): boolean {
    return this.sums.equals(other.sums);
  }

  /** By which the set is sealed: SHA-256, 32 bytes. */
  digest(): Buffer {
    return createHash('sha256').update(this.sums).digest();
  }

  /** 2,048 bytes. */
  toBuffer(): Buffer {
    return Buffer.from(this.sums);
  }

  private change(name: string, seal: Buffer, sign: 1 | -1): void {
    const hash = createHash('shake256', { outputLength: bytes }).update(name).update('\0').update(seal).digest();
    for (let at = 0; at < bytes; at += 2) {
      this.sums.writeUInt16LE((this.sums.readUInt16LE(at) + sign * hash.readUInt16LE(at)) & 0xffff, at);
    }
  }
}
