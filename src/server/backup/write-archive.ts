import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { diskError } from '../../store/disk-trouble.js';
import { rowText } from '../../store/row-digest.js';
import type { Page } from '../../store/rows.js';
import { ContentDigest, type Header } from './archive.js';

/**
 * Writes an archive: whole or not at all, for its owner only. A process that is killed may leave a file beside it, whose
 * name ends with `.unfinished`.
 *
 * @param seal of the SHA-256 of the content
 * @throws Error in one sentence that names the file
 */
export async function writeArchive(
  path: string,
  header: Header,
  pages: AsyncIterable<Page>,
  seal: (digest: Buffer) => Promise<Buffer>,
): Promise<void> {
  const file = resolve(path);
  if (existsSync(file)) throw new Error(`The file ${path} exists already: name another, or move that one away.`);
  const unfinished = join(dirname(file), `.${basename(file)}.${randomUUID()}.unfinished`);
  try {
    const handle = await open(unfinished, 'wx', 0o600);
    await pipeline(
      Readable.from(linesOf(header, pages, seal)),
      createGzip(),
      handle.createWriteStream({ flush: true }),
    );
    await rename(unfinished, file);
    // the name is on the disk, too
    const directory = await open(dirname(file), 'r');
    await directory.sync();
    await directory.close();
  } catch (error) {
    await rm(unfinished, { force: true });
    const { code, message } = error as NodeJS.ErrnoException;
    const what = `The archive ${path} cannot be written.`;
    throw diskError(error, what) ?? (code?.startsWith('E') ? new Error(`${what} ${message}`, { cause: error }) : error);
  }
}

async function* linesOf(
  header: Header,
  pages: AsyncIterable<Page>,
  seal: (digest: Buffer) => Promise<Buffer>,
): AsyncGenerator<string> {
  const digest = new ContentDigest();
  const counted = (lines: readonly string[]) => {
    for (const line of lines) digest.add(line);
    return lines.map((line) => `${line}\n`).join('');
  };
  yield counted([JSON.stringify(header)]);
  for await (const { table, rows } of pages) yield counted(rows.map((row) => rowText(table, row)));
  const sha256 = digest.end();
  yield `${JSON.stringify({ sha256: sha256.toString('hex'), seal: (await seal(sha256)).toString('base64') })}\n`;
}
