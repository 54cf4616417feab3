import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { expectFreshBuild, mainModule } from '../service/built-service.js';

/** Where package.json and dist/ are. */
const packageRoot = resolve(dirname(mainModule), '../..');
const nodeModules = resolve('node_modules');

/** A project of somebody else, with the package as `npm install` of its tarball leaves it. */
let project: string;
const installed = () => join(project, 'node_modules/hsm-kms');

function run(command: string, ...parameters: string[]) {
  const { status, stdout, stderr } = spawnSync(command, parameters, { cwd: project, encoding: 'utf8' });
  return { status, stdout, stderr };
}

beforeAll(() => {
  expectFreshBuild();
  project = mkdtempSync(join(tmpdir(), 'hsm-kms-consumer-'));
  mkdirSync(installed(), { recursive: true });
  const pack = spawnSync('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', project], {
    cwd: packageRoot,
    encoding: 'utf8',
  });
  expect(pack).toMatchObject({ status: 0 });
  const tarball = join(project, pack.stdout.trim());
  expect(run('tar', '-xzf', tarball, '--strip-components=1', '-C', installed())).toMatchObject({ status: 0 });
  // installed by somebody else's npm; here is no registry to ask
  for (const name of ['testcontainers', '@types', '@aws-sdk']) {
    symlinkSync(join(nodeModules, name), join(project, 'node_modules', name));
  }
  writeFileSync(join(project, 'package.json'), '{ "name": "consumer", "type": "module" }');
});
afterAll(() => rmSync(project, { recursive: true }));

const consumer = `
import { KMSClient } from '@aws-sdk/client-kms';
import { HsmKmsContainer, type Seed, type StartedHsmKmsContainer } from 'hsm-kms/testcontainers';

const seed: Seed = { Keys: [{ KeyId: 'bc436485-5092-42b8-92a3-0aa8b93536dc', Aliases: ['alias/app'] }] };
export async function start(): Promise<KMSClient> {
  const container: StartedHsmKmsContainer = await new HsmKmsContainer('image:1')
    .withSeed(seed).withSeedFile('seed.yaml').withRegion('eu-west-1').withAccountId('123456789012').withWorkers(1)
    .withEnvironment({ HSM_KMS_LOG_LEVEL: 'debug' })
    .start();
  const { accessKeyId, secretAccessKey } = container.getCredentials();
  console.log(container.getEndpoint(), container.getRegion(), accessKeyId, secretAccessKey.length);
  return new KMSClient(container.getClientConfiguration());
}
// @ts-expect-error a key without an id
export const wrong: Seed = { Keys: [{ Aliases: [] }] };
`;

test.each([
  ['nodenext', 'nodenext'],
  ['preserve', 'bundler'],
])('TypeScript finds the types of hsm-kms/testcontainers (module %s)', (module, moduleResolution) => {
  writeFileSync(join(project, 'consumer.ts'), consumer);
  const compilerOptions = { module, moduleResolution, strict: true, noEmit: true, target: 'es2023', types: ['node'] };
  writeFileSync(
    join(project, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: { ...compilerOptions, skipLibCheck: true }, files: ['consumer.ts'] }),
  );
  expect(run(process.execPath, join(nodeModules, 'typescript/bin/tsc'), '-p', '.')).toEqual({
    ...{ status: 0, stdout: '', stderr: '' },
  });
});

test('Node.js imports it', () => {
  const script = "console.log(Object.keys(await import('hsm-kms/testcontainers')).join())";
  expect(run(process.execPath, '--input-type=module', '-e', script)).toMatchObject({
    ...{ status: 0, stdout: 'HsmKmsContainer,StartedHsmKmsContainer\n' },
  });
});

/** The packages that a file of dist/ imports, by itself and through its chunks. */
async function packagesOf(entryPoint: string): Promise<string[]> {
  const { metafile } = await build({
    entryPoints: [join(installed(), 'dist', entryPoint)],
    ...{ bundle: true, format: 'esm', platform: 'node', packages: 'external', write: false, metafile: true },
  });
  const imports = Object.values(metafile.outputs).flatMap((output) => output.imports.map(({ path }) => path));
  return [...new Set(imports)].filter((name) => !isBuiltin(name)).sort();
}

test('testcontainers is all that its part imports, and the rest does not import it', async () => {
  expect(await packagesOf('testcontainers/index.js')).toEqual(['testcontainers']);
  expect(await packagesOf('audit/verify.js')).toEqual([]);
  expect(await packagesOf('token/scout-main.js')).toEqual(['pkcs11js']);
  for (const entryPoint of ['cli/main.js', 'server/worker-main.js']) {
    expect(await packagesOf(entryPoint)).toEqual(['better-sqlite3', 'pkcs11js']);
  }
});
