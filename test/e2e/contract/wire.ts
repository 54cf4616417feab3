import { once } from 'node:events';
import http from 'node:http';
import { contentType, signedHeaders } from '../../service/http.js';
import type { Credentials, Service } from '../../service/service.js';

/** An answer, taken apart. */
export interface Reply {
  readonly status: number;
  /** Name of the exception; undefined for an answer that is none. */
  readonly name: string | undefined;
  /** Undefined where there is none. */
  readonly message: string | undefined;
  readonly body: Readonly<Record<string, unknown>>;
}

/** One connection to a service, for thousands of requests one after the other. */
export class Wire {
  private readonly agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

  /** @param credentials who signs the requests; left out for a service that needs no signatures */
  constructor(
    private readonly service: Service,
    private readonly credentials?: Credentials,
  ) {}

  /** @param body JSON text, or what becomes one */
  async ask(operation: string, body: unknown): Promise<Reply> {
    const { hostname, port } = new URL(this.service.url);
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const unsigned = { 'content-type': contentType, 'x-amz-target': `TrentService.${operation}` };
    const headers = this.credentials
      ? await signedHeaders(this.service, operation, text, {}, this.credentials)
      : unsigned;
    const request = http.request({
      ...{ hostname, port, method: 'POST', agent: this.agent },
      headers: { ...headers, 'content-length': Buffer.byteLength(text) },
    });
    request.end(text);
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    let answer = '';
    for await (const chunk of response.setEncoding('utf8')) answer += chunk;
    const json = answer === '' ? {} : JSON.parse(answer);
    return {
      status: response.statusCode as number,
      name: json.__type,
      message: json.message ?? json.Message,
      body: json,
    };
  }

  end(): void {
    this.agent.destroy();
  }
}
