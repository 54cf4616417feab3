import { gcmIvBytes } from './mechanisms.js';

/** How many are fetched at once. */
const batch = 64;

/**
 * IVs for CKM_AES_GCM, each given out once, fetched from the token's random numbers many at a time.
 *
 * Only for a token that is a program of this machine (the profile's `computesHere`): its generator is copied with a
 * running machine as this buffer is, so that two copies may repeat what comes next either way. With a device's numbers
 * they would do so only for this buffer, and an IV used twice gives the key's messages away (NIST SP 800-38D, appendix A).
 */
export class GcmIvs {
  private bytes: Buffer = Buffer.alloc(0);
  private used = 0;

  /** @param random C_GenerateRandom; may throw TokenError */
  constructor(private readonly random: (bytes: number) => Buffer) {}

  /** @returns 12 bytes. @throws TokenError */
  next(): Buffer {
    if (this.used === this.bytes.length) {
      this.bytes = this.random(batch * gcmIvBytes);
      this.used = 0;
    }
    const iv = this.bytes.subarray(this.used, this.used + gcmIvBytes);
    this.used += gcmIvBytes;
    return iv;
  }
}
