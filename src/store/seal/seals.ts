import { timingSafeEqual } from 'node:crypto';
import { BrokenSealError } from './broken-seal-error.js';

/** A key that makes seals and never leaves the token. */
export interface SealingKey {
  /** HMAC-SHA-256, 32 bytes. @throws the token's errors */
  mac(message: Buffer): Buffer | Promise<Buffer>;
}

/** What is remembered of a record: the latest seal of it that was found good, and for what. */
interface Known {
  readonly digest: Buffer;
  readonly seal: Buffer;
  /** When it was learnt, by `moment`. */
  readonly at: number;
}

/** A seal that was made, to be remembered once it is committed. */
export interface MadeSeal {
  readonly record: string;
  readonly digest: Buffer;
  readonly seal: Buffer;
}

const noDigest = Buffer.alloc(0);
const revisionBytes = 8;
const macBytes = 32;
/** Some 300 bytes each. */
const mostKnown = 100_000;

/**
 * Makes and checks seals. A seal is the store's revision at which a record was written (8 bytes) and a MAC over it, the
 * record's name and its digest. What was found good is remembered, so that the token is asked once for each record, and
 * not again when another has changed.
 */
export class Seals {
  private readonly known = new Map<string, Known>();
  private moments = 0;

  /** @param broken told of each seal that is not good */
  constructor(
    private readonly key: SealingKey,
    private readonly broken: (error: BrokenSealError) => void = () => {},
  ) {}

  /** To be taken before a record is read: what is learnt later says nothing of what was read. */
  moment(): number {
    return this.moments;
  }

  /**
   * @param moment taken before the record was read
   * @param isKept false for who looks at all records, and would fill the memory with them
   * @throws BrokenSealError; the token's errors
   */
  async expect(record: string, digest: Buffer, seal: Buffer | null, moment: number, isKept = true): Promise<void> {
    if (seal?.length !== revisionBytes + macBytes) throw this.fault(new BrokenSealError(record, 'unsealed'));
    const known = this.known.get(record);
    if (known?.seal.equals(seal) && known.digest.equals(digest)) return;
    const mac = await this.key.mac(messageOf(record, revisionOf(seal), digest));
    if (!timingSafeEqual(mac, seal.subarray(revisionBytes))) {
      throw this.fault(new BrokenSealError(record, 'changed'));
    }
    if (known && known.at <= moment && revisionOf(seal) < revisionOf(known.seal)) {
      throw this.fault(new BrokenSealError(record, 'older'));
    }
    if (isKept && (known === undefined || revisionOf(known.seal) < revisionOf(seal)))
      this.remember({ record, digest, seal });
  }

  /** @param revision the store's, that the change will have made */
  async make(record: string, digest: Buffer, revision: number): Promise<MadeSeal> {
    const at = BigInt(revision);
    const mac = await this.key.mac(messageOf(record, at, digest));
    return { record, digest, seal: Buffer.concat([revisionBuffer(at), mac]) };
  }

  /** From now on nothing older is taken for the record. */
  remember({ record, digest, seal }: MadeSeal): void {
    if (this.known.size >= mostKnown) this.known.clear();
    this.moments += 1;
    this.known.set(record, { digest: Buffer.from(digest), seal: Buffer.from(seal), at: this.moments });
  }

  /** A record that was deleted: put back as it was, it is not taken. @param revision the store's, after the change */
  rememberDeleted(record: string, revision: number): void {
    this.remember({ record, digest: noDigest, seal: revisionBuffer(BigInt(revision)) });
  }

  /** Tells who is to know of it. @returns the same */
  fault(error: BrokenSealError): BrokenSealError {
    this.broken(error);
    return error;
  }
}

/** Whether a seal says that it was made at a later revision than this, or is none. */
export function isOfLaterRevision(seal: Buffer, revision: number): boolean {
  return seal.length !== revisionBytes + macBytes || revisionOf(seal) > revision;
}

function revisionOf(seal: Buffer): bigint {
  return seal.readBigUInt64BE(0);
}

function revisionBuffer(revision: bigint): Buffer {
  const buffer = Buffer.alloc(revisionBytes);
  buffer.writeBigUInt64BE(revision);
  return buffer;
}

/** Unambiguous: the purpose ends with a zero byte, names of records hold none, revision and digest have fixed lengths. */
function messageOf(record: string, revision: bigint, digest: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`hsm-kms seal\0${record}\0`), revisionBuffer(revision), digest]);
}
