import { createHash } from 'node:crypto';
import type { ChallengeAnswer, KeyEvidence, MaterialEvidence, ObjectEvidence } from '../../evidence/bundle.js';
import { challengeText } from '../../evidence/challenge.js';
import { sign } from '../../keys/algorithms/signing.js';
import type { EvidenceKey } from '../../keys/evidence-key.js';
import type { KeyMaterial, KeyRecord } from '../../keys/key-record.js';
import { keySpecs, type SupportedUsage } from '../../keys/key-specs.js';
import type { KeyToken } from '../../keys/key-tokens.js';
import { SelfTestError, selfTest } from '../../keys/self-test.js';
import { ObjectMissingError, TokenError } from '../../token/return-values.js';
import type { ExaminedToken } from './examined-token.js';

/** What all keys of a bundle are asked. */
export interface Challenge {
  /** Hexadecimal digits. */
  readonly nonce: string;
  /** ISO 8601. */
  readonly madeAt: string;
}

/** What the store knows beside the record. */
export interface KeyHistory {
  readonly grants: number;
  /** Name of the token in the bundle. */
  readonly token: string;
}

type KeyFindings = Omit<KeyEvidence, 'claims' | 'attestation' | 'history'>;

const hexSha256 = (data: string | Buffer) => createHash('sha256').update(data).digest('hex');
const isoTime = (time: Date | undefined) => time?.toISOString() ?? null;

/** Reads, tries and asks a KMS key. @throws TokenError when the token fails */
export async function examineKey(
  key: KeyRecord,
  { grants, token }: KeyHistory,
  examined: ExaminedToken,
  challenge: Challenge,
): Promise<KeyFindings> {
  const isPair = keySpecs[key.spec].kind === 'pair';
  examined.control(key.spec);
  const materials: MaterialEvidence[] = [];
  for (const material of key.materials.values()) {
    const classes = isPair ? (['private', 'public'] as const) : (['secret'] as const);
    const objects = material.present ? classes.flatMap((kind) => examined.examine(material.objects[kind])) : [];
    materials.push({
      ...publicFacts(material.publicKey),
      id: material.id,
      state: material.state,
      createdAt: isoTime(material.createdAt),
      rotatedAt: isoTime(material.rotatedAt),
      rotationType: material.rotationType ?? null,
      expiresAt: isoTime(material.expiresAt),
      objects,
      challenge: await answer(key, material, objects, examined, challenge),
    });
  }
  return {
    kind: 'KMS key',
    keyId: key.id,
    arn: key.arn,
    keySpec: key.spec,
    keyUsage: key.usage,
    origin: key.origin,
    state: key.state,
    description: key.description,
    aliases: [...key.aliases],
    createdAt: isoTime(key.createdAt),
    token,
    policySha256: hexSha256(key.policy.text),
    grants,
    rotation: key.rotation ? { periodDays: key.rotation.periodDays, nextAt: key.rotation.nextAt.toISOString() } : null,
    materials,
  };
}

/** The same of the key that signs evidence. @throws TokenError when the token fails */
export async function examineEvidenceKey(
  evidenceKey: EvidenceKey,
  token: string,
  examined: ExaminedToken,
  challenge: Challenge,
): Promise<KeyFindings> {
  const { publicKey, spec, algorithm } = evidenceKey.describe();
  examined.control(spec);
  const id = evidenceKey.id.toString('hex');
  const text = challengeText({ key: evidenceKey.label, material: id, ...challenge });
  return {
    kind: 'evidence key',
    keyId: evidenceKey.label,
    arn: null,
    keySpec: spec,
    keyUsage: 'SIGN_VERIFY',
    origin: 'AWS_KMS',
    state: 'Enabled',
    description: 'signs this evidence',
    aliases: [],
    createdAt: null,
    token,
    policySha256: null,
    grants: 0,
    rotation: null,
    materials: [
      {
        id,
        state: 'CURRENT',
        ...{ createdAt: null, rotatedAt: null, rotationType: null, expiresAt: null },
        ...publicFacts(publicKey),
        objects: (['private', 'public'] as const).flatMap((kind) =>
          examined.examine({ id: evidenceKey.id, class: kind }),
        ),
        challenge: {
          kind: 'signature',
          algorithm,
          signature: (await evidenceKey.sign(text)).toString('base64'),
        },
      },
    ],
  };
}

const publicFacts = (publicKey: Buffer | undefined) => ({
  publicKey: publicKey?.toString('base64') ?? null,
  publicKeySha256: publicKey ? hexSha256(publicKey) : null,
});

async function answer(
  key: KeyRecord,
  material: KeyMaterial,
  objects: readonly ObjectEvidence[],
  { keyToken }: ExaminedToken,
  challenge: Challenge,
): Promise<ChallengeAnswer> {
  if (objects.length === 0) return { kind: 'not asked', why: 'The token shows no object of it.' };
  // a disabled key is not to be used, for this neither
  if (key.state !== 'Enabled') return { kind: 'not asked', why: `It was not asked: the key is ${key.state}.` };
  const usage = key.usage as SupportedUsage;
  const name = algorithmOf(key, usage, keyToken);
  if (name === undefined) return { kind: 'not asked', why: 'The token offers no algorithm of its key usage.' };
  try {
    if (usage === 'SIGN_VERIFY') return await signatureOf(key, material, name, keyToken, challenge);
    const way = keyToken.capabilities.algorithm(key.spec, usage, name);
    await selfTest(keyToken.token, { ...key, currentMaterial: material }, usage, way);
    return { kind: 'round trip', algorithm: name };
  } catch (error) {
    // one key whose objects somebody has changed must not keep the evidence on the others from being made
    const isOfKey = error instanceof TokenError || error instanceof ObjectMissingError;
    if (!(error instanceof SelfTestError || (isOfKey && keyToken.token.isHealthy()))) throw error;
    return { kind: 'wrong', algorithm: name, what: error.message };
  }
}

/** What it is asked with: where a text is signed, one that takes texts. */
function algorithmOf({ spec }: KeyRecord, usage: SupportedUsage, { capabilities }: KeyToken) {
  const names = capabilities.offered(spec, usage);
  if (usage !== 'SIGN_VERIFY') return names[0];
  return names.find((name) => capabilities.algorithm(spec, 'SIGN_VERIFY', name).input.RAW !== undefined);
}

async function signatureOf(
  { spec, arn }: KeyRecord,
  material: KeyMaterial,
  name: string,
  { token, capabilities }: KeyToken,
  challenge: Challenge,
): Promise<ChallengeAnswer> {
  const algorithm = capabilities.algorithm(spec, 'SIGN_VERIFY', name);
  const message = challengeText({ key: arn, material: material.id, ...challenge });
  const signature = await sign(token, { material, name, algorithm, message, messageType: 'RAW' });
  return { kind: 'signature', algorithm: name, signature: signature.toString('base64') };
}
