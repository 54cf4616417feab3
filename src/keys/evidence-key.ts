import type { Token } from '../token/token.js';
import { ServiceSigningKey } from './service-signing-key.js';

/** Signs evidence. */
export class EvidenceKey extends ServiceSigningKey {
  constructor(token: Token) {
    super(token, 'hsm-kms evidence key');
  }
}
