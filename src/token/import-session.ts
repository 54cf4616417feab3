import type pkcs11 from 'pkcs11js';
import { type AttributeName, type Attributes, type AttributeValue, readAttributes, template } from './attributes.js';
import { sharedSecretTemplate } from './key-templates.js';
import { ecdh1, type Mechanism, plain } from './mechanisms.js';
import type { KeyObject, ObjectHandles } from './object-handles.js';
import { tokenError } from './return-values.js';

/** An object that an import has made, valid in all sessions of this process. */
export type ImportedObject = pkcs11.Handle;

/**
 * One import of key material, in a session of its own. The objects that it makes are destroyed when it ends, unless they
 * are kept: a failed import leaves nothing.
 */
export class ImportSession {
  private made: pkcs11.Handle[] = [];

  constructor(
    private readonly cryptoki: pkcs11.PKCS11,
    private readonly session: pkcs11.Handle,
    private readonly handles: ObjectHandles,
    /** As this kind of token takes it. */
    private readonly templateFor: (attributes: Attributes) => pkcs11.Template,
  ) {}

  /** C_UnwrapKey. @param by the key that unwraps: in the token, or made here. @throws TokenError, ObjectMissingError */
  async unwrap(
    by: KeyObject | ImportedObject,
    mechanism: Mechanism,
    wrapped: Buffer,
    attributes: Attributes,
  ): Promise<ImportedObject> {
    const key = Buffer.isBuffer(by) ? by : this.handles.of(this.session, by);
    try {
      return this.remembered(
        await this.cryptoki.C_UnwrapKeyAsync(this.session, mechanism, key, wrapped, this.importTemplate(attributes)),
      );
    } catch (thrown) {
      throw tokenError(thrown);
    }
  }

  /** C_CreateObject. @param attributes with the value. @throws TokenError */
  create(attributes: Attributes): ImportedObject {
    return this.now(() => this.remembered(this.cryptoki.C_CreateObject(this.session, this.importTemplate(attributes))));
  }

  /** C_DecryptInit, C_Decrypt. @param outputBytes never shorter than the plaintext. @throws TokenError */
  async decrypt(key: KeyObject, mechanism: Mechanism, ciphertext: Buffer, outputBytes: number): Promise<Buffer> {
    const output = Buffer.alloc(outputBytes);
    try {
      this.cryptoki.C_DecryptInit(this.session, mechanism, this.handles.of(this.session, key));
      const plaintext = await this.cryptoki.C_DecryptAsync(this.session, ciphertext, output);
      return Buffer.from(plaintext);
    } catch (thrown) {
      throw tokenError(thrown);
    } finally {
      output.fill(0);
    }
  }

  /** C_GetAttributeValue. @throws TokenError */
  read<N extends AttributeName>(object: ImportedObject, names: readonly N[]): { [K in N]: AttributeValue<K> } {
    return this.now(() => readAttributes(this.cryptoki, this.session, object, names));
  }

  /** C_SignInit, C_Sign. @param outputBytes never shorter than the signature. @throws TokenError */
  sign(object: ImportedObject, mechanism: Mechanism, data: Buffer, outputBytes: number): Buffer {
    return this.now(() => {
      this.cryptoki.C_SignInit(this.session, mechanism, object);
      return this.cryptoki.C_Sign(this.session, data, Buffer.alloc(outputBytes));
    });
  }

  /** HMAC-SHA-256 under a secret key. @throws TokenError */
  mac(object: ImportedObject, data: Buffer): Buffer {
    return this.sign(object, plain('SHA256_HMAC'), data, 32);
  }

  /**
   * CKM_ECDH1_DERIVE, and the secret read.
   *
   * @param point uncompressed
   * @param bytes length of the secret: the curve's field size
   * @throws TokenError
   */
  sharedSecret(object: ImportedObject, point: Buffer, bytes: number): Buffer {
    return this.now(() => {
      const parameters = template(sharedSecretTemplate(bytes));
      const derived = this.remembered(this.cryptoki.C_DeriveKey(this.session, ecdh1(point), object, parameters));
      return readAttributes(this.cryptoki, this.session, derived, ['CKA_VALUE']).CKA_VALUE;
    });
  }

  /** Leaves these objects in the token when the import ends. */
  keep(objects: readonly ImportedObject[]): void {
    this.made = this.made.filter((each) => !objects.includes(each));
  }

  /** Destroys what was made and not kept; what cannot be destroyed goes with its session, or is an orphan. */
  end(): void {
    for (const object of this.made.splice(0)) {
      try {
        this.cryptoki.C_DestroyObject(this.session, object);
      } catch {
        // the import has its result, or a reason of its own to fail
      }
    }
  }

  private remembered(object: pkcs11.Handle): pkcs11.Handle {
    this.made.push(object);
    return object;
  }

  private now<T>(call: () => T): T {
    try {
      return call();
    } catch (thrown) {
      throw tokenError(thrown);
    }
  }

  /**
   * The template of an object whose value comes from elsewhere. What the value says itself must not be said again; and
   * CKA_MODIFIABLE stands last, as SoftHSM2 sets one attribute after the other and none any more after a false one.
   */
  private importTemplate({ CKA_VALUE_LEN, CKA_MODULUS_BITS, CKA_MODIFIABLE, ...others }: Attributes): pkcs11.Template {
    return this.templateFor({ ...others, ...(CKA_MODIFIABLE !== undefined && { CKA_MODIFIABLE }) });
  }
}
