import type pkcs11 from 'pkcs11js';
import { type AttributeName, type Attributes, readAttributes, template } from './attributes.js';
import {
  disclosedKeyPairTemplates,
  type KeyGeneration,
  type KeyPairGeneration,
  type KeyPermissions,
  type ObjectNames,
  privateKeyTemplate,
  publicKeyTemplate,
  secretKeyTemplate,
} from './key-templates.js';
import type { ObjectHandles } from './object-handles.js';
import type { TokenProfile } from './profiles.js';
import { tokenError } from './return-values.js';

/** A key that the token made, with what was read back of it. */
export interface GeneratedKey {
  /** CKA_MODULUS and CKA_PUBLIC_EXPONENT, or CKA_EC_POINT; empty for a secret key. */
  readonly publicValue: Attributes;
}

/** What must be read back of every key that is to stay in the token. */
const promised = {
  CKA_SENSITIVE: true,
  CKA_ALWAYS_SENSITIVE: true,
  CKA_EXTRACTABLE: false,
  CKA_NEVER_EXTRACTABLE: true,
  CKA_LOCAL: true,
} as const;

/** Makes keys in a token, and holds the token to what was asked of it. */
export class KeyMaker {
  constructor(
    private readonly cryptoki: pkcs11.PKCS11,
    private readonly handles: ObjectHandles,
    private readonly profile: TokenProfile,
  ) {}

  /**
   * Makes a key and reads back what was promised of it. Where the token made something else, it is destroyed again.
   *
   * @param lifetime CKA_TOKEN false for session objects
   * @throws Error that names the attribute; TokenError
   */
  async make(
    session: pkcs11.Handle,
    generation: KeyGeneration,
    names: ObjectNames,
    permissions: KeyPermissions,
    lifetime: Attributes,
  ): Promise<GeneratedKey> {
    if (generation.kind === 'secret') {
      const wanted = { ...secretKeyTemplate(generation, names, permissions), ...lifetime };
      const handle = this.makeSecretKey(session, generation.mechanism, this.templateFor(wanted));
      this.keepOrDestroy(session, [handle], () => this.expectAttributes(session, handle, { ...wanted, ...promised }));
      this.handles.remember({ id: names.id, class: 'secret' }, handle);
      return { publicValue: {} };
    }
    const wanted = { ...privateKeyTemplate(generation, names, permissions), ...lifetime };
    const wantedPublic = { ...publicKeyTemplate(generation, names, this.ofPublicKey(permissions)), ...lifetime };
    const pair = await this.cryptoki
      .C_GenerateKeyPairAsync(session, generation.mechanism, this.templateFor(wantedPublic), this.templateFor(wanted))
      .catch(rethrowAsTokenError);
    const publicValue = this.keepOrDestroy(session, [pair.privateKey, pair.publicKey], () => {
      this.expectAttributes(session, pair.privateKey, { ...wanted, ...promised });
      return readAttributes(this.cryptoki, session, pair.publicKey, generation.publicValue);
    });
    this.handles.remember({ id: names.id, class: 'private' }, pair.privateKey);
    this.handles.remember({ id: names.id, class: 'public' }, pair.publicKey);
    return { publicValue };
  }

  /**
   * On the spot: it takes a millisecond. And when a thread makes an object while another reads the token's directory,
   * SoftHSM2 fails (CKR_GENERAL_ERROR, CKR_TEMPLATE_INCONSISTENT) or shows that process the object twice from then on.
   */
  private makeSecretKey(
    session: pkcs11.Handle,
    mechanism: KeyGeneration['mechanism'],
    attributes: pkcs11.Template,
  ): pkcs11.Handle {
    try {
      return this.cryptoki.C_GenerateKey(session, mechanism, attributes);
    } catch (thrown) {
      throw tokenError(thrown);
    }
  }

  /** Makes a key pair as session objects, reads both keys and destroys them. @throws TokenError */
  async makeDisclosed(
    session: pkcs11.Handle,
    generation: KeyPairGeneration,
  ): Promise<{ publicValue: Attributes; privateValue: Attributes }> {
    const templates = disclosedKeyPairTemplates(generation);
    const pair = await this.cryptoki
      .C_GenerateKeyPairAsync(
        session,
        generation.mechanism,
        this.templateFor(templates.public),
        this.templateFor(templates.private),
      )
      .catch(rethrowAsTokenError);
    try {
      return {
        publicValue: readAttributes(this.cryptoki, session, pair.publicKey, generation.publicValue),
        privateValue: readAttributes(this.cryptoki, session, pair.privateKey, generation.privateValue),
      };
    } finally {
      this.cryptoki.C_DestroyObject(session, pair.privateKey);
      this.cryptoki.C_DestroyObject(session, pair.publicKey);
    }
  }

  private ofPublicKey(permissions: KeyPermissions): KeyPermissions {
    const { uses } = permissions;
    const isTested = this.profile.encryptsToTestPairs && (uses.includes('decrypt') || uses.includes('unwrap'));
    return isTested ? { ...permissions, uses: [...uses, 'encrypt'] } : permissions;
  }

  /** The template without what this kind of token refuses. */
  templateFor(attributes: Attributes): pkcs11.Template {
    const { refusedAttributes } = this.profile;
    const kept = Object.entries(attributes).filter(([name]) => !refusedAttributes.includes(name as AttributeName));
    return template(Object.fromEntries(kept));
  }

  private expectAttributes(session: pkcs11.Handle, handle: pkcs11.Handle, expected: Attributes): void {
    const { unkeptAttributes, refusedAttributes } = this.profile;
    const names = (Object.keys(expected) as AttributeName[]).filter(
      (name) =>
        typeof expected[name] === 'boolean' && !unkeptAttributes.includes(name) && !refusedAttributes.includes(name),
    );
    const actual = readAttributes(this.cryptoki, session, handle, names);
    for (const name of names) {
      if (actual[name] !== expected[name]) {
        throw new Error(`the token made a key with ${name} ${actual[name]}, not ${expected[name]}`);
      }
    }
  }

  private keepOrDestroy<T>(session: pkcs11.Handle, handles: readonly pkcs11.Handle[], check: () => T): T {
    try {
      return check();
    } catch (error) {
      for (const handle of handles) this.cryptoki.C_DestroyObject(session, handle);
      throw error;
    }
  }
}

function rethrowAsTokenError(thrown: unknown): never {
  throw tokenError(thrown);
}
