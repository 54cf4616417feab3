/** build/ and dist/ as the sources have it. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runWithProgress } from './progress.mjs';

/** Holds the digest of what they were built from. */
const stampFile = 'dist/.build-stamp';

/** All that a build depends on. */
function sourceFiles() {
  const sources = readdirSync('src', { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  return ['package.json', 'package-lock.json', 'tsconfig.json', 'scripts/bundle.mjs', ...sources];
}

function digestOf(files) {
  const hash = createHash('sha256');
  for (const file of files) hash.update(`${file}\0`).update(createHash('sha256').update(readFileSync(file)).digest());
  return `${hash.digest('hex')}\n`;
}

/** By content and by time: a checkout can change either without the other, and the tests look at the time. */
function isFresh(files, digest) {
  if (!existsSync(stampFile) || readFileSync(stampFile, 'utf8') !== digest) return false;
  const builtAt = statSync(stampFile).mtimeMs;
  return files.every((file) => statSync(file).mtimeMs <= builtAt);
}

/**
 * @param toInstall for who runs the program and imports nothing of it: dist/ only, and no stamp, which takes a third of
 * the time
 * @throws Error that shows the end of what the compiler printed
 */
export async function build({ toInstall }) {
  if (toInstall) return runWithProgress('Building', 'node', ['scripts/bundle.mjs']);
  const files = sourceFiles();
  const digest = digestOf(files);
  if (isFresh(files, digest)) return;
  // whole, so that no file stays whose source is gone
  for (const directory of ['build', 'dist']) rmSync(directory, { recursive: true, force: true });
  await runWithProgress('Building', 'npm', ['run', '--silent', 'build']);
  writeFileSync(stampFile, digest);
}
