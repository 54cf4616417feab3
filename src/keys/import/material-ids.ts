import { KmsError } from '../../contract/kms-error.js';
import { ServiceMacKey } from '../../token/service-mac-key.js';
import type { Token } from '../../token/token.js';

/**
 * Ids of imported key material: the same material of the same key has the same id for ever, so that a re-import can be
 * told from other material. HMAC-SHA-256 by a key that does not leave the token, over the key id and a fingerprint of
 * the material: from an id, which many may see, nobody finds weak material by trying.
 */
export class MaterialIds extends ServiceMacKey {
  constructor(token: Token) {
    super(token, 'hsm-kms key material id key');
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
    return (await this.mac(data)).toString('hex');
  }
}
