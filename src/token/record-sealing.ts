import { createHash } from 'node:crypto';
import { hmacKey } from './key-templates.js';
import { plain } from './mechanisms.js';
import type { KeyObject } from './object-handles.js';
import type { Token } from './token.js';

const label = 'hsm-kms record sealing key';
/** The service's own HMAC key in the token, found by this CKA_ID. */
const sealingKey: KeyObject = { id: createHash('sha256').update(label).digest(), class: 'secret' };
const macBytes = 32;

/** Makes the MACs that tell whether somebody else has written into the database, by a key that does not leave the token. */
export class RecordSealing {
  constructor(private readonly token: Token) {}

  /** True when the token has the key: then a store was sealed by it. @throws TokenError */
  isReady(): boolean {
    return this.token.has(sealingKey);
  }

  /** Makes the key, once for a token. @throws TokenError */
  async prepare(): Promise<void> {
    const permissions = { uses: ['sign'], mechanisms: ['SHA256_HMAC'] } as const;
    await this.token.generate(hmacKey(macBytes), { id: sealingKey.id, label }, permissions);
  }

  /** HMAC-SHA-256, 32 bytes. @throws TokenError, ObjectMissingError */
  mac(message: Buffer): Buffer | Promise<Buffer> {
    return this.token.sign({ key: sealingKey, mechanism: plain('SHA256_HMAC'), outputBytes: macBytes }, message);
  }
}
