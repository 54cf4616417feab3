import { createHash, X509Certificate } from 'node:crypto';
import { version } from '../config/version.js';
import {
  bundleSchema,
  type ClaimResult,
  type EvidenceBundle,
  type EvidencePayload,
  type KeyEvidence,
} from './bundle.js';
import { canonicalJson, type Json, memberNamedTwice } from './canonical-json.js';
import { certificatesOf, faultOfChain, nameOf } from './certificate-chain.js';
import { isSignatureOf } from './challenge.js';
import { decideClaims } from './claims.js';

/** What a verifier knows, and the bundle does not say. */
export interface VerifierKnowledge {
  /** Certificates that are trusted, in PEM: the evidence key's own, or that of the CA that issued it. */
  readonly trust: string;
  /** The nonce that was given for the bundle, hexadecimal digits; undefined for a bundle that was made without. */
  readonly nonce?: string | undefined;
  readonly now: Date;
}

/** A key of a bundle, with the verdicts as they were decided here. */
export interface VerifiedKey {
  readonly key: KeyEvidence;
  readonly claims: readonly ClaimResult[];
}

/** Who has signed a bundle. */
export interface BundleSigner {
  readonly subject: string;
  readonly issuer: string;
  /** SHA-256 of the certificate, hexadecimal digits. */
  readonly sha256: string;
  readonly validFrom: string;
  readonly validTo: string;
}

/** What came of a verification. */
export interface VerifiedBundle {
  /** Why the bundle is not to be believed: sentences; none when it is. */
  readonly faults: readonly string[];
  /** What does not speak against it, and is to be known. */
  readonly notes: readonly string[];
  readonly payload: EvidencePayload;
  readonly signer: BundleSigner;
  /** Its keys, the evidence key last. */
  readonly keys: readonly VerifiedKey[];
}

/** The text is no evidence bundle. */
export class NoBundleError extends Error {
  override readonly name = 'NoBundleError';
}

/** How far the clocks of two machines may be apart, in milliseconds. */
const clockTolerance = 5 * 60 * 1000;

/**
 * Verifies an evidence bundle without token, service or network: its certificates, its signature, its hashes, the answers
 * to its challenge, and the verdict on every claim, decided anew from the evidence.
 *
 * @param text JSON
 * @throws NoBundleError; Error with a sentence when nothing can be trusted by `trust`
 */
export function verifyBundle(text: string, { trust, nonce, now }: VerifierKnowledge): VerifiedBundle {
  const { json, bundle } = parsed(text);
  const { payload } = bundle;
  const anchors = certificatesOf(trust);
  if (anchors.length === 0) throw new Error('The file of --trust holds no certificate in PEM.');
  const chain = payload.certificates.map(certificateOf);
  const [leaf] = chain;
  if (leaf === undefined) throw new NoBundleError('The bundle has no certificate.');
  const keys = [...payload.keys, payload.evidenceKey].map((key) => ({ key, claims: claimsOf(key, payload) }));
  const made = new Date(payload.madeAt);
  const faults = [
    faultOfChain(chain, anchors, made),
    faultOfSignature(bundle, json, leaf),
    faultOfEvidenceKey(payload, leaf),
    faultOfNonce(payload, nonce),
    made.getTime() > now.getTime() + clockTolerance
      ? `It says that it was made at ${payload.madeAt}, which has not come yet by the clock of this machine.`
      : undefined,
    ...keys.flatMap(({ key }) => faultsOfHashes(key)),
  ];
  const otherVerdicts = keys.flatMap(otherVerdictsOn);
  // another version may have decided otherwise from the same evidence
  const isOfThisVersion = payload.program === version;
  return {
    faults: [...faults, ...(isOfThisVersion ? otherVerdicts : [])].filter((each) => each !== undefined),
    notes: [
      ...notesOn(payload, { leaf, nonce, now }),
      ...(isOfThisVersion ? [] : otherVerdicts.map((each) => `${each} It was made by hsm-kms ${payload.program}.`)),
    ],
    payload,
    signer: {
      subject: nameOf(leaf),
      issuer: JSON.stringify(leaf.issuer.split('\n').join(', ')),
      sha256: createHash('sha256').update(leaf.raw).digest('hex'),
      validFrom: leaf.validFrom,
      validTo: leaf.validTo,
    },
    keys,
  };
}

function parsed(text: string): { json: { readonly payload: Json }; bundle: EvidenceBundle } {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new NoBundleError('It is not JSON.', { cause });
  }
  const twice = memberNamedTwice(text);
  if (twice !== undefined) throw new NoBundleError(`An object in it has the member ${JSON.stringify(twice)} twice.`);
  const { success, data, error } = bundleSchema.safeParse(json);
  if (!success) {
    const [issue] = error.issues;
    const place = issue?.path.join('.') ?? '';
    throw new NoBundleError(`It is not an evidence bundle of this format: ${place} ${issue?.message ?? ''}`.trimEnd());
  }
  const padded = notCanonicalBase64(data);
  if (padded !== undefined)
    throw new NoBundleError(`It is not an evidence bundle of this format: ${padded} is not base64.`);
  return { json: json as { readonly payload: Json }, bundle: data };
}

/** Base64 whose last character has bits that nobody reads could be changed unseen, where it is not signed. */
function notCanonicalBase64({ signature }: EvidenceBundle): string | undefined {
  const isCanonical = Buffer.from(signature.value, 'base64').toString('base64') === signature.value;
  return isCanonical ? undefined : 'signature.value';
}

function certificateOf(base64: string): X509Certificate {
  try {
    const certificate = new X509Certificate(Buffer.from(base64, 'base64'));
    // throws for keys that this OpenSSL does not know
    void certificate.publicKey;
    return certificate;
  } catch (cause) {
    throw new NoBundleError('One of its certificates cannot be read (X.509).', { cause });
  }
}

function faultOfSignature({ signature }: EvidenceBundle, json: { readonly payload: Json }, leaf: X509Certificate) {
  const message = Buffer.from(canonicalJson(json.payload));
  const spki = leaf.publicKey.export({ format: 'der', type: 'spki' });
  const isGood = isSignatureOf(spki, signature.algorithm, message, Buffer.from(signature.value, 'base64'));
  return isGood
    ? undefined
    : 'The signature is not that of the certificate: something was changed, or it is of another.';
}

/** The bundle's report on the key that has signed it must be about that key. */
function faultOfEvidenceKey({ evidenceKey }: EvidencePayload, leaf: X509Certificate): string | undefined {
  const spki = leaf.publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
  const isIt = evidenceKey.materials.some(({ publicKey }) => publicKey === spki);
  return isIt ? undefined : 'Its report on the evidence key is about another key than the certificate.';
}

function faultOfNonce({ challenge }: EvidencePayload, nonce: string | undefined): string | undefined {
  if (nonce === undefined || (challenge.nonce === nonce && challenge.from === 'verifier')) return undefined;
  return `It does not answer the challenge ${nonce}: it may be older.`;
}

function claimsOf(key: KeyEvidence, payload: EvidencePayload): ClaimResult[] {
  const token = Object.hasOwn(payload.tokens, key.token) ? payload.tokens[key.token] : undefined;
  if (token === undefined) throw new NoBundleError(`It has no token ${JSON.stringify(key.token)}.`);
  return decideClaims({ key, token, payload });
}

function faultsOfHashes({ keyId, attestation }: KeyEvidence): string[] {
  if (attestation === null) return [];
  const sha256 = createHash('sha256').update(Buffer.from(attestation.content, 'base64')).digest('hex');
  return sha256 === attestation.sha256 ? [] : [`The attestation of ${keyId} does not have the SHA-256 that is stated.`];
}

/** What the bundle says of a claim is not believed; that it says something else is told. */
function otherVerdictsOn({ key: { keyId, claims: stated }, claims: decided }: VerifiedKey): string[] {
  const text = ({ claim, verdict }: ClaimResult) => `${claim}: ${verdict}`;
  const isSame = stated.length === decided.length && stated.every((each, i) => text(each) === text(decided[i] ?? each));
  if (isSame) return [];
  const other = decided.find((each) => !stated.some((one) => text(one) === text(each)));
  return [`Its verdicts on ${keyId} are not what the evidence says (${other?.claim ?? 'more are stated'}).`];
}

function notesOn(
  { challenge }: EvidencePayload,
  { leaf: { validTo }, nonce, now }: { leaf: X509Certificate; nonce: string | undefined; now: Date },
): string[] {
  const notes: string[] = [];
  if (challenge.from === 'program') {
    notes.push(
      "The nonce of the challenge is the program's own: the time is its word. For freshness have a bundle made with --challenge.",
    );
  } else if (nonce === undefined) {
    notes.push(
      `It says that it answers a nonce of the verifier's, ${challenge.nonce}. Whether that is yours was not compared: type --challenge and your nonce.`,
    );
  }
  if (new Date(validTo) < now) notes.push(`The certificate has expired since (${validTo}).`);
  notes.push('Whether a certificate was revoked is not looked at: that takes a network.');
  return notes;
}
