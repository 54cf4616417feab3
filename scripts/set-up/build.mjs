/** dist/ as the sources have it. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runWithProgress } from './progress.mjs';

/** Holds the digest of what dist/ was built from. */
const stampFile = 'dist/.build-stamp';

/** Digest of all that a build depends on. By content: a checkout changes times without changing files, and the reverse. */
function digestOfSources() {
  const sources = readdirSync('src', { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const hash = createHash('sha256');
  for (const file of ['package.json', 'package-lock.json', 'tsconfig.json', ...sources]) {
    hash.update(`${file}\0`).update(createHash('sha256').update(readFileSync(file)).digest());
  }
  return `${hash.digest('hex')}\n`;
}

/** @throws Error that shows the end of what the compiler printed */
export async function build() {
  const digest = digestOfSources();
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === digest) return;
  // whole, so that no file stays whose source is gone
  rmSync('dist', { recursive: true, force: true });
  await runWithProgress('Building', 'npm', ['run', '--silent', 'build']);
  writeFileSync(stampFile, digest);
}
