import { createHash, type Hash } from 'node:crypto';
import { z } from 'zod';
import type { Sealer } from '../../token/sealing.js';

/*
 * An archive is gzip of lines of JSON: a header, the rows, and a seal over all lines before it. What is secret in the
 * rows is sealed by the token already; the seal says that the token's owner made the archive, and that it is whole.
 */

const formatName = 'hsm-kms backup';
/** Raised when older programs could not restore what a newer one writes. */
export const formatVersion = 1;
const purpose = `${formatName} ${formatVersion}: SHA-256 of the content`;

export const headerShape = z.object({
  format: z.literal(formatName),
  version: z.number().int(),
  /** The program's. */
  program: z.string(),
  /** When the state was that it holds: ISO 8601. */
  madeAt: z.iso.datetime(),
  accountId: z.string(),
  region: z.string(),
  token: z.object({ label: z.string(), serialNumber: z.string() }),
  database: z.string(),
  /** Names of the migrations that had made the schema. */
  migrations: z.array(z.string()).min(1),
  tables: z.array(z.object({ table: z.string(), rows: z.number().int() })),
});
export type Header = z.infer<typeof headerShape>;

/** The last line. */
export const sealShape = z.object({ sha256: z.string(), seal: z.base64() });

export const newHeader = (header: Omit<Header, 'format' | 'version'>): Header => ({
  format: formatName,
  version: formatVersion,
  ...header,
});

/** Hashes the lines that the seal is over. */
export class ContentDigest {
  private readonly hash: Hash = createHash('sha256');

  add(line: string): void {
    this.hash.update(line).update('\n');
  }

  end(): Buffer {
    return this.hash.digest();
  }
}

/** @throws TokenError */
export function sealed(sealer: Sealer, digest: Buffer): Promise<Buffer> {
  return sealer.seal(purpose, digest);
}

/** The digest that the token has sealed; undefined when this token has not. @throws TokenError */
export function sealedDigest(sealer: Sealer, seal: Buffer): Promise<Buffer | undefined> {
  return sealer.open(purpose, seal);
}
