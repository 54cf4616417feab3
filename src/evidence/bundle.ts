import { z } from 'zod';

/*
 * An evidence bundle: what docs/evidence.md describes. One definition for who writes and who reads it; a reader takes
 * nothing that is not named here.
 */

/** Names the format; another version is another name. */
export const bundleFormat = 'hsm-kms-evidence/1';
/** What bundles are signed with: by an EC key on P-256, or by RSA where the token has no such keys. */
const signatureAlgorithms = ['ECDSA_SHA_256', 'RSASSA_PKCS1_V1_5_SHA_256'] as const;

/** An error of the token: CKR_ name, and number where it gave one. */
const refusal = { refused: z.string(), ckr: z.number().nullable() };
const refused = z.strictObject(refusal);

/** An attempt to get at a secret: how many bytes the token gave, or its refusal. */
const attempt = z.union([z.strictObject({ givenBytes: z.number() }), refused]);
const attempts = z.record(z.string(), attempt);

const attributeValue = z.union([z.boolean(), z.number(), z.string(), z.array(z.string())]);
const attributeReading = z.union([z.strictObject({ value: attributeValue }), refused]);

const copy = z.union([z.strictObject({ sensitive: z.boolean(), extractable: z.boolean() }), refused]);

/** What a copy was to be -> what it is, or the refusal. */
const copies = z.record(z.string(), copy);

/** An object of a key in the token, as it was read, and what came of the attempts to get it out. */
const keyObject = z.strictObject({
  class: z.enum(['secret', 'private', 'public']),
  /** CKA_ name -> value; bytes in hexadecimal digits. */
  attributes: z.record(z.string(), attributeReading),
  /** Of a secret or private key only: CKA_ name, mechanism -> outcome. */
  secretReads: attempts.optional(),
  wraps: attempts.optional(),
  weakerCopies: copies.optional(),
});

/** How a key answered the challenge. */
const challengeAnswer = z.union([
  /** Of the challenge's text: anybody verifies it with the public key. */
  z.strictObject({ kind: z.literal('signature'), algorithm: z.string(), signature: z.base64() }),
  /** Used, and undone or computed a second time, by this program: a reader cannot repeat it. */
  z.strictObject({ kind: z.literal('round trip'), algorithm: z.string() }),
  z.strictObject({ kind: z.literal('wrong'), algorithm: z.string(), what: z.string() }),
  z.strictObject({ kind: z.literal('not asked'), why: z.string() }),
]);

const material = z.strictObject({
  /** KeyMaterialId: CKA_ID in hexadecimal digits. */
  id: z.string(),
  state: z.string(),
  createdAt: z.iso.datetime().nullable(),
  rotatedAt: z.iso.datetime().nullable(),
  rotationType: z.string().nullable(),
  expiresAt: z.iso.datetime().nullable(),
  /** DER SubjectPublicKeyInfo, and its SHA-256. */
  publicKey: z.base64().nullable(),
  publicKeySha256: z.string().nullable(),
  /** All with the CKA_ID: none where imported material was deleted or has expired, several where somebody has added one. */
  objects: z.array(keyObject),
  challenge: challengeAnswer,
});

const attestation = z.strictObject({
  /** A row of attestation-sources.ts. */
  source: z.string(),
  fileName: z.string(),
  sha256: z.string(),
  content: z.base64(),
});

export const verdicts = ['proven', 'asserted', 'not provable', 'failed'] as const;
const claimResult = z.strictObject({ claim: z.string(), verdict: z.enum(verdicts), because: z.string() });

/** A change of a key, as an event of the audit log. */
const historyEvent = z.strictObject({
  name: z.string(),
  time: z.string(),
  /** ARN of who asked, or the service's own name. */
  by: z.string().nullable(),
  eventId: z.string().nullable(),
  /** SHA-256 of the key policy that it has set. */
  policySha256: z.string().nullable(),
  /** Where its line is, and the SHA-256 of that, which the next line of the stream has in it. */
  stream: z.string(),
  sequence: z.number(),
  lineSha256: z.string(),
});

/** The changes of a key, the oldest first; of many only the newest, and how many came before them. */
const history = z.strictObject({ earlier: z.number(), events: z.array(historyEvent) });

const key = z.strictObject({
  kind: z.enum(['KMS key', 'evidence key']),
  keyId: z.string(),
  arn: z.string().nullable(),
  keySpec: z.string(),
  keyUsage: z.string(),
  origin: z.string(),
  state: z.string(),
  description: z.string(),
  aliases: z.array(z.string()),
  createdAt: z.iso.datetime().nullable(),
  /** Name of the token that holds it: a member of `tokens`. */
  token: z.string(),
  /** SHA-256 of the key policy's text, as GetKeyPolicy gives it. */
  policySha256: z.string().nullable(),
  grants: z.number(),
  rotation: z.strictObject({ periodDays: z.number(), nextAt: z.iso.datetime() }).nullable(),
  materials: z.array(material),
  /** Null where there is no audit log, and of the evidence key. */
  history: history.nullable(),
  attestation: attestation.nullable(),
  claims: z.array(claimResult),
});

/** The same attempts on a key that may leave: whether a refusal says anything. */
const control = z.union([z.strictObject({ secretReads: attempts, wraps: attempts, weakerCopies: copies }), refused]);

const token = z.strictObject({
  label: z.string(),
  manufacturer: z.string(),
  model: z.string(),
  serialNumber: z.string(),
  firmwareVersion: z.string(),
  hardwareVersion: z.string(),
  slotDescription: z.string(),
  flags: z.array(z.string()),
  module: z.strictObject({
    /** Without its directory. */
    fileName: z.string(),
    sha256: z.string(),
    libraryDescription: z.string(),
    libraryManufacturer: z.string(),
    libraryVersion: z.string(),
    cryptokiVersion: z.string(),
  }),
  /** What is known of its kind. */
  profile: z.string(),
  /** Attributes that this kind of token does not keep as PKCS#11 has them. */
  unkeptAttributes: z.array(z.string()),
  /** As the token lists them, with the flags that it gives (WRAP, HW ...). */
  mechanisms: z.array(z.strictObject({ name: z.string(), type: z.number(), flags: z.array(z.string()) })),
  /** Mechanisms that can wrap, by the token's word, and that were not tried. */
  wrappingNotTried: z.array(z.string()),
  /** Where each algorithm of KMS runs, found by trying. */
  algorithms: z.array(
    z.strictObject({
      spec: z.string(),
      usage: z.string().optional(),
      algorithm: z.string().optional(),
      where: z.enum(['in the token', 'split', 'not available']),
      detail: z.string(),
    }),
  ),
  /** By key spec. */
  controls: z.record(z.string(), control),
});

const payload = z.strictObject({
  format: z.literal(bundleFormat),
  /** Version of the program. */
  program: z.string(),
  /** By the clock of the machine that made it. */
  madeAt: z.iso.datetime(),
  challenge: z.strictObject({
    nonce: z.string().regex(/^(?:[0-9a-f]{2}){16,64}$/),
    from: z.enum(['verifier', 'program']),
  }),
  tokens: z.record(z.string(), token),
  /** Base64 of DER: the evidence key's certificate first, then those that issued it. */
  certificates: z.array(z.base64()).min(1),
  evidenceKey: key,
  keys: z.array(key),
  /**
   * The newest checkpoint of the audit log, as it stands there, and the public key of the token's audit key (DER
   * SubjectPublicKeyInfo); null without one.
   */
  auditCheckpoint: z.strictObject({ line: z.string(), sha256: z.string(), publicKey: z.base64() }).nullable(),
});

export const bundleSchema = z.strictObject({
  payload,
  /** Over the UTF-8 of the payload in the JSON Canonicalization Scheme (RFC 8785). */
  signature: z.strictObject({ algorithm: z.enum(signatureAlgorithms), value: z.base64() }),
});

export type EvidenceBundle = z.infer<typeof bundleSchema>;
export type EvidencePayload = z.infer<typeof payload>;
export type TokenEvidence = z.infer<typeof token>;
export type KeyEvidence = z.infer<typeof key>;
export type MaterialEvidence = z.infer<typeof material>;
export type ObjectEvidence = z.infer<typeof keyObject>;
export type ControlEvidence = z.infer<typeof control>;
export type AttemptEvidence = z.infer<typeof attempt>;
export type CopyEvidence = z.infer<typeof copy>;
export type AttributeReading = z.infer<typeof attributeReading>;
export type ChallengeAnswer = z.infer<typeof challengeAnswer>;
export type AttestationFile = z.infer<typeof attestation>;
export type ClaimResult = z.infer<typeof claimResult>;
export type HistoryEvent = z.infer<typeof historyEvent>;
export type KeyHistoryEvidence = z.infer<typeof history>;
export type Verdict = (typeof verdicts)[number];
