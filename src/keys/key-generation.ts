import { randomBytes, randomUUID } from 'node:crypto';
import type { KeySpec } from '@aws-sdk/client-kms';
import { TokenError } from '../token/return-values.js';
import type { Token } from '../token/token.js';
import type { Capabilities } from './capabilities.js';
import { type KeyMaterial, type KeyRecord, newMaterial, tokenObjectsOf } from './key-record.js';
import { keySpecs, type SupportedUsage } from './key-specs.js';
import { selfTest } from './self-test.js';

/** What a new key is to be. */
export type KeyIntent = Omit<KeyRecord, 'materials' | 'currentMaterial' | 'aliases' | 'version'> & {
  readonly usage: SupportedUsage;
};

const materialIdBytes = 32;

/** A fresh key id: a UUID, or mrk- and 32 hexadecimal digits. */
export function newKeyId(multiRegion: boolean): string {
  return multiRegion ? `mrk-${randomBytes(16).toString('hex')}` : randomUUID();
}

/**
 * Generates a key in the token: made, read back, used once. Nothing knows of it until its row is committed; when the
 * process dies before that, the token holds an orphan and no client was told of a key.
 *
 * @throws TokenError, SelfTestError; the token's objects are destroyed again, if it lets them
 */
export async function generateKey(token: Token, capabilities: Capabilities, intent: KeyIntent): Promise<KeyRecord> {
  const material = await generateMaterial(token, capabilities, intent.spec, intent.usage, intent.id);
  const key: KeyRecord = {
    ...intent,
    currentMaterial: material,
    materials: new Map([[material.id, material]]),
    aliases: [],
    version: 1,
  };
  try {
    await selfTestKey(token, capabilities, key);
    return key;
  } catch (error) {
    discardMaterial(token, material);
    throw error;
  }
}

/** A key whose material is to be imported. */
export function keyWithoutMaterial(intent: KeyIntent): KeyRecord {
  return { ...intent, currentMaterial: undefined, materials: new Map(), aliases: [], version: 1 };
}

/** Uses a key's current material once, with the first of its algorithms. @throws TokenError, SelfTestError */
export async function selfTestKey(token: Token, capabilities: Capabilities, key: KeyRecord): Promise<void> {
  const usage = key.usage as SupportedUsage;
  const [algorithm] = capabilities.offered(key.spec, usage);
  if (algorithm === undefined) throw new Error(`no algorithm is offered for ${key.spec} ${usage}`);
  await selfTest(token, key, usage, capabilities.algorithm(key.spec, usage, algorithm));
}

/** New material for a key: made and read back, not yet used; tried twice. @throws TokenError */
export async function generateMaterial(
  token: Token,
  capabilities: Capabilities,
  spec: KeySpec,
  usage: SupportedUsage,
  keyId: string,
): Promise<KeyMaterial> {
  const row = keySpecs[spec];
  if (row.kind === 'unsupported') throw new Error(`${spec} cannot be generated`);
  const permissions = capabilities.permissions(spec, usage);
  const generate = async () => {
    const ckaId = token.random(materialIdBytes);
    const { publicValue } = await token.generate(row.generate, { id: ckaId, label: keyId }, permissions);
    return newMaterial(ckaId, row.kind === 'pair' ? row.encodePublic(publicValue) : undefined, new Date());
  };
  try {
    return await generate();
  } catch (error) {
    // SoftHSM2 fails now and then when another thread reads the token's directory while it makes an object; what it may
    // have left is an orphan, so the next one has a CKA_ID of its own
    if (!(error instanceof TokenError) || !token.isHealthy()) throw error;
    return generate();
  }
}

/** Destroys the objects of material that came to nothing; what the token does not destroy now is an orphan. */
export function discardMaterial(token: Token, material: KeyMaterial): void {
  try {
    destroyMaterial(token, material);
  } catch {
    // why it came to nothing is what the caller is to hear
  }
}

/** Destroys the token's objects of one material. @throws TokenError */
export function destroyMaterial(token: Token, material: KeyMaterial): void {
  // only what there is: SoftHSM2's tokens are searched twice for what is not found
  for (const object of tokenObjectsOf(material)) token.destroy(object);
}
