import { randomUUID } from 'node:crypto';
import { Server as SecureServer, type ServerOptions } from 'node:https';
import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from 'pino';
import { AccessKeyUses } from '../authorization/access-key-uses.js';
import { ClientCertificates } from '../authorization/client-certificates.js';
import type { Identities } from '../authorization/identities.js';
import { Sessions } from '../authorization/sessions/sessions.js';
import { allQuotas } from '../config/aws-request-quotas.js';
import type { Settings } from '../config/settings.js';
import { createHttpServer } from '../http/app.js';
import type { MetricsPage } from '../http/metrics-page.js';
import type { ObservedRequest } from '../http/observed-request.js';
import { SigV4Verifier } from '../http/sigv4/verifier.js';
import type { Tracing } from '../http/tracing.js';
import { UnderWay } from '../http/under-way.js';
import { Capabilities } from '../keys/capabilities.js';
import { PublishedKeys } from '../keys/published-keys.js';
import { RequestQuotas } from '../operations/request-quotas.js';
import { Leases } from '../store/leases.js';
import type { Store } from '../store/store.js';
import { Sealer } from '../token/sealing.js';
import type { Token } from '../token/token.js';
import type { WorkerAudit } from './audit/worker-audit.js';
import { composeKms } from './compose-kms.js';
import { ReceivedConnections } from './received-connections.js';
import { schedule } from './schedule.js';
import { scheduledTasks } from './scheduled-tasks.js';
import { sealAlarm, watchSeals } from './seal-watch.js';
import { sealStore } from './sealed-store.js';
import { keepTlsRenewed } from './tls-renewal.js';
import { publishTokenState } from './token-meters.js';
import { expectTokenOfData } from './token-of-data.js';
import type { WorkerMetrics } from './worker-metrics.js';

/** How long a worker may hold the login to a custom key store that another has disconnected, in milliseconds. */
const keyStoreMilliseconds = 1_000;

/** How often it is looked whether the token is still there, in milliseconds. */
const tokenMilliseconds = 1_000;

/** How long the database has for an answer when somebody asks whether the service is ready, in milliseconds. */
const readinessMilliseconds = 2_000;

/** How long what is done at intervals has to end when the worker does, in milliseconds: token or database may be stuck. */
const endMilliseconds = 1_000;

/** A service whose token and store are open. It is given its connections. */
export interface Serving {
  readonly connections: ReceivedConnections;
  /** Reads the TLS files again; what cannot be used is logged, and the old is kept. */
  renewTls(): void;
  /**
   * Answers what is under way, and ends.
   *
   * @param idleMilliseconds see ReceivedConnections.drain
   * @param lastly when nothing is done any more; token and store are open
   */
  stop(idleMilliseconds: number, lastly: () => Promise<void>): Promise<void>;
}

interface ServingParts {
  readonly token: Token;
  readonly store: Store;
  readonly tls: ServerOptions | undefined;
  readonly log: Logger;
  /** Only a new process may reach a token again. */
  readonly stuck: () => void;
  readonly arrivals: { count: number };
  readonly counting: WorkerMetrics;
  readonly tracing: Tracing | undefined;
  readonly metricsPage: MetricsPage | undefined;
  readonly audit: WorkerAudit | undefined;
}

/** Probes the token and makes a server of it and the store. @throws Error that says what to do */
export async function startServing(
  settings: Settings,
  { token, store, tls, log, stuck, arrivals, counting, metricsPage, tracing, audit }: ServingParts,
): Promise<Serving> {
  const sealer = new Sealer(token);
  counting.watchStore(store, tracing?.record);
  await expectTokenOfData(settings, { token, sealer, store });
  const report = (what: string) => log.info(`made: ${what}`);
  const { families } = counting.metrics;
  await sealStore({ token, store }, report, sealAlarm({ log, families }));
  const capabilities = await Capabilities.probe(token, { allowSplit: settings.splitOaep });
  for (const line of capabilities.report()) log.debug(line, 'capability');
  // when the token is known to be well; on a full disk, or in a store that may not be changed, keys are used all the same
  await store.writeDownLast().catch((err) => {
    log.warn({ err }, 'the last change cannot be written down: nothing is kept in memory until the next one');
  });

  const { metrics } = counting;
  const requestQuotas = await requestQuotasOf(settings, log);
  counting.watchQuotas(requestQuotas);
  const { kms, identities, keyStoreTokens } = composeKms(settings, {
    ...{ own: { token, capabilities }, store, sealer, log },
    requestQuotas,
    stuck,
    metrics,
    tracing,
  });
  metrics.collect((families) => {
    for (const [clusterId, state] of keyStoreTokens.states()) publishTokenState(families, clusterId, state);
  });
  const { uses } = kms;
  const sessions = new Sessions(sealer, identities, kms.policies);
  const accessKeyUses = new AccessKeyUses(store);
  const verifierFor = (service: string, regions: string[]) =>
    new SigV4Verifier({
      regions,
      services: [service],
      findAccessKey: (accessKeyId, sessionToken) =>
        sessionToken === undefined ? identities.find(accessKeyId) : sessions.find(accessKeyId, sessionToken),
      onVerified: ({ accessKey, accessKeyId, service, region }) => {
        if (!accessKey.temporary) accessKeyUses.note(accessKeyId, service, region);
      },
      // the AWS SDK for PHP does not sign it, and it can only lead to a refusal here
      requireSignedContentType: false,
    });
  const underWay = new UnderWay<ObservedRequest>();
  const server = createHttpServer(
    {
      kms,
      sts: { home: kms.home, identities, sessions, now: kms.now },
      verifier: verifierFor('kms', [settings.region]),
      // clients that know nothing of Regions sign for STS's global endpoint, which is in us-east-1
      stsVerifier: verifierFor('sts', [settings.region, 'us-east-1']),
      unsignedPrincipal: settings.insecureNoAuth ? await unsignedPrincipal(identities) : undefined,
      clientCertificates: new ClientCertificates(settings.tlsClients),
      publishedKeys: settings.jwks ? new PublishedKeys(store, kms.keys) : undefined,
      maxBodyBytes: settings.maxBodyBytes,
      log,
      metrics,
      metricsPage,
      tracing,
      audit: audit?.requests,
      ...{ arrivals, underWay },
      whyNotReady: async () => {
        if (!token.isHealthy()) return 'the token does not answer';
        return (await isAnswering(store)) ? undefined : 'the database does not answer';
      },
    },
    tls,
  );
  const tlsRenewal = tls && server instanceof SecureServer ? keepTlsRenewed(server, tls, settings, log) : undefined;
  if (tlsRenewal) {
    metrics.collect(({ tlsExpiry }) => {
      tlsExpiry.at().value = tlsRenewal.expiresAt.getTime() / 1000;
    });
  }
  const stopSchedule = schedule(
    scheduledTasks(kms, audit?.tellOfKey ?? (() => {})),
    new Leases(store, `${process.pid}-${randomUUID()}`),
    settings.scheduleMilliseconds,
    log,
    metrics.families,
  );
  const stopSealWatch = watchSeals(settings, { token, log, families });
  const writeUses = async () => {
    await uses.write().catch((error) => log.error({ err: error }, 'the last uses of keys cannot be written'));
    await accessKeyUses
      .write()
      .catch((error) => log.error({ err: error }, 'the last uses of access keys cannot be written'));
  };
  const writingUses = setInterval(writeUses, settings.usesMilliseconds);
  const closeKeyStores = setInterval(() => {
    keyStoreTokens.closeDisconnected().catch((error) => log.error({ err: error }, 'key stores cannot be looked at'));
  }, keyStoreMilliseconds);
  const watchToken = setInterval(() => {
    token.watch();
    keyStoreTokens.watch();
  }, tokenMilliseconds);
  const connections = new ReceivedConnections(server);
  const stop = async (idleMilliseconds: number, lastly: () => Promise<void>) => {
    const { drainMilliseconds } = settings;
    const left = await connections.drain(idleMilliseconds, Math.max(drainMilliseconds, idleMilliseconds));
    if (left > 0) log.warn({ left, drainMilliseconds }, 'requests were still under way: their connections are closed');
    for (const request of underWay) request.interrupted();
    tlsRenewal?.stop();
    clearInterval(watchToken);
    stopSealWatch();
    clearInterval(writingUses);
    clearInterval(closeKeyStores);
    await Promise.race([stopSchedule().then(writeUses), wait(endMilliseconds)]);
    await lastly();
    await store.close();
  };
  return { connections, renewTls: () => tlsRenewal?.renew(), stop };
}

/** Undefined where nothing limits how often requests may come: then it costs nothing, not even loading. */
async function requestQuotasOf(
  { requestQuotas, region, workers }: Settings,
  log: Logger,
): Promise<RequestQuotas | undefined> {
  if (requestQuotas.length === 0) return undefined;
  const { countersOfSupervisor } = await import('./request-counters.js');
  return new RequestQuotas(allQuotas(requestQuotas, region), countersOfSupervisor(log), workers);
}

async function unsignedPrincipal(identities: Identities) {
  const administrator = await identities.firstAdministrator();
  if (administrator === undefined) throw new Error('There is no administrator to stand in for unsigned requests.');
  return administrator;
}

async function isAnswering(store: Store): Promise<boolean> {
  const answer = store.db.selectFrom('leases').select('task').limit(1).execute();
  const isAnswered = answer.then(
    () => true,
    () => false,
  );
  return Promise.race([isAnswered, wait(readinessMilliseconds, false, { ref: false })]);
}
