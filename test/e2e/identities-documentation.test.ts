import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mainModule } from '../service/built-service.js';
import { identityJson } from '../service/identities.js';
import { Service, serviceEnvironment } from '../service/service.js';

const page = readFileSync(new URL('../../docs/identities.md', import.meta.url), 'utf8');
const blocks = (language: string) =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(([, text]) => text as string);

const hasCli = spawnSync('aws', ['--version']).status === 0;
if (!hasCli) console.warn('SKIPPED: the AWS CLI is not on the PATH, so docs/identities.md is not run.');

let service: Service;
const directory = mkdtempSync(join(tmpdir(), 'hsm-kms-docs-'));
beforeAll(async () => {
  service = await Service.start();
  symlinkSync(dirname(dirname(mainModule)), join(directory, 'dist'));
  symlinkSync(service.dataDir, join(directory, 'data'));
});
afterAll(async () => {
  await service?.end();
  rmSync(directory, { recursive: true, force: true });
});

(hasCli ? test : test.skip)('docs/identities.md works as written', async () => {
  const [declaration = ''] = blocks('yaml');
  writeFileSync(join(directory, 'identities.yaml'), declaration);
  const script = blocks('bash').join('\n').replaceAll('http://127.0.0.1:8080', service.url);
  expect(script).toContain(service.url);
  const child = spawn('bash', ['-euo', 'pipefail', '-c', script], {
    cwd: directory,
    env: { ...serviceEnvironment(service.dataDir), AWS_PAGER: '' },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const [code] = await once(child, 'close');
  expect(code === 0 ? '' : output).toBe('');
  expect(output).toContain('"CiphertextBlob":');
  expect(output).toContain('"Arn": "arn:aws:sts::000000000000:assumed-role/signer/me"');
  const { Users } = await identityJson(service, 'list-users');
  expect(Users.map(({ UserName }: { UserName: string }) => UserName)).toEqual(['administrator', 'alice', 'bob']);
});
