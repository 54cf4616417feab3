import { constants, createPublicKey, publicEncrypt, randomBytes } from 'node:crypto';
import { namedCurves } from '../encoding/named-curves.js';
import { rsaSpki } from '../encoding/spki.js';
import { aesKey, ecKeyPair, rsaKeyPair } from '../token/key-templates.js';
import { aesGcm, gcmTagBytes, type RsaHash, rsaOaep } from '../token/mechanisms.js';
import type { Token } from '../token/token.js';

/** What a token does in its own way, found by trying. What could not be found out is a sentence that says why. */
export interface TokenTraits {
  /** Who makes the initialisation vector of AES-GCM: the service (by C_GenerateRandom), or the token while it encrypts. */
  readonly gcmIv: 'service' | 'token' | Unknown;
  /** Whether C_CopyObject makes session objects of keys in the token that are as protected as these. */
  readonly sessionCopies: 'yes' | Unknown;
  /** CKA_EC_POINT: a DER OCTET STRING as PKCS#11 has it, or the bare point. */
  readonly ecPoint: 'DER' | 'raw' | Unknown;
  /** CKM_RSA_PKCS_OAEP with MGF1 over the same hash. */
  readonly oaepHashes: { readonly [H in RsaHash]: 'yes' | Unknown };
}

interface Unknown {
  readonly no: string;
}

const probeLabel = 'hsm-kms probe';
const modulusBits = 2048;

/**
 * Tries what a report tells and the service does not need to know: it takes an RSA key, and makes and destroys an AES key
 * in the token.
 */
export async function probeTraits(token: Token): Promise<TokenTraits> {
  return {
    gcmIv: await found(() => gcmIv(token)),
    sessionCopies: await found(() => sessionCopies(token)),
    ecPoint: await found(() => ecPoint(token)),
    oaepHashes: await oaepHashes(token),
  };
}

async function found<T extends string>(probe: () => Promise<T>): Promise<T | Unknown> {
  try {
    return await probe();
  } catch (error) {
    return { no: (error as Error).message };
  }
}

async function gcmIv(token: Token): Promise<'service' | 'token'> {
  const id = randomBytes(32);
  await token.probe.generate(aesKey, { id, label: probeLabel }, { uses: ['encrypt'], mechanisms: ['AES_GCM'] });
  try {
    const iv = token.newGcmIv();
    const given = Buffer.from(iv);
    const mechanism = aesGcm(iv, Buffer.from('probe'));
    await token.encrypt({ key: { id, class: 'secret' }, mechanism, outputBytes: 32 + gcmTagBytes }, randomBytes(32));
    return iv.equals(given) ? 'service' : 'token';
  } finally {
    token.probe.forget(id);
  }
}

async function sessionCopies(token: Token): Promise<'yes'> {
  const original = { id: randomBytes(32), class: 'secret' } as const;
  const copy = { id: randomBytes(32), class: 'secret' } as const;
  const names = { id: original.id, label: probeLabel };
  await token.generate(aesKey, names, { uses: ['encrypt'], mechanisms: ['AES_GCM'] });
  try {
    token.probe.copy(original, copy);
    const call = { key: copy, mechanism: aesGcm(token.newGcmIv(), Buffer.from('probe')) };
    await token.encrypt({ ...call, outputBytes: 32 + gcmTagBytes }, randomBytes(32));
    return 'yes';
  } finally {
    token.probe.forget(copy.id);
    token.destroy(original);
  }
}

async function ecPoint(token: Token): Promise<'DER' | 'raw'> {
  const id = randomBytes(32);
  const { ecParams, fieldBytes } = namedCurves['P-256'];
  const permissions = { uses: ['sign'], mechanisms: ['ECDSA'] } as const;
  const { publicValue } = await token.probe.generate(ecKeyPair(ecParams), { id, label: probeLabel }, permissions);
  token.probe.forget(id);
  const point = publicValue.CKA_EC_POINT;
  if (point === undefined) throw new Error('the token shows no CKA_EC_POINT');
  // 04 X Y, or 04 LENGTH 04 X Y
  return point.length === 1 + 2 * fieldBytes ? 'raw' : 'DER';
}

async function oaepHashes(token: Token): Promise<TokenTraits['oaepHashes']> {
  const id = randomBytes(32);
  try {
    const permissions = { uses: ['decrypt'], mechanisms: ['RSA_PKCS_OAEP'] } as const;
    const { publicValue } = await token.probe.generate(rsaKeyPair(modulusBits), { id, label: probeLabel }, permissions);
    const { CKA_MODULUS: modulus, CKA_PUBLIC_EXPONENT: publicExponent } = publicValue;
    if (!modulus || !publicExponent) throw new Error('the token shows no public key');
    const publicKey = createPublicKey({ key: rsaSpki({ modulus, publicExponent }), format: 'der', type: 'spki' });
    const decrypts = async (hash: RsaHash): Promise<'yes'> => {
      const plaintext = randomBytes(32);
      const padding = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: hash };
      const ciphertext = publicEncrypt({ key: publicKey, ...padding }, plaintext);
      const call = { key: { id, class: 'private' }, mechanism: rsaOaep(hash), outputBytes: modulusBits / 8 } as const;
      const decrypted = await token.decrypt({ ...call, slow: true }, ciphertext);
      if (!decrypted?.equals(plaintext)) throw new Error('what was encrypted outside does not decrypt');
      return 'yes';
    };
    return {
      sha1: await found(() => decrypts('sha1')),
      sha256: await found(() => decrypts('sha256')),
      sha384: await found(() => decrypts('sha384')),
      sha512: await found(() => decrypts('sha512')),
    };
  } catch (error) {
    const no = { no: `it makes no such key (${(error as Error).message})` };
    return { sha1: no, sha256: no, sha384: no, sha512: no };
  } finally {
    token.probe.forget(id);
  }
}
