import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { z } from 'zod';
import { knownMigrations } from '../../store/database-identity.js';
import type { Page, Row, Value } from '../../store/rows.js';
import type { Sealer } from '../../token/sealing.js';
import type { Token } from '../../token/token.js';
import { ContentDigest, formatVersion, type Header, headerShape, sealedDigest, sealShape } from './archive.js';

/** What an archive says of itself, and what its content is. */
export interface ArchiveFacts {
  readonly header: Header;
  /** SHA-256 of the content, as it was read. */
  readonly digest: Buffer;
  readonly seal: Buffer;
}

const rowShape = z.tuple([
  z.string().regex(/^[a-z_]+$/),
  z.record(z.string(), z.union([z.string(), z.number(), z.null(), z.object({ base64: z.base64() })])),
]);

/** Longer than any line, in characters: what is no archive must not fill the memory. */
const longestLine = 2 ** 24;
const rowsOfPage = 100;

/**
 * Reads a whole archive, and looks whether it is whole. Who made it, only the token can tell: `expectSealOf`.
 *
 * @param each is given the rows, which nothing vouches for before this has returned
 * @throws Error in one sentence
 */
export async function readArchive(
  path: string,
  each: (page: Page, header: Header) => Promise<void> | void = () => {},
): Promise<ArchiveFacts> {
  const digest = new ContentDigest();
  const counts = new Map<string, number>();
  let header: Header | undefined;
  let end: z.infer<typeof sealShape> | undefined;
  let page: { table: string; rows: Row[] } = { table: '', rows: [] };
  const flush = async () => {
    if (header && page.rows.length > 0) await each(page, header);
    page = { table: '', rows: [] };
  };
  for await (const line of linesOf(path)) {
    if (end) throw damaged(path, 'something follows its end');
    const read = parsed(path, line);
    if (header === undefined) {
      header = headerOf(path, read);
      digest.add(line);
    } else if (Array.isArray(read)) {
      const [table, row] = rowOf(path, read);
      if (page.table !== table || page.rows.length === rowsOfPage) await flush();
      page.table = table;
      page.rows.push(row);
      counts.set(table, (counts.get(table) ?? 0) + 1);
      digest.add(line);
    } else {
      end = sealShape.safeParse(read).data;
      if (end === undefined) throw damaged(path, 'a line is not understood');
    }
  }
  await flush();
  if (header === undefined || end === undefined) throw damaged(path, 'its end is missing: it was cut off');
  const sha256 = digest.end();
  if (end.sha256 !== sha256.toString('hex')) throw damaged(path, 'its checksum does not match');
  for (const { table, rows } of header.tables) {
    if ((counts.get(table) ?? 0) !== rows) throw damaged(path, `rows of ${table} are missing`);
  }
  return { header, digest: sha256, seal: Buffer.from(end.seal, 'base64') };
}

/** @throws Error in one sentence when this token did not make the archive, or somebody has edited it since */
export async function expectSealOf(
  { token, sealer }: { readonly token: Token; readonly sealer: Sealer },
  path: string,
  { header, digest, seal }: ArchiveFacts,
): Promise<void> {
  const opened = sealer.isReady() ? await sealedDigest(sealer, seal) : undefined;
  if (opened?.equals(digest)) return;
  const { label, serialNumber } = token.identity;
  const isSame = opened !== undefined || (sealer.isReady() && header.token.serialNumber === serialNumber);
  throw new Error(
    isSame
      ? `The archive ${path} was edited after it was made: use another one.`
      : `The archive ${path} was sealed by the token ${nameOf(header.token)}, and not by ${nameOf({ label, serialNumber })}: put back the copy of that token, or set HSM_KMS_PKCS11_MODULE and HSM_KMS_TOKEN_LABEL, _SERIAL or _URI to it.`,
  );
}

const nameOf = ({ label, serialNumber }: Header['token']) =>
  `${JSON.stringify(label)} (serial number ${JSON.stringify(serialNumber)})`;

async function* linesOf(path: string): AsyncGenerator<string> {
  let rest = '';
  try {
    const file = createReadStream(path);
    const content = createGunzip();
    // an error of the file ends who reads its content
    file.on('error', (error) => content.destroy(error));
    for await (const chunk of file.pipe(content).setEncoding('utf8')) {
      const lines = `${rest}${chunk}`.split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > longestLine) throw damaged(path, 'a line has no end');
      yield* lines;
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'Z_BUF_ERROR') throw damaged(path, 'its end is missing: it was cut off', error);
    if (code === 'Z_DATA_ERROR') throw damaged(path, 'it is not what gzip wrote', error);
    if (code === undefined || !code.startsWith('E')) throw error;
    throw new Error(`The archive ${path} cannot be read: ${message}`, { cause: error });
  }
  if (rest !== '') throw damaged(path, 'its last line has no end');
}

function parsed(path: string, line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw damaged(path, 'a line is no JSON', error);
  }
}

function headerOf(path: string, read: unknown): Header {
  const { format, version, program } = Object(read) as Partial<Header>;
  const name = `The archive ${path} was made by a newer version of hsm-kms (${program})`;
  if (format === headerShape.shape.format.value && (version ?? 0) > formatVersion) {
    throw new Error(`${name}: use that version, or a newer one.`);
  }
  const { data: header } = headerShape.safeParse(read);
  if (header === undefined) {
    throw new Error(`The file ${path} is no archive of hsm-kms: name one that hsm-kms backup has made.`);
  }
  const unknown = header.migrations.filter((each) => !knownMigrations.includes(each));
  if (unknown.length > 0) {
    throw new Error(`${name}: it has the migration ${unknown.at(-1)}; use that version, or a newer one.`);
  }
  return header;
}

function rowOf(path: string, read: unknown): [string, Row] {
  const { data } = rowShape.safeParse(read);
  if (data === undefined) throw damaged(path, 'a row is not understood');
  const [table, columns] = data;
  const values = Object.entries(columns).map(([name, value]): [string, Value] => [
    name,
    typeof value === 'object' && value !== null ? Buffer.from(value.base64, 'base64') : value,
  ]);
  return [table, Object.fromEntries(values)];
}

function damaged(path: string, why: string, cause?: unknown): Error {
  return new Error(`The archive ${path} is damaged (${why}): use another one.`, { cause });
}
