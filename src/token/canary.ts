import { randomBytes } from 'node:crypto';
import type pkcs11 from 'pkcs11js';
import { keyType, objectClass, template } from './attributes.js';
import { aesGcm, gcmIvBytes, gcmTagBytes, plain } from './mechanisms.js';
import { TokenError, tokenError } from './return-values.js';
import type { SessionPool } from './session-pool.js';

const plaintextBytes = 16;
const keyBytes = 32;

/**
 * A session key that nothing depends on. It shows whether the token encrypts and decrypts as it should, when an error
 * may as well be the fault of a client's data as of the token.
 */
export class Canary {
  private key: pkcs11.Handle | undefined;

  /** @param keeper the session that holds the key: it must outlive this */
  constructor(
    private readonly cryptoki: pkcs11.PKCS11,
    private readonly keeper: pkcs11.Handle,
    private readonly sessions: SessionPool,
  ) {}

  /** True when what the token encrypts decrypts to the same, or when it has no AES-GCM to tell by. */
  sings(): boolean {
    // twice: its key, or the session, may be the one thing that is not as it was
    return this.attempt() || this.attempt();
  }

  private attempt(): boolean {
    try {
      this.key ??= this.makeKey();
      const key = this.key;
      return this.sessions.now((session) => this.roundTrip(session, key));
    } catch (thrown) {
      this.key = undefined;
      const error = tokenError(thrown);
      return error instanceof TokenError && error.reaction === 'refused';
    }
  }

  private makeKey(): pkcs11.Handle {
    const attributes = template({
      CKA_CLASS: objectClass.secret,
      CKA_KEY_TYPE: keyType.AES,
      CKA_VALUE_LEN: keyBytes,
      CKA_TOKEN: false,
      CKA_PRIVATE: true,
      CKA_SENSITIVE: true,
      CKA_EXTRACTABLE: false,
      CKA_ENCRYPT: true,
      CKA_DECRYPT: true,
    });
    return this.cryptoki.C_GenerateKey(this.keeper, plain('AES_KEY_GEN'), attributes);
  }

  private roundTrip(session: pkcs11.Handle, key: pkcs11.Handle): boolean {
    const plaintext = randomBytes(plaintextBytes);
    const mechanism = aesGcm(randomBytes(gcmIvBytes), Buffer.from('canary'));
    const outputBytes = plaintextBytes + gcmTagBytes;
    this.cryptoki.C_EncryptInit(session, mechanism, key);
    const sealed = this.cryptoki.C_Encrypt(session, plaintext, Buffer.alloc(outputBytes));
    this.cryptoki.C_DecryptInit(session, mechanism, key);
    return this.cryptoki.C_Decrypt(session, sealed, Buffer.alloc(outputBytes)).equals(plaintext);
  }
}
