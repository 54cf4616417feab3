import { expect, test } from '@jest/globals';
import { loadSettings } from '../../src/config/load-settings.js';
import { resourceAttributes, tracesUrl } from '../../src/config/otel.js';

test("OpenTelemetry's settings are read from the variables that it names", () => {
  const { settings, sources } = loadSettings({
    environment: {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318',
      OTEL_SERVICE_NAME: 'vault',
      OTEL_RESOURCE_ATTRIBUTES: 'team=a',
      OTEL_TRACES_SAMPLER: 'traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.25',
    },
  });
  expect(settings).toMatchObject({
    otlpEndpoint: 'http://collector:4318',
    otelServiceName: 'vault',
    otelResourceAttributes: 'team=a',
    otelTracesSampler: 'traceidratio',
    otelTracesSamplerArg: 0.25,
  });
  expect(sources.otlpEndpoint).toBe('environment');
  expect(() => loadSettings({ environment: { OTEL_EXPORTER_OTLP_ENDPOINT: 'collector' } })).toThrow(
    /OTEL_EXPORTER_OTLP_ENDPOINT: is not an address/,
  );
});

test.each([
  [undefined, undefined, undefined],
  ['http://a:4318', undefined, 'http://a:4318/v1/traces'],
  ['http://a:4318/otlp/', undefined, 'http://a:4318/otlp/v1/traces'],
  ['http://a:4318', 'http://b/traces', 'http://b/traces'],
])('endpoints %s and %s: %s', (otlpEndpoint, otlpTracesEndpoint, url) => {
  expect(tracesUrl({ otlpEndpoint, otlpTracesEndpoint })).toBe(url);
});

test.each([
  [undefined, {}],
  ['a=b', { a: 'b' }],
  ['a=b%2Cc, d=e=f ', { a: 'b,c', d: 'e=f' }],
  ['a=%', { a: '%' }],
])('resource attributes %s', (text, attributes) => {
  expect(resourceAttributes(text)).toEqual(attributes);
});
