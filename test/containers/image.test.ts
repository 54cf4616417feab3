import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { docker, whyNoEngine } from './engine.js';
import { buildMilliseconds, projectRoot, serviceImage } from './image.js';

const { version } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8'));
const megabyte = 1_000_000;

(whyNoEngine() ? describe.skip : describe)('the image', () => {
  let image: string;
  beforeAll(async () => {
    image = await serviceImage();
  }, buildMilliseconds);

  const shell = (script: string, ...options: string[]) =>
    docker('run', '--rm', ...options, '--entrypoint', 'sh', image, '-c', script);

  test('is small, and says what it is and how it is run', async () => {
    const [{ Size, Config }] = JSON.parse(await docker('image', 'inspect', image));
    expect(Size).toBeLessThan(400 * megabyte);
    expect(Config).toMatchObject({
      User: '1000:1000',
      Volumes: { '/data': {} },
      ExposedPorts: { '8080/tcp': {} },
      Entrypoint: ['hsm-kms'],
      Cmd: ['serve', '--init', '--first-steps'],
      Healthcheck: { Test: ['CMD', 'hsm-kms', 'health'] },
    });
    expect(Config.Labels).toMatchObject({
      'org.opencontainers.image.title': 'hsm-kms',
      'org.opencontainers.image.version': version,
      'org.opencontainers.image.licenses': 'Apache-2.0',
    });
  });

  test('runs as a user who can change nothing but the volume', async () => {
    const script = `
      id -un; id -u; id -g
      stat -c '%U %G %a' /data
      find /app /usr/local -writable ! -type l | head
      touch /data/file && rm /data/file && echo written`;
    expect((await shell(script)).split('\n')).toEqual(['node', '1000', '1000', 'node node 700', 'written']);
  });

  test('holds what runs, and neither sources nor tools nor secrets', async () => {
    const script = `
      ls -A /app /data
      find /app -name '*.c' -o -name '*.cpp' -o -name '*.h' -o -name '*.o' -o -name '*.a' -o -name '*.map' -o -name '*.ts'
      for tool in cc gcc g++ c++ make ld python3 npm npx yarn corepack git curl; do command -v $tool; done
      ls -d /root/.npm /home/node/.npm /usr/local/include/node /app/node_modules/typescript /app/node_modules/@aws-sdk \\
        /app/node_modules/testcontainers 2>/dev/null
      find /var/lib/apt/lists /var/cache/apt -type f ! -name lock`;
    const found = (await shell(script, '--user', 'root')).split('\n');
    expect(found).toEqual(['/app:', 'LICENSE', 'dist', 'node_modules', 'package.json', '', '/data:']);
  });

  test('gives its commands', async () => {
    expect(await docker('run', '--rm', image, '--version')).toBe(version);
    expect(await docker('run', '--rm', '--env', 'HSM_KMS_REGION=eu-west-1', image, 'config')).toMatch(
      /^region: eu-west-1 .*# environment$/m,
    );
  });
});
