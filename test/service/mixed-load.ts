import {
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  verify,
} from 'node:crypto';
import type { KMS } from '@aws-sdk/client-kms';
import type { Service } from './service.js';
import { patience } from './within.js';

/** A request that takes longer counts as one that hangs, in milliseconds; however slow the machine is, others end. */
const hangMilliseconds = 30_000;
/** One that is made to see whether all works again is made anew after so long, in milliseconds. */
const trialMilliseconds = 10_000;
/** Ciphertexts and new keys that are looked at again when all is over. */
const remembered = 8;

const algorithms = { rsa: 'RSASSA_PSS_SHA_256', ec: 'ECDSA_SHA_256' } as const;
const macRequest = { MacAlgorithm: 'HMAC_SHA_256' } as const;

/** The service answered, and what it said is not true. */
class WrongAnswerError extends Error {
  override readonly name = 'WrongAnswerError';
}

function expectTrue(holds: boolean, what: string): void {
  if (!holds) throw new WrongAnswerError(what);
}

/** The keys that the load uses, made while all is well. */
interface LoadKeys {
  readonly symmetric: string;
  readonly rsa: string;
  readonly ec: string;
  readonly mac: string;
  readonly oaep: string;
  readonly agreement: string;
  readonly publicKeys: Readonly<Record<'rsa' | 'ec' | 'agreement', KeyObject>>;
  /** What the MAC of `message` is. */
  readonly expectedMac: Buffer;
}

const message = Buffer.from('what is signed');

type Ciphertext = { readonly blob: Uint8Array; readonly plaintext: Buffer };

/** A request that was not answered. */
export interface LoadRefusal {
  readonly operation: string;
  /** KMS's name; `connection lost` where there was no answer, `hang` where there was none for too long. */
  readonly name: string;
  readonly milliseconds: number;
}

/** What came of a load. */
export interface LoadReport {
  /** How many requests were answered. */
  readonly answered: number;
  readonly refused: readonly LoadRefusal[];
  /** Answers that were not true. */
  readonly wrong: readonly string[];
}

/**
 * Some of everything that needs the token, all the time, by an SDK client that does not retry. What is answered is
 * checked by node:crypto or against what was known before.
 */
export class MixedLoad {
  private readonly clients: KMS[];
  private readonly ciphertexts: Ciphertext[] = [];
  private readonly newKeys: string[] = [];
  private running: Promise<void>[] = [];
  private going = false;
  private answered = 0;
  private refused: LoadRefusal[] = [];
  private wrong: string[] = [];

  private constructor(
    private readonly service: Service,
    private readonly keys: LoadKeys,
    concurrency: number,
  ) {
    // a connection each, which the supervisor hands to the workers in turn
    this.clients = Array.from({ length: concurrency }, () => service.newClient());
  }

  /** Makes the keys. @param concurrency how many requests are under way at a time */
  static async prepare(service: Service, concurrency = 4): Promise<MixedLoad> {
    return new MixedLoad(service, await makeKeys(service), concurrency);
  }

  /** The operations of the load, each to be done once; they throw WrongAnswerError, or what the client throws. */
  private readonly operations: Readonly<Record<string, (kms: KMS, signal: AbortSignal) => Promise<void>>> = {
    encrypt: async (kms, abortSignal) => {
      const plaintext = randomBytes(32);
      const request = { KeyId: this.keys.symmetric, Plaintext: plaintext, EncryptionContext: { of: 'load' } };
      const { CiphertextBlob = new Uint8Array() } = await kms.encrypt(request, { abortSignal });
      expectTrue(!Buffer.from(CiphertextBlob).includes(plaintext), 'the plaintext stands in the ciphertext');
      if (this.ciphertexts.push({ blob: CiphertextBlob, plaintext }) > remembered) this.ciphertexts.shift();
    },
    decrypt: (kms, abortSignal) => this.decrypt(kms, this.ciphertexts.at(-1), abortSignal),
    'decrypt a wrong ciphertext': async (kms, abortSignal) => {
      const blob = Buffer.from(this.ciphertexts.at(-1)?.blob ?? []);
      if (blob.length === 0) return;
      blob[blob.length - 1] = (blob.at(-1) ?? 0) ^ 1;
      const request = { CiphertextBlob: blob, EncryptionContext: { of: 'load' } };
      await expectRefusedRightly(kms.decrypt(request, { abortSignal }), 'InvalidCiphertextException');
    },
    'generate data key': async (kms, abortSignal) => {
      const request = { KeyId: this.keys.symmetric, NumberOfBytes: 24, EncryptionContext: { of: 'load' } };
      const { Plaintext = new Uint8Array(), CiphertextBlob = new Uint8Array() } = await kms.generateDataKey(request, {
        abortSignal,
      });
      if (this.ciphertexts.push({ blob: CiphertextBlob, plaintext: Buffer.from(Plaintext) }) > remembered) {
        this.ciphertexts.shift();
      }
    },
    'sign with RSA': (kms, signal) => this.sign(kms, 'rsa', signal),
    'sign with EC': (kms, signal) => this.sign(kms, 'ec', signal),
    'decrypt with RSA': async (kms, abortSignal) => {
      const request = { KeyId: this.keys.oaep, EncryptionAlgorithm: 'RSAES_OAEP_SHA_256' } as const;
      const { CiphertextBlob } = await kms.encrypt({ ...request, Plaintext: message }, { abortSignal });
      const { Plaintext } = await kms.decrypt({ ...request, CiphertextBlob }, { abortSignal });
      expectTrue(message.equals(Plaintext ?? Buffer.alloc(0)), 'an RSA ciphertext decrypts to something else');
    },
    'generate a MAC': async (kms, abortSignal) => {
      const { Mac } = await kms.generateMac({ ...macRequest, KeyId: this.keys.mac, Message: message }, { abortSignal });
      expectTrue(this.keys.expectedMac.equals(Mac ?? Buffer.alloc(0)), 'the MAC is another');
    },
    'verify a wrong MAC': async (kms, abortSignal) => {
      const Mac = Buffer.alloc(32, 1);
      const request = { ...macRequest, KeyId: this.keys.mac, Message: message, Mac };
      await expectRefusedRightly(kms.verifyMac(request, { abortSignal }), 'KMSInvalidMacException');
    },
    'derive a shared secret': async (kms, abortSignal) => {
      const ours = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const PublicKey = ours.publicKey.export({ format: 'der', type: 'spki' });
      const request = { KeyId: this.keys.agreement, KeyAgreementAlgorithm: 'ECDH', PublicKey } as const;
      const { SharedSecret } = await kms.deriveSharedSecret(request, { abortSignal });
      const expected = diffieHellman({ privateKey: ours.privateKey, publicKey: this.keys.publicKeys.agreement });
      expectTrue(expected.equals(SharedSecret ?? Buffer.alloc(0)), 'the two sides have different secrets');
    },
    'generate a data key pair': async (kms, abortSignal) => {
      const request = { KeyId: this.keys.symmetric, KeyPairSpec: 'ECC_NIST_P256' } as const;
      const { PrivateKeyPlaintext = [], PublicKey } = await kms.generateDataKeyPair(request, { abortSignal });
      const key = createPrivateKey({ key: Buffer.from(PrivateKeyPlaintext), format: 'der', type: 'pkcs8' });
      const its = createPublicKey(key).export({ format: 'der', type: 'spki' });
      expectTrue(its.equals(PublicKey ?? Buffer.alloc(0)), 'the two halves of a data key pair do not belong together');
    },
    'make a key': async (kms, abortSignal) => {
      const spec = this.answered % 2 === 0 ? ({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' } as const) : {};
      const { KeyMetadata } = await kms.createKey(spec, { abortSignal });
      if (KeyMetadata?.KeyId) this.newKeys.push(KeyMetadata.KeyId);
    },
  };

  /** Begins; ends with `stop`. */
  start(): void {
    this.going = true;
    [this.answered, this.refused, this.wrong] = [0, [], []];
    this.running = this.clients.map((client, index) => this.run(client, index));
  }

  /** Beside what goes on anyway: one operation, once per client; it counts as the others. */
  async alsoDo(operation: string): Promise<void> {
    await Promise.all(this.clients.map((client) => this.attempt(operation, client)));
  }

  /** How many requests have been answered or refused. */
  get attempts(): number {
    return this.answered + this.refused.length + this.wrong.length;
  }

  /** How many requests have been refused. */
  get refusals(): number {
    return this.refused.length;
  }

  /** How many attempts are about one of each operation. */
  get round(): number {
    return Object.keys(this.operations).length;
  }

  async stop(): Promise<LoadReport> {
    this.going = false;
    await Promise.all(this.running);
    return { answered: this.answered, refused: this.refused, wrong: this.wrong };
  }

  /** Each operation once, on a connection of its own. @throws what the first that fails throws */
  async onceEach(): Promise<void> {
    const client = this.service.newClient();
    try {
      for (const operation of Object.values(this.operations))
        await operation(client, AbortSignal.timeout(trialMilliseconds));
    } finally {
      client.destroy();
    }
  }

  /**
   * Waits until everything works again, on a new connection and on those of the load: each worker has some of them.
   *
   * @returns after how many milliseconds it did
   * @throws Error with what still fails when it takes too long
   */
  async recover(atMost = patience): Promise<number> {
    const start = performance.now();
    for (let inARow = 0; ; ) {
      const before = performance.now() - start;
      try {
        await this.onceEach();
        await Promise.all(this.clients.map((client) => this.encryptOnce(client)));
        inARow += 1;
        if (inARow === 2) return before;
      } catch (error) {
        inARow = 0;
        if (before > atMost) throw new Error(`no full service after ${before.toFixed()} ms: ${describe(error)}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  private async encryptOnce(client: KMS): Promise<void> {
    await this.operations.encrypt?.(client, AbortSignal.timeout(trialMilliseconds));
  }

  /** Ciphertexts and keys that clients were told of are good. @throws Error that says which is not */
  async expectNothingLost(): Promise<void> {
    const { kms } = this.service;
    for (const ciphertext of this.ciphertexts) await this.decrypt(kms, ciphertext);
    for (const KeyId of this.newKeys.splice(0)) {
      try {
        const { KeyMetadata } = await kms.describeKey({ KeyId });
        if (KeyMetadata?.KeyUsage === 'ENCRYPT_DECRYPT') await kms.encrypt({ KeyId, Plaintext: message });
        else await kms.sign({ KeyId, Message: message, SigningAlgorithm: 'ECDSA_SHA_256' });
      } catch (error) {
        throw new Error(`a new key is lost: ${describe(error)}`);
      }
    }
  }

  /** Lets go of the ciphertexts and keys until now. */
  forget(): void {
    this.ciphertexts.length = 0;
    this.newKeys.length = 0;
  }

  private async run(client: KMS, offset: number): Promise<void> {
    const names = Object.keys(this.operations);
    for (let place = offset; this.going; place += 1) {
      const name = names[(place * 7) % names.length] as string;
      // each makes the token larger
      if (name !== 'make a key' || place % 5 === 0) await this.attempt(name, client);
    }
  }

  private async attempt(operation: string, client: KMS): Promise<void> {
    const start = performance.now();
    try {
      await this.operations[operation]?.(client, AbortSignal.timeout(hangMilliseconds));
      this.answered += 1;
    } catch (error) {
      if (error instanceof WrongAnswerError) this.wrong.push(`${operation}: ${error.message}`);
      else this.refused.push({ operation, name: describe(error), milliseconds: performance.now() - start });
    }
  }

  private async decrypt(kms: KMS, ciphertext: Ciphertext | undefined, abortSignal?: AbortSignal): Promise<void> {
    if (ciphertext === undefined) return;
    const request = { CiphertextBlob: ciphertext.blob, EncryptionContext: { of: 'load' } };
    const { Plaintext } = await kms.decrypt(request, abortSignal && { abortSignal });
    expectTrue(ciphertext.plaintext.equals(Plaintext ?? Buffer.alloc(0)), 'a ciphertext decrypts to something else');
  }

  private async sign(kms: KMS, kind: 'rsa' | 'ec', abortSignal: AbortSignal): Promise<void> {
    const request = { KeyId: this.keys[kind], Message: message, SigningAlgorithm: algorithms[kind] };
    const { Signature = new Uint8Array() } = await kms.sign(request, { abortSignal });
    const key = { key: this.keys.publicKeys[kind], ...(kind === 'rsa' && { padding: 6, saltLength: 32 }) };
    expectTrue(verify('sha256', message, key, Signature), 'the signature does not verify');
    const { SignatureValid } = await kms.verify({ ...request, Signature }, { abortSignal });
    expectTrue(SignatureValid === true, 'a good signature is called bad');
  }
}

async function makeKeys(service: Service): Promise<LoadKeys> {
  const { kms } = service;
  const make = async (...request: Parameters<Service['newKey']>) => (await service.newKey(...request)).KeyId;
  const symmetric = await make({});
  // takes so long on any machine that it is never made on the main thread
  const rsa = await make({ KeySpec: 'RSA_4096', KeyUsage: 'SIGN_VERIFY' });
  const ec = await make({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
  const mac = await make({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' });
  const oaep = await make({ KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' });
  const agreement = await make({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'KEY_AGREEMENT' });
  const publicKey = async (KeyId: string) => {
    const { PublicKey = new Uint8Array() } = await kms.getPublicKey({ KeyId });
    return createPublicKey({ key: Buffer.from(PublicKey), format: 'der', type: 'spki' });
  };
  const { Mac = new Uint8Array() } = await kms.generateMac({ ...macRequest, KeyId: mac, Message: message });
  const publicKeys = { rsa: await publicKey(rsa), ec: await publicKey(ec), agreement: await publicKey(agreement) };
  return { symmetric, rsa, ec, mac, oaep, agreement, publicKeys, expectedMac: Buffer.from(Mac) };
}

/** A request that must be refused. @throws WrongAnswerError when it is not; what it was refused with, when not so */
async function expectRefusedRightly(call: Promise<unknown>, name: string): Promise<void> {
  try {
    await call;
  } catch (error) {
    if ((error as Error).name === name) return;
    throw error;
  }
  throw new WrongAnswerError(`it was not refused with ${name}`);
}

/** An error as a client sees it, in a word or two. */
function describe(thrown: unknown): string {
  const {
    name,
    message: text,
    $metadata: metadata,
  } = thrown as Error & {
    readonly $metadata?: { readonly httpStatusCode?: number };
  };
  if (metadata?.httpStatusCode !== undefined) return name;
  // the service has said nothing: what the SDK says
  if (name === 'AbortError' || name === 'TimeoutError') return 'hang';
  return /ECONNRESET|EPIPE|ECONNREFUSED|socket hang up/.test(text) ? 'connection lost' : `${name}: ${text}`;
}
