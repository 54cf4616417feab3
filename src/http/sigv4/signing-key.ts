import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { credentialScope } from './authorization-header.js';

/**
 * The key that signs a day's requests to one service in one Region.
 *
 * @param secret secret access key
 * @param day YYYYMMDD
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
export function deriveSigningKey(secret: Buffer, day: string, region: string, service: string): KeyObject {
  let key = Buffer.concat([Buffer.from('AWS4'), secret]);
  for (const part of [day, region, service, 'aws4_request']) {
    const next = createHmac('sha256', key).update(part).digest();
    key.fill(0);
    key = next;
  }
  const signingKey = createSecretKey(key);
  key.fill(0);
  return signingKey;
}

/**
 * Signing keys of the secrets in use: deriving one costs more than verifying with it. They go when the secret's Buffer
 * is no longer referenced, so a changed secret must be a new Buffer, and a cached key record must keep its own.
 */
export class SigningKeyCache {
  readonly #keys = new WeakMap<Buffer, Map<string, KeyObject>>();
  readonly #limit: number;

  /** @param limit signing keys kept per secret; the oldest goes first */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The signing key of a secret, derived if it is not there yet. Parameters as for deriveSigningKey. */
  get(secret: Buffer, day: string, region: string, service: string): KeyObject {
    const ofSecret = this.#keys.get(secret) ?? new Map<string, KeyObject>();
    const scope = credentialScope(day, region, service);
    let key = ofSecret.get(scope);
    if (key === undefined) {
      key = deriveSigningKey(secret, day, region, service);
      const [oldest] = ofSecret.keys();
      if (ofSecret.size >= this.#limit && oldest !== undefined) ofSecret.delete(oldest);
      ofSecret.set(scope, key);
      this.#keys.set(secret, ofSecret);
    }
    return key;
  }
}
