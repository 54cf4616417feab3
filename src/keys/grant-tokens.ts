import { KmsError } from '../contract/kms-error.js';
import type { Sealer } from '../token/sealing.js';

/** The grant that a grant token stands for. */
export interface GrantReference {
  readonly keyId: string;
  /** 64 hexadecimal digits. */
  readonly grantId: string;
}

const purpose = 'grant token';
const grantIdBytes = 32;
const cachedTokens = 10_000;

/**
 * Grant tokens: the ids of key and grant, encrypted by the token's sealing key. So nobody else can make one, none has to
 * be stored, and all tokens of a grant are as good as each other. A token outlives its grant, but allows nothing then.
 */
export class GrantTokens {
  private readonly known = new Map<string, GrantReference>();

  constructor(private readonly sealer: Sealer) {}

  /** A new token, different each time: base64url text. @throws TokenError */
  async issue({ keyId, grantId }: GrantReference): Promise<string> {
    const sealed = await this.sealer.seal(purpose, Buffer.concat([Buffer.from(grantId, 'hex'), Buffer.from(keyId)]));
    return sealed.toString('base64url');
  }

  /**
   * What a token stands for; whether that grant still exists is another question.
   *
   * @throws KmsError InvalidGrantTokenException for what this service has not issued; TokenError
   */
  read(text: string): GrantReference | Promise<GrantReference> {
    return this.known.get(text) ?? this.open(text);
  }

  private async open(text: string): Promise<GrantReference> {
    const sealed = Buffer.from(text, 'base64url');
    // the one spelling that was issued, so that nobody fills the cache with spellings of one token
    const content = sealed.toString('base64url') === text ? await this.sealer.open(purpose, sealed) : undefined;
    if (content === undefined) throw new KmsError('InvalidGrantTokenException', 'The grant token is not valid.');
    const reference = {
      grantId: content.subarray(0, grantIdBytes).toString('hex'),
      keyId: content.subarray(grantIdBytes).toString(),
    };
    if (this.known.size >= cachedTokens) this.known.clear();
    this.known.set(text, reference);
    return reference;
  }
}
