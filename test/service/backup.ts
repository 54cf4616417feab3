import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { builtModules, mainModule } from './built-service.js';
import { type Service, serviceEnvironment, serviceNode } from './service.js';
import { testedDatabase } from './tested-database.js';

type Row = Readonly<Record<string, unknown>>;

/** The lines of an archive: its header, its rows by table. */
export function contentOf(archive: string) {
  const text = gunzipSync(readFileSync(archive)).toString('utf8');
  const [header, ...lines] = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const rows: Record<string, Row[]> = {};
  for (const [table, row] of lines.slice(0, -1) as [string, Row][]) {
    rows[table] ??= [];
    rows[table].push(row);
  }
  return { header, rows };
}

/**
 * A data directory with a copy of a service's token, and an empty database.
 *
 * @param without ends of names that are not copied, either
 */
export function besideCopiedToken(service: Service, directory: string, ...without: string[]): string {
  const dataDir = mkdtempSync(join(directory, 'data-'));
  const left = ['hsm-kms.db', '-wal', '-shm', '.lock', 'credentials', ...without];
  const filter = (file: string) => !left.some((end) => file.endsWith(end));
  cpSync(service.dataDir, dataDir, { recursive: true, filter });
  testedDatabase.make(dataDir);
  return dataDir;
}

/** Makes of an archive one of a version from before there were seals. */
export function olderArchive({ dataDir }: Service, archive: string, older: string): void {
  const script = join(import.meta.dirname, 'older-archive.mjs');
  execFileSync(serviceNode(), [script, builtModules, dataDir, archive, older], { env: serviceEnvironment(dataDir) });
}

/** Runs a command, and kills it when a file of some name has appeared, and a little later. @returns its exit code */
export async function killedAfter(
  directory: string,
  pattern: RegExp,
  milliseconds: number,
  dataDir: string,
  ...parameters: string[]
): Promise<number | null> {
  const child = spawn(serviceNode(), [mainModule, ...parameters, '--data-dir', dataDir], {
    env: serviceEnvironment(dataDir),
    stdio: 'ignore',
  });
  const ended = once(child, 'exit');
  const pause = (time: number) => new Promise((resolve) => setTimeout(resolve, time));
  while (child.exitCode === null && !readdirSync(directory).some((name) => pattern.test(name))) await pause(2);
  await pause(milliseconds);
  child.kill('SIGKILL');
  const [code] = await ended;
  return code;
}

/** Serves from a data directory until the work is done. */
export async function withService(
  dataDir: string,
  work: (url: string) => Promise<void>,
  ...flags: string[]
): Promise<void> {
  const parameters = ['serve', '--data-dir', dataDir, '--port', '0', '--workers', '1', ...flags];
  const child = spawn(serviceNode(), [mainModule, ...parameters], {
    env: serviceEnvironment(dataDir),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'exit');
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  try {
    const url = await new Promise<string>((resolve, reject) => {
      let output = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        const [, url] = /^listening on (\S+)$/m.exec(output) ?? [];
        if (url !== undefined) resolve(url);
      });
      child.once('exit', (code) => reject(new Error(`the service ended at its start (${code}): ${log}`)));
    });
    await work(url);
  } finally {
    child.kill();
    await ended;
  }
}
