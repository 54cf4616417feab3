import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import { docker, dockerCommand, tryDocker } from './engine.js';

/** The clone, which is the build's context. */
export const projectRoot = resolve(import.meta.dirname, '../..');
const repository = 'hsm-kms-test';
/** Images of other states of the tree are removed when they are older than that, in milliseconds: others may test. */
const keptMilliseconds = 60 * 60 * 1000;
/** What a build is given by who waits for it, in milliseconds. */
export const buildMilliseconds = 10 * 60 * 1000;

/** The kernel ends the lock with the process; systems without flock do without. */
const buildUnlessThere = `
  if command -v flock >/dev/null; then exec 9>>"$1"; flock 9; fi
  "$4" image inspect "$2" >/dev/null 2>&1 || "$4" build --quiet --tag "$2" "$3"
`;
/** A build that fails prints much. */
const maxBuffer = 64 * 1024 * 1024;
const run = promisify(execFile);

let image: Promise<string> | undefined;

/**
 * The image of the service as the Dockerfile and the working tree make it: what HSM_KMS_TEST_IMAGE names, or one that
 * is built once for all test files and processes and is kept as long as nothing changes that it is built from.
 *
 * @returns a name that docker run takes
 */
export function serviceImage(): Promise<string> {
  image ??= process.env.HSM_KMS_TEST_IMAGE
    ? Promise.resolve(process.env.HSM_KMS_TEST_IMAGE)
    : builtOnce({ directory: projectRoot, name: 'service', sources: contextOf(projectRoot) });
  return image;
}

/** The image that makes a SoftHSM2 token in a volume. */
export function softHsmImage(): Promise<string> {
  const directory = join(projectRoot, 'softhsm');
  return builtOnce({ directory, name: 'softhsm', sources: [directory] });
}

export interface BuildDescription {
  readonly directory: string;
  /** Distinguishes the images of one project. */
  readonly name: string;
  /** Files and directories that decide whether the image is fresh. */
  readonly sources: readonly string[];
}

/** Builds, unless an image of the same sources is there; only one process at a time does. @returns the image's name */
export async function builtOnce({ directory, name, sources }: BuildDescription): Promise<string> {
  const tag = `${repository}:${name}-${digestOf(sources)}`;
  const lock = join(tmpdir(), `${repository}-${name}.lock`);
  // the builder that testcontainers reaches as well: what one has built, the other finds
  const env = { ...process.env, DOCKER_BUILDKIT: '0' };
  await run('sh', ['-euc', buildUnlessThere, 'sh', lock, tag, directory, dockerCommand], { maxBuffer, env });
  await removeOld(name, tag);
  return tag;
}

/** What .dockerignore lets through, and what says how the image is made. */
function contextOf(directory: string): string[] {
  const allowed = readFileSync(join(directory, '.dockerignore'), 'utf8').match(/(?<=^!).+/gm) ?? [];
  return ['Dockerfile', '.dockerignore', ...allowed].map((name) => join(directory, name));
}

function digestOf(paths: readonly string[]): string {
  const hash = createHash('sha256');
  for (const path of paths.flatMap(filesIn)) {
    hash.update(`${relative(projectRoot, path)}\0${statSync(path).mode & 0o111}\0`);
    hash.update(createHash('sha256').update(readFileSync(path)).digest());
  }
  return hash.digest('hex').slice(0, 12);
}

function filesIn(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  const entries = readdirSync(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** The layers stay, so that the next build is quick. */
async function removeOld(name: string, tag: string): Promise<void> {
  const lines = await docker('images', '--format', '{{.Repository}}:{{.Tag}}', repository);
  for (const each of lines.split('\n').filter((line) => line.includes(`:${name}-`) && line !== tag)) {
    const { stdout } = await tryDocker('image', 'inspect', '--format', '{{.Metadata.LastTagTime.UnixMilli}}', each);
    if (Date.now() - Number(stdout.trim() || Number.NaN) > keptMilliseconds) await tryDocker('rmi', '--no-prune', each);
  }
}
