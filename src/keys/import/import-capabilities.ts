import {
  constants,
  createCipheriv,
  createPublicKey,
  generateKeyPair,
  generateKeyPairSync,
  type KeyObject,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';
import { promisify } from 'node:util';
import type { AlgorithmSpec } from '@aws-sdk/client-kms';
import { KmsError } from '../../contract/kms-error.js';
import { ed25519, namedCurves } from '../../encoding/named-curves.js';
import { rsaSpki } from '../../encoding/spki.js';
import type { Attributes } from '../../token/attributes.js';
import {
  aesKey,
  ecKeyPair,
  edwardsKeyPair,
  type KeyPermissions,
  privateKeyTemplate,
  rsaKeyPair,
  secretKeyTemplate,
} from '../../token/key-templates.js';
import type { MechanismName } from '../../token/mechanisms.js';
import { TokenError } from '../../token/return-values.js';
import type { Token } from '../../token/token.js';
import type { ProbePolicy } from '../capabilities.js';
import { expectVerdict } from '../probe-errors.js';
import { expectProtected, identify } from './identification.js';
import type { ImportableSpec, MaterialKind } from './importable-specs.js';
import { type UnwrappingWay, unwrappingWays, type WrappedMaterial } from './unwrapping-ways.js';
import { type WrappingAlgorithm, wrappingAlgorithms } from './wrapping-algorithms.js';

/** What the probe found: the way that works, or why there is none. */
type Finding = { readonly way: UnwrappingWay } | { readonly reason: string };

/** How one kind of key material is imported, for people. */
export interface ImportCapabilityLine {
  readonly algorithm: AlgorithmSpec;
  readonly material: MaterialKind;
  readonly where: 'in the token' | 'split' | 'not available';
  /** What is outside the token, or why it is not available. */
  readonly detail: string;
}

/** Key material to try a way with, and a template by which the token is to hold it. */
interface Sample {
  readonly spec: ImportableSpec;
  readonly material: Buffer;
  readonly attributes: Attributes;
}

const probeModulusBits = 2048;
const probeId = { label: 'hsm-kms probe' };

/**
 * How this token imports key material, found by trying: key material that is known is wrapped by node:crypto, unwrapped,
 * and has to be the same. Tried once, when it is first asked for, as most services never import a key.
 */
export class ImportCapabilities {
  private findings: Promise<ReadonlyMap<string, Finding>> | undefined;

  constructor(
    private readonly token: Token,
    private readonly policy: ProbePolicy,
  ) {}

  /** @throws KmsError UnsupportedOperationException with the reason when the token has no way that may be taken */
  async way({ name }: WrappingAlgorithm, kind: MaterialKind): Promise<UnwrappingWay> {
    const finding = (await this.found()).get(nameOf(name, kind));
    if (finding && 'way' in finding) return finding.way;
    throw new KmsError(
      'UnsupportedOperationException',
      `The token does not offer ${name} for such key material: ${finding?.reason ?? 'there is no way to do it'}.`,
    );
  }

  async report(): Promise<ImportCapabilityLine[]> {
    return [...(await this.found())].map(([name, finding]) => {
      const [algorithm, material] = name.split('/') as [AlgorithmSpec, MaterialKind];
      if ('reason' in finding) return { algorithm, material, where: 'not available', detail: finding.reason };
      const { outside, permissions, furtherMechanisms } = finding.way;
      return outside
        ? { algorithm, material, where: 'split', detail: `outside the token: ${outside}` }
        : {
            algorithm,
            material,
            where: 'in the token',
            detail: [...permissions.mechanisms, ...furtherMechanisms].map((each) => `CKM_${each}`).join(', '),
          };
    });
  }

  private found(): Promise<ReadonlyMap<string, Finding>> {
    this.findings ??= this.probe().catch((error: unknown) => {
      this.findings = undefined;
      throw error;
    });
    return this.findings;
  }

  private async probe(): Promise<ReadonlyMap<string, Finding>> {
    const findings = new Map<string, Finding>();
    const id = randomBytes(32);
    const allowed = { uses: ['unwrap', 'decrypt'], mechanisms: ['RSA_PKCS_OAEP', 'RSA_X_509'] } as const;
    let publicValue: Attributes;
    try {
      const names = { ...probeId, id };
      ({ publicValue } = await this.token.probe.generate(rsaKeyPair(probeModulusBits), names, allowed));
    } catch (error) {
      if (!(error instanceof TokenError) || error.reaction !== 'refused') throw error;
      for (const { algorithm, kind } of imports()) {
        findings.set(nameOf(algorithm.name, kind), { reason: `it makes no wrapping keys (${error.message})` });
      }
      return findings;
    }
    try {
      const { CKA_MODULUS: modulus, CKA_PUBLIC_EXPONENT: publicExponent } = publicValue;
      if (!modulus || !publicExponent) throw new Error('the token shows no public key of a wrapping key');
      const wrapFor = createPublicKey({ key: rsaSpki({ modulus, publicExponent }), format: 'der', type: 'spki' });
      const samples = await makeSamples();
      for (const { algorithm, kind } of imports()) {
        findings.set(nameOf(algorithm.name, kind), await this.firstThatWorks(id, wrapFor, algorithm, samples[kind]));
      }
      return findings;
    } finally {
      this.token.probe.forget(id);
    }
  }

  private async firstThatWorks(
    id: Buffer,
    wrapFor: KeyObject,
    algorithm: WrappingAlgorithm,
    sample: Sample,
  ): Promise<Finding> {
    let reason = 'there is no way to do it';
    for (const way of unwrappingWays(algorithm.hash, algorithm.hybrid)) {
      if (way.outside && !this.policy.allowSplit) {
        reason = `${reason}; outside the token would be ${way.outside}, which the setting splitOaep forbids`;
        break;
      }
      try {
        await this.tryWay(id, way, wrapMaterial(wrapFor, algorithm, sample.material), sample);
        return { way };
      } catch (error) {
        // what a token that is out of order says is no finding: the next import tries again
        expectVerdict(this.token, error, true);
        reason = (error as Error).message;
      }
    }
    return { reason };
  }

  private async tryWay(id: Buffer, way: UnwrappingWay, ciphertext: Buffer, sample: Sample): Promise<void> {
    const { spec, material, attributes } = sample;
    const wrapped = { wrappingKey: { id, class: 'private' }, modulusBytes: probeModulusBits / 8, ciphertext } as const;
    await this.token.importing(async (session) => {
      const incoming = await way.open(session, wrapped);
      const identified = incoming && (await identify(session, incoming, spec, 'probe'));
      const expected = await identify(session, { plaintext: material }, spec, 'probe');
      if (identified === undefined && spec.kind === 'secret') {
        throw new Error('it does not tell the length of what it unwraps (CKA_VALUE_LEN)');
      }
      if (!expected || !identified?.fingerprint.equals(expected.fingerprint)) {
        throw new Error('what it unwraps is not what was wrapped');
      }
      const object = await identified.make({ ...attributes, CKA_TOKEN: false });
      expectProtected(session, object);
    });
    const tampered = Buffer.from(ciphertext);
    tampered.writeUInt8(tampered.readUInt8(tampered.length - 1) ^ 1, tampered.length - 1);
    if (await this.opens(way, { ...wrapped, ciphertext: tampered }, spec))
      throw new Error('it unwraps what was changed');
  }

  private async opens(way: UnwrappingWay, wrapped: WrappedMaterial, spec: ImportableSpec): Promise<boolean> {
    try {
      return await this.token.importing(async (session) => {
        const incoming = await way.open(session, wrapped);
        return incoming !== undefined && (await identify(session, incoming, spec, 'probe')) !== undefined;
      });
    } catch (error) {
      if (this.token.isInputAtFault(error)) return false;
      throw error;
    }
  }
}

/** Each algorithm with each kind of key material that KMS has for it. */
function imports(): { algorithm: WrappingAlgorithm; kind: MaterialKind }[] {
  return Object.values(wrappingAlgorithms).flatMap((algorithm) =>
    'refusal' in algorithm ? [] : algorithm.kinds.map((kind) => ({ algorithm, kind })),
  );
}

const nameOf = (algorithm: AlgorithmSpec, kind: MaterialKind) => `${algorithm}/${kind}`;

/** What a client does with its key material. */
export function wrapMaterial(wrappingKey: KeyObject, { hash, hybrid }: WrappingAlgorithm, material: Buffer): Buffer {
  const encrypt = (data: Buffer) =>
    publicEncrypt({ key: wrappingKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: hash }, data);
  if (!hybrid) return encrypt(material);
  const key = randomBytes(32);
  const cipher = createCipheriv('id-aes256-wrap-pad', key, Buffer.from('a65959a6', 'hex'));
  return Buffer.concat([encrypt(key), cipher.update(material), cipher.final()]);
}

const pkcs8Of = ({ privateKey }: { privateKey: KeyObject }) => privateKey.export({ type: 'pkcs8', format: 'der' });

/** Made anew each time; they protect nothing. */
async function makeSamples(): Promise<Readonly<Record<MaterialKind, Sample>>> {
  const names = { id: randomBytes(32), label: 'hsm-kms probe' };
  const signs = (mechanism: MechanismName): KeyPermissions => ({ uses: ['sign'], mechanisms: [mechanism] });
  return {
    secret: {
      spec: { kind: 'secret', leastBytes: 32, mostBytes: 32 },
      material: randomBytes(32),
      attributes: secretKeyTemplate(aesKey, names, { uses: ['encrypt'], mechanisms: ['AES_GCM'] }),
    },
    RSA: {
      spec: { kind: 'RSA', modulusBits: probeModulusBits },
      material: pkcs8Of(await promisify(generateKeyPair)('rsa', { modulusLength: probeModulusBits })),
      attributes: privateKeyTemplate(rsaKeyPair(probeModulusBits), names, signs('RSA_PKCS')),
    },
    EC: {
      spec: { kind: 'EC', curve: 'P-256' },
      material: pkcs8Of(generateKeyPairSync('ec', { namedCurve: 'prime256v1' })),
      attributes: privateKeyTemplate(ecKeyPair(namedCurves['P-256'].ecParams), names, signs('ECDSA')),
    },
    Ed25519: {
      spec: { kind: 'Ed25519' },
      material: pkcs8Of(generateKeyPairSync('ed25519')),
      attributes: privateKeyTemplate(edwardsKeyPair(ed25519.ecParams.oid), names, signs('EDDSA')),
    },
  };
}
