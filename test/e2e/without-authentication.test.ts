import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { contentType, send } from '../service/http.js';
import { hsmKms, Service } from '../service/service.js';

let service: Service;
beforeAll(async () => {
  service = await Service.start({ flags: ['--insecure-no-auth'] });
});
afterAll(() => service?.end());

const unsigned = (operation: string, body: object) =>
  send(service, {
    headers: { 'content-type': contentType, 'x-amz-target': `TrentService.${operation}` },
    body: JSON.stringify(body),
  });

test('unsigned requests are answered, with a warning in every answer', async () => {
  const made = await unsigned('CreateKey', {});
  expect(made.status).toBe(200);
  const refused = await unsigned('DescribeKey', { KeyId: 'x' });
  expect(refused.status).toBe(400);
  for (const { headers } of [made, refused]) {
    expect(headers['x-hsm-kms-warning']).toBe('requests are not authenticated');
  }
});

test('signed requests are answered too', async () => {
  const { Keys } = await service.kms.listKeys({});
  expect(Keys?.length).toBeGreaterThan(0);
});

test('the start warns', async () => {
  await service.logged(/^WARNING: requests are not authenticated \(--insecure-no-auth\)\./);
});

test.each(['0.0.0.0', '::', '192.0.2.1', 'example.com', '127.0.0.1.example.com'])(
  '%s is not taken: not loopback',
  async (host) => {
    const { code, output } = await hsmKms(
      ...['serve', '--data-dir', service.dataDir, '--port', '0', '--insecure-no-auth', '--host', host],
    );
    expect(code).toBe(1);
    expect(output).toContain('--insecure-no-auth takes a loopback address only');
    expect(output).not.toMatch(/\n\s+at /);
  },
);
