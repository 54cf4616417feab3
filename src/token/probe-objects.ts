import type pkcs11 from 'pkcs11js';
import { type Attributes, objectClass, readAttributes, template } from './attributes.js';
import type { GeneratedKey } from './key-maker.js';
import type { KeyGeneration, KeyPermissions, ObjectNames } from './key-templates.js';
import type { KeyObject } from './object-handles.js';
import { tokenError } from './return-values.js';
import type { TokenCalls } from './token-calls.js';
import type { TokenLink } from './token-link.js';

/** Session objects that show what a token can do, and leave nothing: to be forgotten when they have. */
export class ProbeObjects {
  constructor(
    private readonly cryptoki: pkcs11.PKCS11,
    private readonly link: TokenLink,
    private readonly calls: TokenCalls,
  ) {}

  /** Makes a key as Token.generate does, and reads it back. One at a time. @throws Error that names the attribute; TokenError */
  generate(generation: KeyGeneration, names: ObjectNames, permissions: KeyPermissions): Promise<GeneratedKey> {
    const { maker, loginSession } = this.link.connection;
    return maker.make(loginSession, generation, names, permissions, { CKA_TOKEN: false });
  }

  /** C_CreateObject of a key whose value is known: for known-answer tests. @throws TokenError */
  import(key: KeyObject, attributes: Attributes): void {
    const { loginSession, handles } = this.link.connection;
    try {
      const handle = this.cryptoki.C_CreateObject(
        loginSession,
        template({
          CKA_CLASS: objectClass[key.class],
          CKA_TOKEN: false,
          CKA_PRIVATE: true,
          CKA_SENSITIVE: false,
          CKA_EXTRACTABLE: true,
          ...attributes,
        }),
      );
      handles.remember(key, handle);
    } catch (thrown) {
      throw tokenError(thrown);
    }
  }

  /**
   * C_CopyObject of a key in the token, which must stay as protected: what shows whether hot keys can be used by copies.
   *
   * @throws Error that says how the copy is less protected; TokenError
   */
  copy(original: KeyObject, copy: KeyObject): void {
    const { CKA_SENSITIVE, CKA_EXTRACTABLE } = this.calls.now((session, { handles, loginSession }) => {
      const parameters = template({ CKA_TOKEN: false, CKA_ID: copy.id });
      const made = this.cryptoki.C_CopyObject(loginSession, handles.of(session, original), parameters);
      handles.remember(copy, made);
      return readAttributes(this.cryptoki, session, made, ['CKA_SENSITIVE', 'CKA_EXTRACTABLE']);
    }, original);
    if (!CKA_SENSITIVE || CKA_EXTRACTABLE) {
      throw new Error(`the copy has CKA_SENSITIVE ${CKA_SENSITIVE} and CKA_EXTRACTABLE ${CKA_EXTRACTABLE}`);
    }
  }

  /** Destroys those of a CKA_ID. */
  forget(id: Buffer): void {
    try {
      const { loginSession, handles } = this.link.connection;
      for (const each of ['secret', 'private', 'public'] as const) {
        const handle = handles.take({ id, class: each });
        if (handle) this.cryptoki.C_DestroyObject(loginSession, handle);
      }
    } catch {
      // they end with the session
    }
  }
}
