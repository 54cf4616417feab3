import { createHmac, hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { KmsError } from '../../contract/kms-error.js';
import { checkCredentialScope, credentialScope, parseAuthorizationHeader } from './authorization-header.js';
import { checkSkew, parseRequestDate } from './request-date.js';
import { type CanonicalHeaders, canonicalHeaders, signedHeaderLines } from './signed-headers.js';
import { SigningKeyCache } from './signing-key.js';

/** What is verified of a request; node's IncomingMessage is one. */
export interface SignedRequest {
  readonly method?: string | undefined;
  /** The request target as received: path and query. */
  readonly url?: string | undefined;
  /** Name, value, name, value, as received. */
  readonly rawHeaders: readonly string[];
}

/** What the verifier needs of a key record; whose key it is stays with the caller's type. */
export interface AccessKey {
  /** Signing keys are cached by this object: keep one Buffer per record, and a new one when the secret changes. */
  readonly secretAccessKey: Buffer;
  /** Issued together with a session token, which FindAccessKey has checked. */
  readonly temporary?: boolean | undefined;
}

/**
 * Finds the record of an access key: at once from a cache, or later from the store; undefined if there is none that may
 * be used. The id is any string of 1 to 128 letters, digits and underscores.
 *
 * A session token (x-amz-security-token) is good only with the access key that it was issued with. Whoever issues
 * temporary credentials checks the token here, answers a record with `temporary`, and throws ExpiredTokenException for
 * one that is over. A long-term key that comes with a token, and a temporary one that comes without, are refused.
 */
export type FindAccessKey<K extends AccessKey> = (
  accessKeyId: string,
  sessionToken: string | undefined,
) => K | undefined | Promise<K | undefined>;

export interface SigV4VerifierOptions<K extends AccessKey> {
  /** Regions that a credential may be scoped to. */
  readonly regions: Iterable<string>;
  /** Services that a credential may be scoped to: `kms` unless told. With more than one, look at the result's. */
  readonly services?: Iterable<string>;
  /** Milliseconds since the epoch. */
  readonly clock?: () => number;
  readonly findAccessKey: FindAccessKey<K>;
  /** Told of each request that was verified: whose last use it is. */
  readonly onVerified?: (request: VerifiedRequest<K>) => void;
  /** Whether a received Content-Type must be signed: yes unless told. The AWS SDK for PHP never signs it. */
  readonly requireSignedContentType?: boolean;
}

/** Who signed a request, and what the signature is scoped to. */
export interface VerifiedRequest<K extends AccessKey> {
  readonly accessKey: K;
  readonly accessKeyId: string;
  readonly region: string;
  readonly service: string;
  /** The date signed, in milliseconds since the epoch. */
  readonly signedAt: number;
}

const ACCESS_KEY_ID = /^\w{1,128}$/;
const SIGNATURE = /^[0-9a-f]{64}$/;
const PRESIGNED = /[?&]x-amz-(?:algorithm|signature)(?:[=&]|$)/i;

/**
 * Verifies AWS Signature Version 4 in the Authorization header. Whatever it cannot make sense of, it refuses.
 *
 * @example
 * const verifier = new SigV4Verifier({ regions: ['us-east-1'], findAccessKey: (id) => accessKeys.get(id) });
 * const { accessKey, region } = await verifier.verify(incomingMessage, body);
 */
export class SigV4Verifier<K extends AccessKey> {
  readonly #regions: ReadonlySet<string>;
  readonly #services: ReadonlySet<string>;
  readonly #clock: () => number;
  readonly #findAccessKey: FindAccessKey<K>;
  readonly #onVerified: ((request: VerifiedRequest<K>) => void) | undefined;
  readonly #requireSignedContentType: boolean;
  readonly #signingKeys: SigningKeyCache;
  /** Stands in for the secret of an access key that does not exist, so that both take the same time. */
  readonly #decoySecret = randomBytes(40);

  constructor(options: SigV4VerifierOptions<K>) {
    this.#regions = new Set(options.regions);
    this.#services = new Set(options.services ?? ['kms']);
    this.#clock = options.clock ?? Date.now;
    this.#findAccessKey = options.findAccessKey;
    this.#onVerified = options.onVerified;
    this.#requireSignedContentType = options.requireSignedContentType ?? true;
    // Every scope that can pass, on both sides of midnight.
    this.#signingKeys = new SigningKeyCache(2 * this.#regions.size * this.#services.size);
  }

  /**
   * Verifies that a request was signed with an access key that exists, for this service, now, and arrived unchanged:
   * method, Host, every x-amz-* header, Content-Type and the body.
   *
   * @param request a request for `/`: any other path or query is refused
   * @param body the bytes received, before any parsing
   * @throws KmsError MissingAuthenticationTokenException, IncompleteSignatureException, InvalidSignatureException or
   * UnrecognizedClientException, and whatever findAccessKey throws
   * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
   */
  async verify(request: SignedRequest, body: Buffer): Promise<VerifiedRequest<K>> {
    const headers = canonicalHeaders(request.rawHeaders);
    const amzDate = headers.get('x-amz-date');
    const date = headers.get('date');
    const authorization = parseAuthorizationHeader(
      authorizationOf(request.url ?? '', headers),
      (amzDate ?? date) !== undefined,
    );
    const { accessKeyId, day, region, service, signedHeaders, signature } = authorization;
    const { time: signedAt, timestamp } = parseRequestDate(amzDate, date);
    checkSkew({ time: signedAt, timestamp }, this.#clock());
    const headerLines = signedHeaderLines(headers, signedHeaders, this.#requireSignedContentType);
    checkCredentialScope(authorization, this.#regions, this.#services, timestamp);
    if (!SIGNATURE.test(signature)) throw mismatch();

    const bodyHash = hash('sha256', body);
    // Refuses UNSIGNED-PAYLOAD and STREAMING-* too.
    if ((headers.get('x-amz-content-sha256') ?? bodyHash) !== bodyHash) {
      throw new KmsError(
        'InvalidSignatureException',
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
      );
    }
    const canonicalRequest = `${request.method}\n/\n\n${headerLines}\n${signedHeaders}\n${bodyHash}`;
    // latin1: node made a character of every byte received, and the client signed bytes (UTF-8, as a rule).
    const canonicalHash = hash('sha256', Buffer.from(canonicalRequest, 'latin1'));
    const scope = credentialScope(day, region, service);
    const stringToSign = `AWS4-HMAC-SHA256\n${timestamp}\n${scope}\n${canonicalHash}`;

    const accessKey = await this.#lookUp(accessKeyId, headers.get('x-amz-security-token'));
    const secret = accessKey?.secretAccessKey ?? this.#decoySecret;
    const signingKey = this.#signingKeys.get(secret, day, region, service);
    const expected = createHmac('sha256', signingKey).update(stringToSign).digest();
    const matches = timingSafeEqual(expected, Buffer.from(signature, 'hex'));
    if (accessKey === undefined) {
      throw new KmsError('UnrecognizedClientException', 'The security token included in the request is invalid.');
    }
    if (!matches) throw mismatch();
    const verified = { accessKey, accessKeyId, region, service, signedAt };
    this.#onVerified?.(verified);
    return verified;
  }

  async #lookUp(accessKeyId: string, sessionToken: string | undefined): Promise<K | undefined> {
    if (!ACCESS_KEY_ID.test(accessKeyId)) return undefined;
    const accessKey = await this.#findAccessKey(accessKeyId, sessionToken);
    // An empty secret would be a secret that everyone knows.
    if (accessKey === undefined || accessKey.secretAccessKey.length === 0) return undefined;
    return (accessKey.temporary ?? false) === (sessionToken !== undefined) ? accessKey : undefined;
  }
}

/** The Authorization header of a request for `/` that carries its signature there and nowhere else. */
function authorizationOf(url: string, headers: CanonicalHeaders): string {
  const authorization = headers.get('authorization');
  const presigned = PRESIGNED.test(url);
  if (presigned && authorization !== undefined) {
    throw new KmsError(
      'InvalidSignatureException',
      "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.",
    );
  }
  if (presigned) {
    throw new KmsError(
      'IncompleteSignatureException',
      "Presigned requests are not supported: sign in the 'Authorization' header.",
    );
  }
  if (authorization === undefined || !authorization.startsWith('AWS4-')) {
    throw new KmsError('MissingAuthenticationTokenException', 'Missing Authentication Token');
  }
  if (url !== '/') {
    throw new KmsError('InvalidSignatureException', "Requests are signed for the path '/' without a query string.");
  }
  return authorization;
}

function mismatch(): KmsError {
  return new KmsError(
    'InvalidSignatureException',
    'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key ' +
      'and signing method. Consult the service documentation for details.',
  );
}
