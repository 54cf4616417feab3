import { createHash } from 'node:crypto';
import { decodeEcPoint } from '../encoding/ec-point.js';
import { toDer } from '../encoding/ecdsa-signature.js';
import { namedCurves } from '../encoding/named-curves.js';
import { ecSpki } from '../encoding/spki.js';
import { ecKeyPair } from './key-templates.js';
import { plain } from './mechanisms.js';
import type { KeyObject } from './object-handles.js';
import type { Token } from './token.js';

/** CKA_ID of the key pair that signs evidence: always the same, so that every process and node finds it. */
export const evidenceKeyId = createHash('sha256').update('hsm-kms evidence key').digest();
export const evidenceKeyLabel = 'hsm-kms evidence key';

const { ecParams, fieldBytes, orderBytes } = namedCurves['P-256'];
const privateKey: KeyObject = { id: evidenceKeyId, class: 'private' };
const publicKey: KeyObject = { id: evidenceKeyId, class: 'public' };

/** The key pair in the token that signs evidence: EC P-256, as non-extractable as the keys that it is about. */
export class EvidenceKey {
  /** @param publicKey DER SubjectPublicKeyInfo */
  private constructor(
    private readonly token: Token,
    readonly publicKey: Buffer,
  ) {}

  /** The key; made where there is none yet. @throws Error that says that the token makes none; TokenError */
  static async of(token: Token): Promise<EvidenceKey> {
    if (!token.has(privateKey)) await EvidenceKey.make(token);
    const { CKA_EC_POINT } = token.attributes(publicKey, ['CKA_EC_POINT']);
    return new EvidenceKey(token, ecSpki('P-256', decodeEcPoint(CKA_EC_POINT, fieldBytes)));
  }

  private static async make(token: Token): Promise<void> {
    const names = { id: evidenceKeyId, label: evidenceKeyLabel };
    try {
      await token.generate(ecKeyPair(ecParams), names, { uses: ['sign'], mechanisms: ['ECDSA'] });
    } catch (cause) {
      const why = (cause as Error).message;
      throw new Error(`The token makes no EC P-256 key, so that nothing can sign evidence: ${why}.`, { cause });
    }
  }

  /** ECDSA with SHA-256. @returns DER ECDSA-Sig-Value @throws TokenError */
  async sign(message: Buffer): Promise<Buffer> {
    const digest = createHash('sha256').update(message).digest();
    const call = { key: privateKey, mechanism: plain('ECDSA'), outputBytes: 2 * orderBytes };
    return toDer(await this.token.sign(call, digest));
  }
}
