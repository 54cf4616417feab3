import { createHash } from 'node:crypto';
import { aesKey } from './key-templates.js';
import { aesGcm, gcmIvBytes, gcmTagBytes } from './mechanisms.js';
import type { KeyObject } from './object-handles.js';
import type { Token } from './token.js';

/** The service's own AES key in the token, found by this CKA_ID. */
const sealingKey: KeyObject = { id: createHash('sha256').update('hsm-kms sealing key').digest(), class: 'secret' };

const formatVersion = 1;

/** Encrypts secrets of the service for the database, by a key that does not leave the token. */
export class Sealer {
  constructor(private readonly token: Token) {
    token.landmark = sealingKey;
  }

  /** True when the token has the sealing key. @throws TokenError */
  isReady(): boolean {
    return this.token.has(sealingKey);
  }

  /** Makes the sealing key. @throws TokenError */
  async prepare(): Promise<void> {
    const names = { id: sealingKey.id, label: 'hsm-kms sealing key' };
    await this.token.generate(aesKey, names, { uses: ['encrypt'], mechanisms: ['AES_GCM'] });
  }

  /**
   * @param purpose what the secret is and whose: `open` needs the same text, so that nothing sealed can be moved
   * @throws TokenError, ObjectMissingError
   */
  async seal(purpose: string, secret: Buffer): Promise<Buffer> {
    const iv = this.token.newGcmIv();
    const mechanism = aesGcm(iv, Buffer.from(purpose));
    const outputBytes = secret.length + gcmTagBytes;
    const sealed = await this.token.encrypt({ key: sealingKey, mechanism, outputBytes, atOnce: true }, secret);
    return Buffer.concat([Buffer.from([formatVersion]), this.token.usedGcmIv(iv), sealed]);
  }

  /** @returns undefined when it was not sealed by this token for this purpose. @throws TokenError, ObjectMissingError */
  async open(purpose: string, sealed: Buffer): Promise<Buffer | undefined> {
    if (sealed[0] !== formatVersion || sealed.length < 1 + gcmIvBytes + gcmTagBytes) return undefined;
    const iv = sealed.subarray(1, 1 + gcmIvBytes);
    const body = sealed.subarray(1 + gcmIvBytes);
    const mechanism = aesGcm(iv, Buffer.from(purpose));
    return this.token.decrypt({ key: sealingKey, mechanism, outputBytes: body.length, atOnce: true }, body);
  }
}
