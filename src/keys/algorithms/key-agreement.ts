import { type EcCurveName, namedCurves } from '../../encoding/named-curves.js';
import { parseEcSpki } from '../../encoding/spki.js';
import type { MechanismName } from '../../token/mechanisms.js';
import type { Token } from '../../token/token.js';
import type { KeyMaterial } from '../key-record.js';

/** ECDH: the shared secret is the raw x coordinate (NIST SP 800-56A, 5.7.1.2). */
export interface KeyAgreementAlgorithm {
  readonly mechanisms: readonly MechanismName[];
  readonly curve: EcCurveName;
}

export const ecdh = (curve: EcCurveName): KeyAgreementAlgorithm => ({ mechanisms: ['ECDH1_DERIVE'], curve });

/**
 * The secret that this key and the peer's share, as long as the curve's field.
 *
 * @param peer DER SubjectPublicKeyInfo
 * @returns undefined when it is no public key on this key's curve
 * @throws TokenError, TokenBusyError
 */
export async function agree(
  token: Token,
  material: KeyMaterial,
  { curve }: KeyAgreementAlgorithm,
  peer: Buffer,
): Promise<Buffer | undefined> {
  const peerKey = parseEcSpki(peer);
  if (peerKey?.curve !== curve) return undefined;
  const { fieldBytes } = namedCurves[curve];
  const secret = await token.deriveSharedSecret(material.objects.private, peerKey.point, fieldBytes);
  return leftPadded(secret, fieldBytes);
}

/** Some tokens drop the zeros at the left of a shared secret. */
function leftPadded(secret: Buffer, bytes: number): Buffer {
  if (secret.length === bytes) return secret;
  const padded = Buffer.alloc(bytes);
  secret.copy(padded, bytes - secret.length);
  secret.fill(0);
  return padded;
}
