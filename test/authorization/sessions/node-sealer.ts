import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Sealer } from '../../../src/token/sealing.js';

/** Seals as the token does, by AES-GCM and with the purpose authenticated, but in this process. */
export class NodeSealer implements Pick<Sealer, 'seal' | 'open'> {
  /** How often something was opened, successfully or not. */
  opened = 0;
  private readonly key = randomBytes(32);

  async seal(purpose: string, secret: Buffer): Promise<Buffer> {
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.key, iv).setAAD(Buffer.from(purpose));
    return Buffer.concat([Buffer.from([1]), iv, cipher.update(secret), cipher.final(), cipher.getAuthTag()]);
  }

  async open(purpose: string, sealed: Buffer): Promise<Buffer | undefined> {
    this.opened += 1;
    if (sealed[0] !== 1 || sealed.length < 29) return undefined;
    const decipher = createDecipheriv('aes-256-gcm', this.key, sealed.subarray(1, 13)).setAAD(Buffer.from(purpose));
    decipher.setAuthTag(sealed.subarray(-16));
    try {
      return Buffer.concat([decipher.update(sealed.subarray(13, -16)), decipher.final()]);
    } catch {
      return undefined;
    }
  }
}
