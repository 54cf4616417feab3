import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type FaultyService, startOverFaultToken, whyNoFaultToken } from '../service/fault-token.js';
import { metricsOnce, readMetrics } from '../service/metrics.js';
import { refusalName } from '../service/refusal.js';

const Plaintext = Buffer.from('x');
const requests = 'hsm_kms_requests_total';

(whyNoFaultToken() ? describe.skip : describe)('a token that is gone', () => {
  let faulty: FaultyService;
  beforeAll(async () => {
    faulty = await startOverFaultToken({ workers: 2 });
  });
  afterAll(() => faulty?.end());

  test('shows, and that it is back', async () => {
    const { service, fault } = faulty;
    const { KeyId } = await service.newKey();
    const own = { token: 'own' };
    const there = await readMetrics(service);
    expect(there.sum('hsm_kms_token_reachable', own)).toBe(1);
    expect(there.sum('hsm_kms_token_losses_total', own)).toBe(0);
    await fault.pullOut();
    await metricsOnce(service, (metrics) => metrics.sum('hsm_kms_token_reachable', own) === 0);
    await fault.putBack();
    const found = await metricsOnce(service, (metrics) => metrics.sum('hsm_kms_token_reachable', own) === 1);
    expect(found.sum('hsm_kms_token_recoveries_total', own)).toBe(found.sum('hsm_kms_token_losses_total', own));
    expect(found.sum('hsm_kms_token_recoveries_total', own)).toBeGreaterThan(0);
    const losses = found.sum('hsm_kms_token_losses_total', own) as number;
    await fault.pullOut();
    const gone = await metricsOnce(service, (metrics) => metrics.sum('hsm_kms_token_losses_total', own) === losses + 2);
    expect(gone.sum('hsm_kms_token_reachable', own)).toBe(0);
    expect(gone.sum('hsm_kms_token_losses_total', own)).toBe(losses + 2);
    expect(await refusalName(service.kms.encrypt({ KeyId, Plaintext }))).toBe('KMSInternalException');
    const refused = await readMetrics(service);
    expect(refused.sum('hsm_kms_token_unavailable_calls_total', own)).toBeGreaterThan(0);
    expect(refused.sum('hsm_kms_token_lost_seconds', own)).toBeGreaterThan(0);
    expect(refused.sum(requests, { operation: 'Encrypt', result: 'KMSInternalException' })).toBe(1);
    // those that take their place have no token to count for, and say that
    for (const worker of service.workers) process.kill(worker, 'SIGKILL');
    const waiting = await metricsOnce(service, (metrics) => metrics.sum('hsm_kms_workers', { state: 'waiting' }) === 2);
    expect(waiting.sum('hsm_kms_token_reachable', own)).toBe(0);
    expect(waiting.sum(requests, { operation: 'Encrypt', result: 'KMSInternalException' })).toBe(1);
    expect(await refusalName(service.kms.encrypt({ KeyId, Plaintext }))).toBe('KMSInternalException');
    await fault.putBack();
    const back = await metricsOnce(service, (metrics) => metrics.sum('hsm_kms_workers', { state: 'ready' }) === 2);
    expect(back.sum(requests, { operation: 'Encrypt', result: 'KMSInternalException' })).toBe(2);
    expect(back.sum('hsm_kms_token_losses_total', own)).toBe(losses + 2);
    expect(back.sum('hsm_kms_token_reachable', own)).toBe(1);
    expect(back.sum('hsm_kms_token_lost_seconds', own)).toBe(0);
  });
});
