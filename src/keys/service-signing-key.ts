import { createHash } from 'node:crypto';
import type { KeyObject } from '../token/object-handles.js';
import type { Token } from '../token/token.js';
import type { SigningAlgorithm } from './algorithms/signing.js';
import { type KeyPairSpec, keySpecs } from './key-specs.js';
import { verdictOf } from './probe-errors.js';

/** What such a key is, and what it signs with, by KMS's names. */
interface Sort {
  readonly algorithm: 'ECDSA_SHA_256' | 'RSASSA_PKCS1_V1_5_SHA_256';
  readonly spec: 'ECC_NIST_P256' | 'RSA_3072';
}

/** In the order of preference: the first that the token makes. */
const sorts: readonly Sort[] = [
  { algorithm: 'ECDSA_SHA_256', spec: 'ECC_NIST_P256' },
  { algorithm: 'RSASSA_PKCS1_V1_5_SHA_256', spec: 'RSA_3072' },
];

/** What the public key of such a key pair is, and what the private one signs with. */
export interface DescribedSigningKey extends Sort {
  /** SubjectPublicKeyInfo (DER). */
  readonly publicKey: Buffer;
  /** SHA-256 of it, in hexadecimal digits. */
  readonly keyId: string;
}

/** A key pair of the service's own in the token, which signs what the service says; it does not leave the token. */
export class ServiceSigningKey {
  /** CKA_ID: always the same, so that every process and node finds it. */
  readonly id: Buffer;
  private readonly privateKey: KeyObject;

  /** @param label names it: `hsm-kms ...` */
  constructor(
    private readonly token: Token,
    readonly label: string,
  ) {
    this.id = createHash('sha256').update(label).digest();
    this.privateKey = { id: this.id, class: 'private' };
  }

  /** True when the token has the key. @throws TokenError */
  isReady(): boolean {
    return this.token.has(this.privateKey);
  }

  /** Makes the key, once for a token: as its profile lets it. @throws Error that says why the token makes none */
  async prepare(): Promise<void> {
    const { id, label } = this;
    let failure: unknown;
    for (const { algorithm, spec } of sorts) {
      const { mechanisms } = signing(spec, algorithm);
      try {
        await this.token.generate(pairOf(spec).generate, { id, label }, { uses: ['sign'], mechanisms });
        return;
      } catch (error) {
        failure ??= error;
        // a token that is full or in trouble is not one that cannot: what is made now stays
        if (verdictOf(error) === 'nothing') break;
      }
    }
    throw new Error(`the token makes no key pair that signs (${label}): ${(failure as Error).message}`, {
      cause: failure,
    });
  }

  /** @throws TokenError, ObjectMissingError */
  describe(): DescribedSigningKey {
    const { algorithm, spec } = this.sort();
    const { encodePublic, generate } = pairOf(spec);
    const publicKey = encodePublic(this.token.attributes({ id: this.id, class: 'public' }, generate.publicValue));
    return { publicKey, algorithm, spec, keyId: createHash('sha256').update(publicKey).digest('hex') };
  }

  /** @returns the signature, as KMS has it: of an EC key DER ECDSA-Sig-Value. @throws TokenError, ObjectMissingError */
  async sign(message: Buffer): Promise<Buffer> {
    const { algorithm, spec } = this.sort();
    const { input, mechanism, signatureBytes, encode } = signing(spec, algorithm);
    const data = input.RAW?.(message, algorithm);
    if (data === undefined) throw new Error(`${algorithm} signs no messages`);
    return encode(await this.token.sign({ key: this.privateKey, mechanism, outputBytes: signatureBytes }, data));
  }

  /** What the key in the token is: it may have been made when the token could do less. */
  private sort(): Sort {
    const { CKA_KEY_TYPE } = this.token.attributes({ id: this.id, class: 'public' }, ['CKA_KEY_TYPE']);
    const sort = sorts.find(({ spec }) => pairOf(spec).generate.keyType === CKA_KEY_TYPE);
    if (sort === undefined) throw new Error(`the ${this.label} in the token has the CKA_KEY_TYPE ${CKA_KEY_TYPE}`);
    return sort;
  }
}

function pairOf(spec: Sort['spec']): KeyPairSpec {
  return keySpecs[spec] as KeyPairSpec;
}

function signing(spec: Sort['spec'], algorithm: Sort['algorithm']): SigningAlgorithm {
  const ways = pairOf(spec).usages.SIGN_VERIFY?.[algorithm];
  const [way] = ways ?? [];
  if (way === undefined) throw new Error(`${spec} does not sign with ${algorithm}`);
  return way;
}
