import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { PublishedJwks, PublishedKeys } from '../keys/published-keys.js';

/** Where the keys of an issuer are looked for by convention. */
const jwksPath = '/.well-known/jwks.json';
/** Where a key is by itself. */
const jwkPaths = /^\/keys\/[^/]*\/jwk$/;

/** How long who has read a page may go on with it, in seconds. */
const maxAge = 300;
const notFound = '{"message":"No such key is published."}';

interface Page {
  readonly contentType: string;
  readonly body: string;
  readonly etag: string;
}

interface Pages {
  readonly of: PublishedJwks;
  readonly set: Page;
  readonly keys: ReadonlyMap<string, Page>;
}

/**
 * The public keys that their owners have published, for who verifies JWTs. Everybody may read them; of keys that are not
 * published nobody learns anything, not whether they exist.
 */
export class JwksPages {
  private pages: Pages | undefined;

  constructor(private readonly published: PublishedKeys) {}

  /** Answers a request that `isForJwks`. @throws what the store throws */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { set, keys } = await this.current();
    const path = pathOf(request);
    const page = path === jwksPath ? set : keys.get(path.split('/')[2] ?? '');
    if (page === undefined) return send(response, 404, 'application/json', notFound, { 'Cache-Control': 'no-store' });
    const { contentType, body, etag } = page;
    const headers = { 'Cache-Control': `public, max-age=${maxAge}`, ETag: etag };
    if (isKnown(request.headers['if-none-match'], etag)) response.writeHead(304, headers).end();
    else send(response, 200, contentType, body, headers);
  }

  private async current(): Promise<Pages> {
    const jwks = await this.published.find();
    if (this.pages?.of !== jwks) this.pages = pagesOf(jwks);
    return this.pages;
  }
}

/** Whether a request reads published keys. */
export function isForJwks(request: IncomingMessage): boolean {
  if (request.method !== 'GET' && request.method !== 'HEAD') return false;
  const path = pathOf(request);
  return path === jwksPath || jwkPaths.test(path);
}

function pathOf({ url = '' }: IncomingMessage): string {
  return url.split('?', 1)[0] ?? '';
}

/** As RFC 7517 section 8.5 calls them. */
function pagesOf(jwks: PublishedJwks): Pages {
  return {
    of: jwks,
    set: pageOf('application/jwk-set+json', { keys: [...jwks.values()] }),
    keys: new Map([...jwks].map(([id, jwk]) => [id, pageOf('application/jwk+json', jwk)])),
  };
}

function pageOf(contentType: string, content: object): Page {
  const body = JSON.stringify(content);
  return { contentType, body, etag: `"${createHash('sha256').update(body).digest('base64url')}"` };
}

/** Whether one of the entity tags in If-None-Match is the page's (RFC 9110 section 13.1.2). */
function isKnown(header: string | undefined, etag: string): boolean {
  const tags = (header ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.includes(etag) || tags.includes('*');
}

function send(
  response: ServerResponse,
  status: number,
  contentType: string,
  body: string,
  headers: Readonly<Record<string, string>>,
): void {
  response.writeHead(status, { 'Content-Type': contentType, 'Content-Length': Buffer.byteLength(body), ...headers });
  response.end(body);
}
