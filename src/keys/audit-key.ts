import type { Token } from '../token/token.js';
import { ServiceSigningKey } from './service-signing-key.js';

/** Signs the checkpoints of the audit log. */
export class AuditKey extends ServiceSigningKey {
  constructor(token: Token) {
    super(token, 'hsm-kms audit key');
  }
}
