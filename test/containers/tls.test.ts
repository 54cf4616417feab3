import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { selfSigned } from '../service/certificates.js';
import { docker, whyNoEngine } from './engine.js';
import { buildMilliseconds, serviceImage } from './image.js';
import { hardened, ServiceContainer } from './service-container.js';

(whyNoEngine() ? describe.skip : describe)('a container with a certificate', () => {
  let directory: string;
  let container: ServiceContainer;
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'hsm-kms-tls-'));
    const { certificate, key } = selfSigned(directory, 'own');
    chmodSync(directory, 0o755);
    chmodSync(key, 0o644);
    container = await ServiceContainer.start(
      await serviceImage(),
      ...[...hardened, '--volume', `${directory}:/run/tls:ro`],
      ...['--env', `HSM_KMS_TLS_CERTIFICATE_FILE=${certificate.replace(directory, '/run/tls')}`],
      ...['--env', `HSM_KMS_TLS_KEY_FILE=${key.replace(directory, '/run/tls')}`],
    );
  }, buildMilliseconds);
  afterAll(async () => {
    await container?.remove();
    rmSync(directory, { recursive: true, force: true });
  });

  test('is asked for its health over TLS', async () => {
    await container.printed(/^listening on https:\/\/0\.0\.0\.0:8080$/m);
    const answer = await docker('exec', container.name, 'hsm-kms', 'health');
    expect(answer).toBe('https://127.0.0.1:8080/readyz answers: ready');
  });

  test('prints lines with which clients trust it', async () => {
    const lines = await container.printed(/^docker exec .+\n[\s\S]+?^export AWS_ENDPOINT.+$/m);
    const script = `${lines}\nprintf '%s\\n' "$AWS_ENDPOINT_URL_KMS" "$AWS_CA_BUNDLE"`;
    const printed = execFileSync('sh', ['-euc', script], { cwd: directory, encoding: 'utf8' });
    const [endpoint = '', bundle = ''] = printed.split('\n');
    expect(endpoint).toMatch(/^https:\/\/localhost:\d+$/);
    const answer = await new Promise<string>((resolve, reject) => {
      const options = { agent: false, ca: readFileSync(bundle) };
      https.get(`${endpoint}/readyz`, options, (response) => resolve(text(response))).once('error', reject);
    });
    expect(answer).toBe('ready\n');
  });
});
