import type pkcs11 from 'pkcs11js';
import { readAttributes, template } from './attributes.js';
import { type KeyObject, type ObjectHandles, objectName } from './object-handles.js';

/** A key that may be used by a copy. */
export interface VersionedKey extends KeyObject {
  /** Changes whenever anything about the key does: then a copy made before is not used any more. */
  readonly version: number;
}

/** A key that was used so often is copied. */
const usesUntilHot = 16;
/** A copy that was not used for so long is destroyed, in milliseconds. */
const idleMilliseconds = 10_000;
const mostKeys = 512;

interface Entry {
  readonly version: number;
  uses: number;
  usedAt: number;
  copy: pkcs11.Handle | undefined;
}

/**
 * Session objects that stand in for keys that are used often: some tokens read a token object anew for each use (SoftHSM2
 * does 14 file system calls), and take half the time with a copy. A copy is as sensitive and non-extractable as its
 * original, which is read back, and never leaves the token either. A token that makes no such copies is not asked again.
 */
export class SessionCopies {
  private readonly entries = new Map<string, Entry>();
  private offered = true;

  /** @param keeper the session that the copies live in: it must outlive this */
  constructor(
    private readonly cryptoki: pkcs11.PKCS11,
    private readonly keeper: pkcs11.Handle,
    private readonly handles: ObjectHandles,
  ) {}

  /** How many copies there are. */
  get count(): number {
    let count = 0;
    for (const { copy } of this.entries.values()) if (copy) count += 1;
    return count;
  }

  /** The handle to use a key by: that of its copy, or its own. @throws ObjectMissingError, TokenError */
  handleOf(session: pkcs11.Handle, key: VersionedKey): pkcs11.Handle {
    if (!this.offered) return this.handles.of(session, key);
    const name = objectName(key);
    let entry = this.entries.get(name);
    if (entry?.version !== key.version) {
      this.forget(key);
      if (this.entries.size >= mostKeys) return this.handles.of(session, key);
      entry = { version: key.version, uses: 0, usedAt: 0, copy: undefined };
      this.entries.set(name, entry);
    }
    entry.uses += 1;
    entry.usedAt = performance.now();
    if (entry.copy) return entry.copy;
    const original = this.handles.of(session, key);
    if (entry.uses < usesUntilHot) return original;
    entry.copy = this.copyOf(original);
    return entry.copy ?? original;
  }

  /** Destroys the copy of a key, if there is one. */
  forget(key: KeyObject): void {
    const name = objectName(key);
    const entry = this.entries.get(name);
    this.entries.delete(name);
    if (entry?.copy) this.destroy(entry.copy);
  }

  /** Destroys the copies of keys that nobody uses any more. */
  sweep(): void {
    const before = performance.now() - idleMilliseconds;
    for (const [name, { usedAt, copy }] of this.entries) {
      if (usedAt > before) continue;
      this.entries.delete(name);
      if (copy) this.destroy(copy);
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
