import { version } from '../../../config/version.js';
import type { Destination } from './destination.js';

const answerMilliseconds = 10_000;
/** How OpenTelemetry numbers INFO. */
const informational = 9;
/** A collector that answers so will not take these records later either: others may be put right by its operator. */
const final: ReadonlySet<number> = new Set([400, 413, 422]);

/** A collector that takes logs by OTLP over HTTP, in JSON. */
export class OtlpDestination implements Destination {
  private readonly url: string;
  private readonly headers: Readonly<Record<string, string>>;

  constructor(
    url: URL,
    private readonly log: (what: string) => void,
  ) {
    const address = new URL(url.href.replace(/^otlp\+/, ''));
    if (address.pathname === '/') address.pathname = '/v1/logs';
    this.url = address.href;
    this.headers = { 'content-type': 'application/json', ...headersOf(process.env.OTEL_EXPORTER_OTLP_HEADERS) };
  }

  async send(lines: readonly string[]): Promise<void> {
    const response = await fetch(this.url, {
      method: 'POST',
      headers: this.headers,
      body: JSON.stringify(logsOf(lines)),
      signal: AbortSignal.timeout(answerMilliseconds),
    });
    await response.arrayBuffer();
    if (response.ok) return;
    if (!final.has(response.status)) throw new Error(`the collector answers ${response.status}`);
    this.log(`the collector answers ${response.status}: ${lines.length} lines are not sent`);
  }

  end(): void {}
}

/** ExportLogsServiceRequest, as JSON. */
function logsOf(lines: readonly string[]): object {
  const text = (key: string, stringValue: string) => ({ key, value: { stringValue } });
  const logRecords = lines.map((line) => {
    const [, time = ''] = /"(?:eventTime|time)":"([0-9TZ:.-]+)"/.exec(line) ?? [];
    const [, name = 'Checkpoint'] = /"eventName":"(\w+)"/.exec(line) ?? [];
    const timeUnixNano = `${Date.parse(time) || 0}000000`;
    const severity = { severityNumber: informational, severityText: 'INFO' };
    return { timeUnixNano, ...severity, body: { stringValue: line }, attributes: [text('event.name', name)] };
  });
  const resource = { attributes: [text('service.name', 'hsm-kms'), text('service.version', version)] };
  return { resourceLogs: [{ resource, scopeLogs: [{ scope: { name: 'hsm-kms.audit' }, logRecords }] }] };
}

/** name=value,name=value, percent-encoded: as OpenTelemetry has it. */
function headersOf(text = ''): Record<string, string> {
  const pairs = text.split(',').map((pair) => pair.split('=').map((part) => part.trim()));
  return Object.fromEntries(
    pairs.flatMap(([name = '', ...value]) => (name === '' ? [] : [[name, decodeURIComponent(value.join('='))]])),
  );
}
