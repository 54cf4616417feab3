import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { call } from '../service/http.js';
import { hsmKms, Service } from '../service/service.js';
import { type ReceivedSpan, TraceReceiver } from '../service/trace-receiver.js';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';
const secret = 'plaintext-that-nobody-is-to-see';
const Plaintext = Buffer.from(secret).toString('base64');

describe('where traces are collected', () => {
  let receiver: TraceReceiver;
  let service: Service;
  let KeyId: string;
  let spans: readonly ReceivedSpan[];
  let requestId: string;
  let log: string[];
  beforeAll(async () => {
    receiver = await TraceReceiver.start();
    const naming = [
      '--otel-service-name',
      'vault',
      '--otel-resource-attributes',
      'deployment.environment=test,team=a%20b',
    ];
    service = await Service.start({ flags: ['--otlp-endpoint', `${receiver.url}/`, ...naming] });
    ({ KeyId } = await service.newKey());
    const input = { KeyId, Plaintext, EncryptionContext: { tenant: 'context-value' } };
    const answer = await call(service, 'Encrypt', input, { traceparent: `00-${traceId}-${spanId}-01` });
    expect(answer.status).toBe(200);
    requestId = answer.headers['x-amzn-requestid'] as string;
    // whoever asks does not want it traced
    await call(service, 'ListKeys', {}, { traceparent: `00-${traceId}-${spanId}-00` });
    await call(service, 'DescribeKey', { KeyId: 'alias/none' }, { traceparent: `00-${traceId}-${spanId}-01-more` });
    log = await service.logged(new RegExp(requestId));
    // what is left is sent at the end
    expect(await service.stop()).toBe(0);
    spans = receiver.spans;
  });
  afterAll(async () => {
    await service?.end();
    receiver?.end();
  });

  const named = (name: string) => spans.filter((span) => span.name === name);
  const ofEncrypt = () => spans.filter((span) => span.traceId === traceId);

  test('they come to the path for traces, and say which service it is', () => {
    expect([...receiver.paths.keys()]).toEqual(['/v1/traces']);
    expect(spans[0]?.resource).toMatchObject({
      'service.name': 'vault',
      'service.version': expect.any(String),
      'deployment.environment': 'test',
      team: 'a b',
    });
  });

  test("a request is a span in its client's trace", () => {
    const [span, ...others] = named('KMS.Encrypt');
    expect(others).toEqual([]);
    expect(span).toMatchObject({
      ...{ traceId, parentSpanId: spanId, kind: 2, status: 0 },
      attributes: {
        'http.request.method': 'POST',
        'http.response.status_code': 200,
        'rpc.system': 'aws-api',
        'rpc.service': 'KMS',
        'rpc.method': 'Encrypt',
        'aws.request_id': requestId,
      },
    });
    expect(JSON.parse(log[0] as string)).toMatchObject({ traceId, operation: 'Encrypt', result: 'ok' });
  });

  test('its parts are in it, and the calls of the token in them', () => {
    const [request] = named('KMS.Encrypt');
    const partsOf = (parent: ReceivedSpan | undefined) =>
      ofEncrypt()
        .filter(({ parentSpanId }) => parentSpanId === parent?.spanId)
        .map(({ name }) => name);
    expect(partsOf(request)).toEqual(expect.arrayContaining(['authentication', 'authorization', 'operation']));
    const operation = ofEncrypt().find(({ name }) => name === 'operation');
    expect(partsOf(operation)).toEqual(expect.arrayContaining(['C_EncryptInit', 'C_Encrypt']));
    const [encryption] = ofEncrypt().filter(({ name }) => name === 'C_Encrypt');
    expect(encryption).toMatchObject({ kind: 3, attributes: { 'hsm_kms.token': 'own' } });
    for (const each of ofEncrypt()) expect(each.milliseconds).toBeLessThanOrEqual((request?.milliseconds ?? 0) + 1);
    // whatever was read for it
    expect(ofEncrypt().some(({ name }) => name.startsWith('store '))).toBe(true);
  });

  test("a client's mistake has its name, and is no error of the service", () => {
    const [span] = named('KMS.DescribeKey');
    expect(span).toMatchObject({ status: 0, attributes: { 'error.type': 'NotFoundException' } });
    // a header that is not as W3C has it is as good as none
    expect(span?.traceId).not.toBe(traceId);
    expect(span?.parentSpanId ?? '').toBe('');
  });

  test('what a client does not want traced is not', () => {
    expect(named('KMS.ListKeys')).toEqual([]);
  });

  test('nothing of keys, principals, plaintexts and contexts is in them', () => {
    for (const each of [secret, Plaintext, 'context-value', 'tenant', KeyId, 'administrator', 'AKIA']) {
      expect([each, receiver.text.includes(each)]).toEqual([each, false]);
    }
  });
});

test('a collector that refuses or hangs holds nobody up', async () => {
  const receiver = await TraceReceiver.start();
  receiver.manner = 'refuses';
  const service = await Service.start({ flags: ['--otlp-traces-endpoint', `${receiver.url}/here`] });
  try {
    const { KeyId } = await service.newKey();
    // an export takes ten seconds to fail: nobody waits for so many
    const encryptOften = async () => {
      for (let index = 0; index < 50; index++) await service.kms.encrypt({ KeyId, Plaintext: Buffer.from('x') });
    };
    await encryptOften();
    await service.logged(/traces cannot be sent/);
    expect([...receiver.paths.keys()]).toEqual(['/here']);
    receiver.manner = 'hangs';
    await encryptOften();
    expect(await service.stop()).toBe(0);
  } finally {
    await service.end();
    receiver.end();
  }
});

test.each([
  ['--otlp-endpoint', 'collector:4317', 'is not an address'],
  ['--otlp-endpoint', 'http://user:password@127.0.0.1', 'OTEL_EXPORTER_OTLP_HEADERS'],
  ['--otel-traces-sampler', 'sometimes', 'always_on'],
  ['--otel-traces-sampler-arg', '2', ''],
  ['--otel-resource-attributes', 'x', 'deployment.environment=test'],
])('%s %s is refused with what it takes', async (flag, value, words) => {
  const { code, output } = await hsmKms('config', flag, value);
  expect(code).toBe(1);
  expect(output).toContain(flag);
  expect(output).toContain(words);
  expect(output).not.toContain('password');
});
