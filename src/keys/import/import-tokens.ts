import type { Sealer } from '../../token/sealing.js';

/** What an import token says, for nobody but this service to read. */
export interface ImportParameters {
  readonly keyId: string;
  /** CKA_ID of the wrapping key, in hexadecimal digits. */
  readonly wrappingKeyId: string;
  readonly wrappingKeyBits: number;
  readonly wrappingAlgorithm: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

const purpose = 'import token';

/** Import tokens: sealed by the token's sealing key, so that nobody makes or changes one. */
export class ImportTokens {
  constructor(private readonly sealer: Sealer) {}

  /** @throws TokenError */
  seal(parameters: ImportParameters): Promise<Buffer> {
    return this.sealer.seal(purpose, Buffer.from(JSON.stringify(parameters)));
  }

  /** @returns undefined for what is no import token of this service. @throws TokenError */
  async open(importToken: Buffer): Promise<ImportParameters | undefined> {
    const opened = await this.sealer.open(purpose, importToken);
    return opened && (JSON.parse(opened.toString('utf8')) as ImportParameters);
  }
}
