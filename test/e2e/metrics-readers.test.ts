import { expect, test } from '@jest/globals';
import { getMetrics, metricsOnce } from '../service/metrics.js';
import { Service } from '../service/service.js';

test('nobody reads metrics that are off', async () => {
  const service = await Service.start({ flags: ['--metrics', 'off'] });
  try {
    const { status, body } = await getMetrics(service);
    expect(status).toBe(400);
    expect(body).toContain('UnknownOperationException');
  } finally {
    await service.end();
  }
});

test('everyone reads metrics that are for everyone; a worker tells at its end what nobody has asked for', async () => {
  const service = await Service.start({ flags: ['--metrics', 'everyone'] });
  try {
    expect((await getMetrics(service, { 'x-forwarded-for': '192.0.2.1' })).status).toBe(200);
    for (let index = 0; index < 10; index++) await service.kms.listKeys({});
    process.kill(service.supervisor, 'SIGHUP');
    await service.logged(/all workers have been replaced/);
    const metrics = await metricsOnce(service, (each) => each.sum('hsm_kms_workers', { state: 'leaving' }) === 0);
    expect(metrics.sum('hsm_kms_requests_total', { operation: 'ListKeys', result: 'ok' })).toBe(10);
    expect(metrics.sum('hsm_kms_worker_replacements_total', { reason: 'rolled' })).toBe(1);
  } finally {
    await service.end();
  }
});
