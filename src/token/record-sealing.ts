import { ServiceMacKey } from './service-mac-key.js';
import type { Token } from './token.js';

/** Makes the MACs that tell whether somebody else has written into the database. */
export class RecordSealing extends ServiceMacKey {
  constructor(token: Token) {
    super(token, 'hsm-kms record sealing key');
  }
}
