import { z } from 'zod';

/** The settings of OpenTelemetry, by the names that they have there. */
interface OtelSettings {
  readonly otlpEndpoint: string | undefined;
  readonly otlpTracesEndpoint: string | undefined;
}

/** An address that may be shown: what is secret goes into OTEL_EXPORTER_OTLP_HEADERS, which the exporter reads itself. */
export const otlpUrl = z
  .string()
  .refine(isWebAddress, 'is not an address like http://127.0.0.1:4318')
  .refine(
    (text) => !isWebAddress(text) || new URL(text).username === '',
    'holds a user name: put credentials into OTEL_EXPORTER_OTLP_HEADERS',
  )
  .optional();

function isWebAddress(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}

export const tracesSampler = z
  .enum([
    'always_on',
    'always_off',
    'traceidratio',
    'parentbased_always_on',
    'parentbased_always_off',
    'parentbased_traceidratio',
  ])
  .default('parentbased_always_on');
export type TracesSampler = z.output<typeof tracesSampler>;

/** name=value,name=value; values are percent-encoded. */
export const resourceAttributesSetting = z
  .string()
  .refine(
    (text) => text.split(',').every((pair) => /^\s*[^=\s]+=/.test(pair)),
    'is not a list of names and values, as in deployment.environment=test,team=payments',
  )
  .optional();

/** What a resource is called besides its name. @param text as the setting has it */
export function resourceAttributes(text: string | undefined): Record<string, string> {
  const pairs = (text ?? '').split(',').map((pair) => pair.trim());
  return Object.fromEntries(
    pairs.filter(Boolean).map((pair) => {
      const place = pair.indexOf('=');
      return [pair.slice(0, place), decoded(pair.slice(place + 1))];
    }),
  );
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

/** Where traces are sent; undefined where nobody collects them. */
export function tracesUrl({ otlpEndpoint, otlpTracesEndpoint }: OtelSettings): string | undefined {
  if (otlpTracesEndpoint !== undefined) return otlpTracesEndpoint;
  return otlpEndpoint === undefined ? undefined : `${otlpEndpoint.replace(/\/+$/, '')}/v1/traces`;
}
