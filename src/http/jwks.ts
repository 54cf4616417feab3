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

/**
 * The public keys that their owners have published, for who verifies JWTs. Everybody may read them; of keys that are not
 * published nobody learns anything, not whether they exist.
 */
export class JwksPages {
  /** The page of all keys, and the keys that it was made of. */
  private all: { readonly of: PublishedJwks; readonly page: Page } | undefined;

  constructor(private readonly published: PublishedKeys) {}

  /** Answers a request that `isForJwks`. @throws what the store throws */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const jwks = await this.published.find();
    const path = pathOf(request);
    const page = path === jwksPath ? this.pageOfAll(jwks) : pageOfKey(jwks, path.split('/')[2] ?? '');
    if (page === undefined) return send(response, 404, 'application/json', notFound, { 'Cache-Control': 'no-store' });
    const { contentType, body, etag } = page;
    const headers = { 'Cache-Control': `public, max-age=${maxAge}`, ETag: etag };
    if (isKnown(request.headers['if-none-match'], etag)) response.writeHead(304, headers).end();
    else send(response, 200, contentType, body, headers);
  }

  private pageOfAll(jwks: PublishedJwks): Page {
    if (this.all?.of !== jwks) {
      this.all = { of: jwks, page: pageOf('application/jwk-set+json', { keys: [...jwks.values()] }) };
    }
    return this.all.page;
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

function pageOfKey(jwks: PublishedJwks, id: string): Page | undefined {
  const jwk = jwks.get(id);
  return jwk && pageOf('application/jwk+json', jwk);
}

/** @param contentType as RFC 7517 section 8.5 has it */
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
