import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';
import type { LoadedSettings } from '../../config/load-settings.js';
import { jsonContentType } from '../../http/content-type.js';
import { type SigningCredentials, signRequest } from '../../http/sigv4/signer.js';
import { serviceUrl } from '../../server/readiness.js';
import { findCredentials } from './credentials.js';

/** How long an answer is waited for, in milliseconds: longer than a request may wait for a busy token. */
const answerMilliseconds = 30_000;

/** What tells a client of the service where it is, beside the settings. */
export interface ClientOptions {
  readonly endpointUrl?: string | undefined;
  readonly caBundle?: string | undefined;
}

/**
 * A client of the running service, as any other: what it asks for is signed, authorized, limited and audited. The SDK
 * would be many times the size of the few lines that this takes.
 */
export class KmsClient {
  private constructor(
    private readonly url: URL,
    private readonly region: string,
    private readonly credentials: SigningCredentials,
    private readonly ca: Buffer | undefined,
  ) {}

  /**
   * The client that options, AWS's environment variables and the settings describe, in this order.
   *
   * @throws Error that says what to set
   */
  static of({ settings, sources }: LoadedSettings, options: ClientOptions, environment: NodeJS.ProcessEnv): KmsClient {
    const { AWS_ENDPOINT_URL_KMS, AWS_ENDPOINT_URL, AWS_REGION, AWS_DEFAULT_REGION, AWS_CA_BUNDLE } = environment;
    const endpoint = options.endpointUrl || AWS_ENDPOINT_URL_KMS || AWS_ENDPOINT_URL;
    const region = sources.region === 'flag' ? undefined : AWS_REGION || AWS_DEFAULT_REGION;
    const bundle = options.caBundle || AWS_CA_BUNDLE;
    return new KmsClient(
      endpoint === undefined ? serviceUrl(settings) : parseEndpoint(endpoint),
      region || settings.region,
      findCredentials(settings.dataDir, environment),
      bundle ? readBundle(bundle) : undefined,
    );
  }

  /** The answer to a request. @throws Error with KMS's refusal, in the words of the AWS CLI */
  async call(operation: string, input: object): Promise<Readonly<Record<string, unknown>>> {
    const { status, body } = await this.send(operation, Buffer.from(JSON.stringify(input)));
    if (status === 200) return JSON.parse(body);
    const { name, message } = refusalOf(body);
    throw new Error(
      `An error occurred (${name ?? status}) when calling the ${operation} operation: ${message ?? body}`,
    );
  }

  private async send(operation: string, body: Buffer): Promise<{ status: number | undefined; body: string }> {
    const headers = {
      host: this.url.host,
      'content-type': jsonContentType,
      'x-amz-target': `TrentService.${operation}`,
    };
    const signed = signRequest({ region: this.region, service: 'kms', headers, body }, this.credentials);
    const options = { method: 'POST', path: '/', headers: signed, agent: false, timeout: answerMilliseconds } as const;
    const request =
      this.url.protocol === 'https:'
        ? https.request(this.url, { ...options, ...(this.ca && { ca: this.ca }) })
        : http.request(this.url, options);
    request.once('timeout', () => request.destroy(new Error(`no answer within ${answerMilliseconds / 1000} s`)));
    request.end(body);
    try {
      const [response] = (await once(request, 'response')) as [http.IncomingMessage];
      return { status: response.statusCode, body: await text(response) };
    } catch (error) {
      throw new Error(
        `The service at ${this.url.origin} does not answer: ${(error as Error).message}. Say where it is by --endpoint-url, as in http://127.0.0.1:8080.`,
        { cause: error },
      );
    }
  }
}

function readBundle(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new Error(`--ca-bundle takes a file that can be read: ${(error as Error).message}.`, { cause: error });
  }
}

function parseEndpoint(endpoint: string): URL {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url && /^https?:$/.test(url.protocol) && url.pathname === '/' && url.username === '') return url;
  throw new Error(`${JSON.stringify(endpoint)} is not the URL of the service, as in http://127.0.0.1:8080.`);
}

function refusalOf(body: string): { readonly name?: string; readonly message?: string } {
  try {
    // AWS's front end writes it with a capital, the operations without
    const { __type: name, message, Message } = JSON.parse(body);
    return { name, message: message ?? Message };
  } catch {
    return {};
  }
}
