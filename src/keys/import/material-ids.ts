import { createHash } from 'node:crypto';
import { KmsError } from '../../contract/kms-error.js';
import { hmacKey } from '../../token/key-templates.js';
import { plain } from '../../token/mechanisms.js';
import type { KeyObject } from '../../token/object-handles.js';
import type { Token } from '../../token/token.js';

const label = 'hsm-kms key material id key';
/** The service's own HMAC key in the token, found by this CKA_ID. */
const idKey: KeyObject = { id: createHash('sha256').update(label).digest(), class: 'secret' };
const idBytes = 32;

/**
 * Ids of imported key material: the same material of the same key has the same id for ever, so that a re-import can be
 * told from other material. HMAC-SHA-256 by a key that does not leave the token, over the key id and a fingerprint of
 * the material: from an id, which many may see, nobody finds weak material by trying.
 */
export class MaterialIds {
  constructor(private readonly token: Token) {}

  /** True when the token has the key. @throws TokenError */
  isReady(): boolean {
    return this.token.has(idKey);
  }

  /** Makes the key, once for a token. @throws TokenError */
  async prepare(): Promise<void> {
    const permissions = { uses: ['sign'], mechanisms: ['SHA256_HMAC'] } as const;
    await this.token.generate(hmacKey(idBytes), { id: idKey.id, label }, permissions);
  }

  /**
   * KeyMaterialId: 64 hexadecimal digits.
   *
   * @param fingerprint of the material, 32 bytes
   * @throws KmsError UnsupportedOperationException when the token has no such key; TokenError
   */
  async of(keyId: string, fingerprint: Buffer): Promise<string> {
    if (!this.isReady()) {
      throw new KmsError(
        'UnsupportedOperationException',
        'The token has no key for the ids of imported key material: it makes no HMAC keys, or "hsm-kms init" has to be run once more.',
      );
    }
    const data = Buffer.concat([Buffer.from(`hsm-kms key material id\0${keyId}\0`), fingerprint]);
    const call = { key: idKey, mechanism: plain('SHA256_HMAC'), outputBytes: idBytes };
    return (await this.token.sign(call, data)).toString('hex');
  }
}
