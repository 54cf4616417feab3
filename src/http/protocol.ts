import type { IncomingMessage } from 'node:http';
import type { Logger } from 'pino';
import type { RequestAudit } from '../audit/request-audit.js';
import type { ClientCertificates } from '../authorization/client-certificates.js';
import type { AccessKey } from '../authorization/identities.js';
import type { Principal } from '../authorization/principal.js';
import { KmsError } from '../contract/kms-error.js';
import type { PublishedKeys } from '../keys/published-keys.js';
import type { Metrics } from '../metrics/metrics.js';
import type { Kms } from '../operations/kms.js';
import type { Sts } from '../sts/sts.js';
import type { MetricsPage } from './metrics-page.js';
import type { ObservedRequest } from './observed-request.js';
import type { SigV4Verifier } from './sigv4/verifier.js';
import type { Tracing } from './tracing.js';
import type { UnderWay } from './under-way.js';

/** What HTTP needs of the rest of the service. */
export interface HttpServices {
  readonly kms: Kms;
  readonly sts: Sts;
  readonly verifier: SigV4Verifier<AccessKey>;
  /** Of requests to STS, whose signatures are scoped to another service. */
  readonly stsVerifier: SigV4Verifier<AccessKey>;
  /** Stands in for every caller when requests need no signature. */
  readonly unsignedPrincipal: Principal | undefined;
  /** Who may come in over which connection. */
  readonly clientCertificates: ClientCertificates;
  /** Undefined where none are published. */
  readonly publishedKeys: PublishedKeys | undefined;
  readonly maxBodyBytes: number;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Requests that have come since the process began. */
  readonly arrivals: { count: number };
  /** Requests that are being answered. */
  readonly underWay: UnderWay<ObservedRequest>;
  /** Undefined where no request is written down. */
  readonly audit: RequestAudit | undefined;
  /** Undefined where nobody collects traces. */
  readonly tracing: Tracing | undefined;
  /** Undefined where nobody may read them. */
  readonly metricsPage: MetricsPage | undefined;
  /** What does not answer, token or store; undefined when all is well. */
  readonly whyNotReady: () => Promise<string | undefined>;
}

/** How requests of one AWS service are read, and answered. */
export interface Protocol {
  readonly service: ObservedRequest['service'];
  readonly contentType: string;
  /** One request, from its headers and raw body to the text of its answer. @throws KmsError */
  answer(services: HttpServices, request: IncomingMessage, observed: ObservedRequest, body: Buffer): Promise<string>;
  /** What a client is told of an error of whatever sort. */
  refuse(error: unknown, requestId: string): RefusedReply;
}

/** What a client is told: of an error its name and message as well. */
export interface RefusedReply {
  readonly status: number;
  readonly name: string;
  readonly message: string | undefined;
  readonly body: string;
}

/** What is not in KMS's words is an internal error. */
export function asKmsError(error: unknown): KmsError {
  return error instanceof KmsError ? error : new KmsError('KMSInternalException', undefined, { cause: error });
}
