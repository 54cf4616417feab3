import type pkcs11 from 'pkcs11js';
import { readAttributes, template } from './attributes.js';
import { beside, type KeyObject, type ObjectHandles, objectName } from './object-handles.js';

/** A key that may be used by a copy. */
export interface VersionedKey extends KeyObject {
  /** Changes whenever anything about the key does: then a copy made before is not used any more. */
  readonly version: number;
}

/** A key that was used so often is copied. */
const usesUntilHot = 16;
/** A copy that was not used for so long is destroyed, in milliseconds. */
const idleMilliseconds = 10_000;
/** Where the token's profile says nothing else: session objects take a device's memory. */
const usuallyMostCopies = 512;
/** So many are destroyed at once, so that nobody waits for long. */
const mostSwept = 256;
/** Of so many keys the uses are counted; then all begin anew. */
const mostCounted = 16_384;

interface Count {
  readonly version: number;
  uses: number;
}

interface Copy {
  readonly version: number;
  readonly handle: pkcs11.Handle;
  usedAt: number;
}

/**
 * Session objects that stand in for keys that are used often: some tokens read a token object anew for each use (SoftHSM2
 * does 14 file system calls), and take half the time with a copy. A copy is as sensitive and non-extractable as its
 * original, which is read back, and never leaves the token either. A token that makes no such copies is not asked again.
 * Key pairs may not be copied at all (CKA_COPYABLE in key-templates.ts).
 */
export class SessionCopies {
  private readonly counts = new Map<string, Count>();
  private readonly copies = new Map<string, Copy>();
  private offered = true;

  /**
   * @param keeper the session that the copies live in: it must outlive this
   * @param most how many copies there may be
   */
  constructor(
    private readonly cryptoki: pkcs11.PKCS11,
    private readonly keeper: pkcs11.Handle,
    private readonly handles: ObjectHandles,
    private readonly most = usuallyMostCopies,
  ) {}

  /** How many copies there are. */
  get count(): number {
    return this.copies.size;
  }

  /** The handle to use a key by: that of its copy, or its own. @throws ObjectMissingError, TokenError */
  handleOf(session: pkcs11.Handle, key: VersionedKey): pkcs11.Handle {
    if (!this.offered) return this.handles.of(session, key);
    const name = objectName(key);
    const copy = this.copies.get(name);
    if (copy?.version === key.version) {
      copy.usedAt = performance.now();
      return copy.handle;
    }
    if (copy) this.forget(key);
    const original = this.handles.of(session, key);
    if (this.copies.size >= this.most || !this.isHot(name, key.version)) return original;
    this.counts.delete(name);
    const handle = this.copyOf(original);
    if (handle === undefined) return original;
    this.copies.set(name, { version: key.version, handle: beside(handle), usedAt: performance.now() });
    return handle;
  }

  /** Counts a use. */
  private isHot(name: string, version: number): boolean {
    const count = this.counts.get(name);
    if (count?.version === version) {
      count.uses += 1;
      return count.uses >= usesUntilHot;
    }
    // keys that are used once must not keep others from being counted
    if (this.counts.size >= mostCounted) this.counts.clear();
    this.counts.set(name, { version, uses: 1 });
    return false;
  }

  /** Destroys the copy of a key, if there is one. */
  forget(key: KeyObject): void {
    const name = objectName(key);
    const copy = this.copies.get(name);
    this.counts.delete(name);
    this.copies.delete(name);
    if (copy) this.destroy(copy.handle);
  }

  /** Destroys the copies of keys that nobody uses any more. */
  sweep(): void {
    const before = performance.now() - idleMilliseconds;
    let swept = 0;
    for (const [name, { usedAt, handle }] of this.copies) {
      if (usedAt > before) continue;
      swept += 1;
      if (swept > mostSwept) return;
      this.copies.delete(name);
      this.destroy(handle);
    }
  }

  private copyOf(original: pkcs11.Handle): pkcs11.Handle | undefined {
    let copy: pkcs11.Handle | undefined;
    try {
      copy = this.cryptoki.C_CopyObject(this.keeper, original, template({ CKA_TOKEN: false }));
      const names = ['CKA_TOKEN', 'CKA_SENSITIVE', 'CKA_EXTRACTABLE'] as const;
      const { CKA_TOKEN, CKA_SENSITIVE, CKA_EXTRACTABLE } = readAttributes(this.cryptoki, this.keeper, copy, names);
      if (!CKA_TOKEN && CKA_SENSITIVE && !CKA_EXTRACTABLE) return copy;
    } catch {
      // the token makes no copies, or fails: the original does it, and says what is wrong
    }
    this.offered = false;
    if (copy) this.destroy(copy);
    return undefined;
  }

  private destroy(copy: pkcs11.Handle): void {
    try {
      this.cryptoki.C_DestroyObject(this.keeper, copy);
    } catch {
      // it ends with the session
    }
  }
}
