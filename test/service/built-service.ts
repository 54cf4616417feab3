import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/**
 * A build elsewhere, or the directory that holds its dist/, for who tests while others build: that it is fresh is their
 * business.
 */
const otherBuild = process.env.HSM_KMS_TEST_BUILD;

export const built =
  otherBuild !== undefined && existsSync(join(otherBuild, 'cli')) ? otherBuild : join(otherBuild ?? root, 'dist');

/** The command that users run. */
export const mainModule = join(built, 'cli/main.js');

/** @throws Error that says what to type when the service that would be tested is not the one in src/ */
export function expectFreshBuild(): void {
  if (otherBuild !== undefined) return;
  const sources = join(root, 'src');
  for (const entry of readdirSync(sources, { recursive: true, encoding: 'utf8' })) {
    if (!entry.endsWith('.ts')) continue;
    const module = join(built, entry.replace(/\.ts$/, '.js'));
    if (modifiedAt(module) < modifiedAt(join(sources, entry))) {
      throw new Error(`dist/ is missing or older than src/${entry}. Type: npm run build`);
    }
  }
}

function modifiedAt(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Number.NEGATIVE_INFINITY;
}
