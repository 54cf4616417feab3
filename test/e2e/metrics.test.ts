import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { call, send } from '../service/http.js';
import { getMetrics, metricsOnce, ReadMetrics, readMetrics } from '../service/metrics.js';
import { refusalName } from '../service/refusal.js';
import { Service } from '../service/service.js';
import { until } from '../service/within.js';

const Plaintext = Buffer.from('x');
const requests = 'hsm_kms_requests_total';

describe('two workers', () => {
  let service: Service;
  beforeAll(async () => {
    service = await Service.start({ workers: 2, flags: ['--hang-milliseconds', '300000'] });
  });
  afterAll(() => service?.end());

  /** What many requests count for, on connections of their own: both workers get some. */
  const encryptOften = async (KeyId: string, times: number) => {
    const clients = Array.from({ length: 4 }, () => service.newClient());
    for (let index = 0; index < times; index++) await clients[index % 4]?.encrypt({ KeyId, Plaintext });
  };

  test('are counted together, by operation and result', async () => {
    const { KeyId } = await service.newKey();
    await encryptOften(KeyId, 40);
    for (let index = 0; index < 3; index++) {
      expect(await refusalName(service.kms.describeKey({ KeyId: 'alias/none' }))).toBe('NotFoundException');
    }
    const stranger = service.newClient({ accessKeyId: 'AKIAAAAAAAAAAAAAAAAA', secretAccessKey: 'x' });
    await refusalName(stranger.listKeys({}));
    await send(service, { headers: { 'x-amz-target': 'TrentService.MakeItUp' } });
    await call(service, 'Encrypt', '{');

    const metrics = await readMetrics(service);
    const count = (operation: string, result: string) => metrics.sum(requests, { operation, result });
    expect(count('Encrypt', 'ok')).toBe(40);
    expect(count('CreateKey', 'ok')).toBe(1);
    expect(count('DescribeKey', 'NotFoundException')).toBe(3);
    expect(count('ListKeys', 'UnrecognizedClientException')).toBe(1);
    expect(count('unknown', 'SerializationException')).toBe(1);
    expect(count('Encrypt', 'SerializationException')).toBe(1);
    expect(metrics.sum('hsm_kms_request_duration_seconds_count', { operation: 'Encrypt' })).toBe(41);
    const infinite = { operation: 'Encrypt', le: '+Inf' };
    expect(metrics.sum('hsm_kms_request_duration_seconds_bucket', infinite)).toBe(41);
    expect(metrics.sum('hsm_kms_request_duration_seconds_sum', { operation: 'Encrypt' })).toBeGreaterThan(0.001);
    expect(metrics.sum('hsm_kms_authentication_failures_total', { reason: 'UnrecognizedClientException' })).toBe(1);
    expect(metrics.sum('hsm_kms_workers', { state: 'ready' })).toBe(2);
    // of the two workers, over a token that is a program of this machine
    const sessions = Math.min(8, Math.max(2, Math.ceil(availableParallelism() / 2)));
    expect(metrics.sum('hsm_kms_token_sessions_limit', { token: 'own' })).toBe(2 * sessions);
    // a worker each, and the tests' clients
    expect(metrics.sum('hsm_kms_connections_given_total')).toBeGreaterThanOrEqual(5);
  });

  test('count the time in the token by function, and its errors by CK_RV', async () => {
    const { KeyId } = await service.newKey({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' });
    const calls = { token: 'own', function: 'C_Sign' };
    const name = 'hsm_kms_token_call_duration_seconds_count';
    const makeMac = () => service.kms.generateMac({ KeyId, Message: Plaintext, MacAlgorithm: 'HMAC_SHA_256' });
    // the first looks at seals, which is the token's work as well
    await makeMac();
    const before = (await readMetrics(service)).sum(name, calls) ?? 0;
    for (let index = 0; index < 5; index++) await makeMac();
    const metrics = await readMetrics(service);
    expect(metrics.sum(name, calls)).toBe(before + 5);
    const errors = metrics.labelValues('error');
    // found out at the start, by probes
    expect([...errors].filter((error) => !/^CKR_[A-Z_]+$/.test(error))).toEqual([]);
    expect(errors.size).toBeGreaterThan(0);
  });

  test('show how often the store and its caches were asked, and what there is in it', async () => {
    const { KeyId } = await service.newKey();
    await service.kms.scheduleKeyDeletion({ KeyId });
    const before = (await readMetrics(service)).sum('hsm_kms_cache_lookups_total', { cache: 'keys', result: 'hit' });
    // each worker's first encryption sets some aside in the store, after which its caches are stale
    await encryptOften((await service.newKey()).KeyId, 40);
    const metrics = await readMetrics(service);
    const hits = metrics.sum('hsm_kms_cache_lookups_total', { cache: 'keys', result: 'hit' });
    expect(hits).toBeGreaterThanOrEqual((before ?? 0) + 20);
    expect(metrics.sum('hsm_kms_store_query_duration_seconds_count', { kind: 'change' })).toBeGreaterThan(0);
    expect(metrics.sum('hsm_kms_store_errors_total')).toBe(0);
    // an inventory is a minute old at the most, and its time in seconds
    expect(metrics.sum('hsm_kms_keys', { state: 'Enabled' })).toBeGreaterThan(0);
    expect(metrics.sum('hsm_kms_key_rotations_due')).toBe(0);
    expect(metrics.sum('hsm_kms_inventory_timestamp_seconds')).toBeGreaterThan(Date.now() / 1000 - 600);
  });

  test.each(['alerts.yaml', 'grafana-dashboard.json'])(
    'have everything that docs/observability/%s asks for',
    async (file) => {
      const asking = readFileSync(new URL(`../../docs/observability/${file}`, import.meta.url), 'utf8');
      const asked = new Set(asking.match(/\b(?:hsm_kms|process|nodejs)_[a-z0-9_]+/g));
      expect(asked.size).toBeGreaterThan(10);
      const { names } = await readMetrics(service);
      expect([...asked].filter((name) => !names.has(name))).toEqual([]);
    },
  );

  test('say nothing of keys and principals', async () => {
    const { KeyId } = await service.newKey();
    await encryptOften(KeyId, 2);
    const { text } = await readMetrics(service);
    expect(text).not.toMatch(/arn:|AKIA|administrator|[0-9a-f]{8}-[0-9a-f]{4}-/);
  });

  test('go on counting when one was killed', async () => {
    const { KeyId } = await service.newKey();
    await encryptOften(KeyId, 10);
    const count = (metrics: ReadMetrics) => metrics.sum(requests, { operation: 'Encrypt', result: 'ok' }) as number;
    const before = count(await readMetrics(service));
    process.kill(service.workers[0] as number, 'SIGKILL');
    const crashed = { reason: 'crashed' };
    const killed = await metricsOnce(
      service,
      (metrics) =>
        metrics.sum('hsm_kms_worker_replacements_total', crashed) === 1 &&
        metrics.sum('hsm_kms_workers', { state: 'ready' }) === 2,
    );
    expect(killed.sum('hsm_kms_worker_replacements_total', crashed)).toBe(1);
    expect(count(killed)).toBe(before);
  });

  test('are told together when one of them hangs', async () => {
    const count = (metrics: ReadMetrics) => metrics.sum(requests, { operation: 'Encrypt', result: 'ok' });
    const before = await readMetrics(service);
    const [hanging] = service.workers;
    process.kill(hanging as number, 'SIGSTOP');
    try {
      // until the supervisor has noticed, it gives it connections, too
      await until('it is missed', async () => {
        const signal = AbortSignal.timeout(5_000);
        const answer = await fetch(`${service.url}/metrics`, { headers: { connection: 'close' }, signal }).catch(
          () => undefined,
        );
        if (answer === undefined) return false;
        const metrics = new ReadMetrics(await answer.text());
        expect(count(metrics)).toBe(count(before));
        return metrics.sum('hsm_kms_workers_not_answering') === 1;
      });
    } finally {
      process.kill(hanging as number, 'SIGCONT');
    }
    const after = await metricsOnce(service, (metrics) => metrics.sum('hsm_kms_workers_not_answering') === 0);
    expect(count(after)).toBe(count(before));
  });

  test('tell it to programs on this machine only', async () => {
    const { port } = new URL(service.url);
    for (const headers of [
      { 'x-forwarded-for': '192.0.2.1' },
      { forwarded: 'for=192.0.2.1' },
      { host: 'attacker.example' },
    ]) {
      const { status, body } = await getMetrics(service, headers);
      expect([headers, status]).toEqual([headers, 403]);
      expect(body).toContain('HSM_KMS_METRICS');
    }
    expect((await getMetrics(service, { host: `localhost:${port}` })).status).toBe(200);
  });
});
