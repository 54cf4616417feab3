import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/**
 * A directory with another build/ and dist/, for who tests while others build: that they are fresh is their business.
 */
const otherBuild = process.env.HSM_KMS_TEST_BUILD;

/** Holds the service's modules, one by one. */
export const builtModules = join(otherBuild ?? root, 'build');

/** The command that users run. */
export const mainModule = join(otherBuild ?? root, 'dist/cli/main.js');

/** @throws Error that says what to type when the service that would be tested is not the one in src/ */
export function expectFreshBuild(): void {
  if (otherBuild !== undefined) return;
  const sources = join(root, 'src');
  const bundledAt = modifiedAt(mainModule);
  for (const entry of readdirSync(sources, { recursive: true, encoding: 'utf8' })) {
    if (!entry.endsWith('.ts')) continue;
    const changedAt = modifiedAt(join(sources, entry));
    const compiledAt = modifiedAt(join(builtModules, entry.replace(/\.ts$/, '.js')));
    if (compiledAt < changedAt || bundledAt < changedAt) {
      throw new Error(`build/ or dist/ is missing or older than src/${entry}. Type: npm run build`);
    }
  }
}

function modifiedAt(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Number.NEGATIVE_INFINITY;
}
