import { createHash } from 'node:crypto';
import { hmacKey } from './key-templates.js';
import { plain } from './mechanisms.js';
import type { KeyObject } from './object-handles.js';
import type { Token } from './token.js';

const macBytes = 32;

/** An HMAC key of the service's own in the token, which does not leave it: found by its CKA_ID, the label's SHA-256. */
export class ServiceMacKey {
  private readonly key: KeyObject;

  constructor(
    private readonly token: Token,
    private readonly label: string,
  ) {
    this.key = { id: createHash('sha256').update(label).digest(), class: 'secret' };
  }

  /** True when the token has the key. @throws TokenError */
  isReady(): boolean {
    return this.token.has(this.key);
  }

  /** Makes the key, once for a token. @throws TokenError */
  async prepare(): Promise<void> {
    const permissions = { uses: ['sign'], mechanisms: ['SHA256_HMAC'] } as const;
    await this.token.generate(hmacKey(macBytes), { id: this.key.id, label: this.label }, permissions);
  }

  /** HMAC-SHA-256, 32 bytes. @throws TokenError, ObjectMissingError */
  mac(message: Buffer): Buffer | Promise<Buffer> {
    const mechanism = plain('SHA256_HMAC');
    return this.token.sign({ key: this.key, mechanism, outputBytes: macBytes, atOnce: true }, message);
  }
}
