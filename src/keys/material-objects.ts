import type { KeyObject } from '../token/object-handles.js';
import type { VersionedKey } from '../token/session-copies.js';

/**
 * How the token's objects of a key material are found. They are the same for each call, as they keep the name that they
 * are known by.
 */
export class MaterialObjects {
  readonly secret: VersionedKey;
  readonly private: KeyObject;
  readonly public: KeyObject;

  /**
   * @param id CKA_ID
   * @param version of the key's record
   */
  constructor(
    readonly id: Buffer,
    version: number,
  ) {
    this.secret = { id, class: 'secret', version };
    this.private = { id, class: 'private' };
    this.public = { id, class: 'public' };
  }
}
