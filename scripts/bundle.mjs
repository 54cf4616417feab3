#!/usr/bin/env node
/**
 * src/ into dist/, with the packages that it uses: a start reads fewer than a hundred files and not many hundreds, and a
 * worker that has crashed is replaced the sooner (ARCHITECTURE.md, Build).
 *
 * All files lie two levels below the package's directory, as those of src/ that look for a file by import.meta.url do:
 * what they say of its place holds in every chunk.
 */
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** What is run and what is imported by its name (exports in package.json), as it lies in src/. */
const entryPoints = [
  ...['cli/main.ts', 'server/worker-main.ts', 'token/scout-main.ts'],
  ...['audit/verify.ts', 'testcontainers/index.ts'],
];
/** Native addons, what finds its own files, and what only who tests with containers has. */
const external = ['better-sqlite3', 'pkcs11js', 'pg-native', 'testcontainers'];
/** For packages in CommonJS: they require Node.js's own modules. */
const requireForPackages =
  "import { createRequire as requireOfBundle } from 'node:module'; const require = requireOfBundle(import.meta.url);";

const root = fileURLToPath(new URL('../', import.meta.url));
rmSync(`${root}dist`, { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: entryPoints.map((file) => `src/${file}`),
  outbase: 'src',
  outdir: 'dist',
  chunkNames: 'chunks/[name]-[hash]',
  external,
  banner: { js: requireForPackages },
  bundle: true,
  // pg looks at it to see whether it runs at Cloudflare, and Node.js loads all of fetch then: 14 ms of each start
  define: { Response: 'undefined' },
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  logLevel: 'warning',
});
