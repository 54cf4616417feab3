import { createHash } from 'node:crypto';
import type { CheckpointAlgorithm } from '../audit/format.js';
import type { KeyObject } from '../token/object-handles.js';
import type { Token } from '../token/token.js';
import type { SigningAlgorithm } from './algorithms/signing.js';
import { type KeyPairSpec, keySpecs } from './key-specs.js';

interface AuditKeySort {
  readonly algorithm: CheckpointAlgorithm;
  readonly spec: 'ECC_NIST_P256' | 'RSA_3072';
}

/** In the order of preference: the first that the token makes. */
const sorts: readonly AuditKeySort[] = [
  { algorithm: 'ECDSA_SHA_256', spec: 'ECC_NIST_P256' },
  { algorithm: 'RSASSA_PKCS1_V1_5_SHA_256', spec: 'RSA_3072' },
];

const label = 'hsm-kms audit key';
/** The service's own signing key in the token, found by this CKA_ID. */
const id = createHash('sha256').update(label).digest();
const privateKey: KeyObject = { id, class: 'private' };

/** Signs the checkpoints of the audit log, by a key that does not leave the token. */
export class AuditKey {
  constructor(private readonly token: Token) {}

  /** True when the token has the key. @throws TokenError */
  isReady(): boolean {
    return this.token.has(privateKey);
  }

  /** Makes the key, once for a token: as its profile lets it. @throws Error that says why the token makes none */
  async prepare(): Promise<void> {
    let failure: unknown;
    for (const { algorithm, spec } of sorts) {
      const { mechanisms } = signing(spec, algorithm);
      try {
        await this.token.generate(pairOf(spec).generate, { id, label }, { uses: ['sign'], mechanisms });
        return;
      } catch (error) {
        failure ??= error;
      }
    }
    throw new Error('the token makes no key to sign the audit log with', { cause: failure });
  }

  /** The public key as SubjectPublicKeyInfo (DER), and what the key signs with. @throws TokenError, ObjectMissingError */
  describe(): { readonly publicKey: Buffer; readonly algorithm: CheckpointAlgorithm; readonly keyId: string } {
    const { algorithm, spec } = this.sort();
    const { encodePublic, generate } = pairOf(spec);
    const publicKey = encodePublic(this.token.attributes({ id, class: 'public' }, generate.publicValue));
    return { publicKey, algorithm, keyId: createHash('sha256').update(publicKey).digest('hex') };
  }

  /** @returns the signature, as docs/audit.md has it. @throws TokenError, ObjectMissingError */
  async sign(message: Buffer): Promise<Buffer> {
    const { algorithm, spec } = this.sort();
    const { input, mechanism, signatureBytes, encode } = signing(spec, algorithm);
    const data = input.RAW?.(message, algorithm);
    if (data === undefined) throw new Error(`${algorithm} signs no messages`);
    return encode(await this.token.sign({ key: privateKey, mechanism, outputBytes: signatureBytes }, data));
  }

  /** What the key in the token is: it may have been made when the token could do less. */
  private sort(): AuditKeySort {
    const { CKA_KEY_TYPE } = this.token.attributes({ id, class: 'public' }, ['CKA_KEY_TYPE']);
    const sort = sorts.find(({ spec }) => pairOf(spec).generate.keyType === CKA_KEY_TYPE);
    if (sort === undefined) throw new Error(`the audit key in the token has the CKA_KEY_TYPE ${CKA_KEY_TYPE}`);
    return sort;
  }
}

function pairOf(spec: AuditKeySort['spec']): KeyPairSpec {
  return keySpecs[spec] as KeyPairSpec;
}

function signing(spec: AuditKeySort['spec'], algorithm: CheckpointAlgorithm): SigningAlgorithm {
  const ways = pairOf(spec).usages.SIGN_VERIFY?.[algorithm];
  const [way] = ways ?? [];
  if (way === undefined) throw new Error(`${spec} does not sign with ${algorithm}`);
  return way;
}
