import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { Server } from 'node:http';
import { Server as SecureServer } from 'node:https';
import { type Logger, pino } from 'pino';
import { AccessKeyUses } from '../authorization/access-key-uses.js';
import { ClientCertificates } from '../authorization/client-certificates.js';
import type { Identities } from '../authorization/identities.js';
import { Sessions } from '../authorization/sessions/sessions.js';
import { allQuotas } from '../config/aws-request-quotas.js';
import type { Settings } from '../config/settings.js';
import { createHttpServer } from '../http/app.js';
import { SigV4Verifier } from '../http/sigv4/verifier.js';
import { Capabilities } from '../keys/capabilities.js';
import { deleteDueKeys } from '../keys/due-deletions.js';
import { hasDueRotations, rotateDueKeys } from '../keys/due-rotations.js';
import type { Kms } from '../operations/kms.js';
import { RequestQuotas } from '../operations/request-quotas.js';
import { Leases } from '../store/leases.js';
import { Store } from '../store/store.js';
import { Sealer } from '../token/sealing.js';
import { composeKms } from './compose-kms.js';
import { dataDirectory, isInitialised } from './data-directory.js';
import { openOwnToken } from './own-token.js';
import { type ScheduledTask, schedule } from './schedule.js';
import { tlsServerOptions } from './tls-files.js';
import { keepTlsRenewed } from './tls-renewal.js';
import { expectTokenOfData } from './token-of-data.js';

/** How long a worker may hold the login to a custom key store that another has disconnected, in milliseconds. */
const keyStoreMilliseconds = 1_000;

/** A worker that answers requests. */
export interface Worker {
  readonly address: { readonly host: string; readonly port: number };
  /** Reads the TLS files again; what cannot be used is logged, and the old is kept. */
  renewTls(): void;
  /** Takes no new connections, finishes what is under way, and ends. */
  stop(): Promise<void>;
}

/** Opens token and store, probes the token and listens. @throws Error that says what to do */
export async function startWorker(settings: Settings): Promise<Worker> {
  const log = pino({ level: settings.logLevel, base: { pid: process.pid } }, pino.destination(2));
  const directory = dataDirectory(settings);
  if (!isInitialised(directory)) {
    throw new Error(`The data directory ${directory.path} is not initialised. Type: hsm-kms init`);
  }
  const tls = tlsServerOptions(settings, (what) => log.warn(what));
  const token = openOwnToken(settings, directory, (what) => log.warn({ what }, 'the token was repaired'));
  const sealer = new Sealer(token);
  const store = Store.open(directory.database);
  await store.migrate();
  await expectTokenOfData(settings, { token, sealer, store });
  const capabilities = await Capabilities.probe(token, { allowSplit: settings.splitOaep });
  for (const line of capabilities.report()) log.debug(line, 'capability');

  const { kms, identities, keyStoreTokens } = composeKms(settings, {
    ...{ own: { token, capabilities }, store, sealer, log },
    requestQuotas: await requestQuotasOf(settings, log),
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
  const server = createHttpServer(
    {
      kms,
      sts: { home: kms.home, identities, sessions, now: kms.now },
      verifier: verifierFor('kms', [settings.region]),
      // clients that know nothing of Regions sign for STS's global endpoint, which is in us-east-1
      stsVerifier: verifierFor('sts', [settings.region, 'us-east-1']),
      unsignedPrincipal: settings.insecureNoAuth ? await unsignedPrincipal(identities) : undefined,
      clientCertificates: new ClientCertificates(settings.tlsClients),
      maxBodyBytes: settings.maxBodyBytes,
      log,
      isReady: async () => token.isHealthy() && (await isAnswering(store)),
    },
    tls,
  );
  const tlsRenewal = server instanceof SecureServer ? keepTlsRenewed(server, settings, log) : undefined;
  const stopSchedule = schedule(
    scheduledTasks(kms),
    new Leases(store, `${process.pid}-${randomUUID()}`),
    settings.scheduleMilliseconds,
    log,
  );
  const writeUses = setInterval(() => {
    uses.write().catch((error) => log.error({ err: error }, 'the last uses of keys cannot be written'));
    accessKeyUses.write().catch((error) => log.error({ err: error }, 'the last uses of access keys cannot be written'));
  }, settings.usesMilliseconds);
  const closeKeyStores = setInterval(() => {
    keyStoreTokens.closeDisconnected().catch((error) => log.error({ err: error }, 'key stores cannot be looked at'));
  }, keyStoreMilliseconds);
  await listen(server, settings);
  const address = server.address();
  const stop = async () => {
    tlsRenewal?.stop();
    await drain(server, settings.drainMilliseconds, log);
    clearInterval(writeUses);
    clearInterval(closeKeyStores);
    await stopSchedule();
    await uses.write();
    await accessKeyUses.write();
    await store.close();
  };
  const port = typeof address === 'object' && address ? address.port : settings.port;
  return { address: { host: settings.host, port }, renewTls: () => tlsRenewal?.renew(), stop };
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

/** What is done when its time has come, whichever worker finds it due. */
function scheduledTasks(kms: Kms): ScheduledTask[] {
  const { keys, tokens, imports, now } = kms;
  return [
    {
      name: 'key deletion',
      isDue: async () => (await keys.listDue('deletion_at', now())).length > 0,
      run: () => deleteDueKeys(keys, tokens, imports.wrappingKeys, now()),
    },
    {
      name: 'key rotation',
      isDue: () => hasDueRotations(keys, now()),
      run: () => rotateDueKeys(keys, tokens, now),
    },
    {
      name: 'expiry of imported key material',
      isDue: async () => (await imports.expiry.listDue(now())).length > 0,
      run: () => imports.expiry.carryOut(now()),
    },
    {
      name: 'destruction of import wrapping keys',
      isDue: async () => (await imports.wrappingKeys.listDue(now())).length > 0,
      run: () => imports.wrappingKeys.carryOutDue(now()),
    },
  ];
}

async function unsignedPrincipal(identities: Identities) {
  const administrator = await identities.firstAdministrator();
  if (administrator === undefined) throw new Error('There is no administrator to stand in for unsigned requests.');
  return administrator;
}

async function isAnswering(store: Store): Promise<boolean> {
  try {
    await store.db.selectFrom('leases').select('task').limit(1).execute();
    return true;
  } catch {
    return false;
  }
}

const whyNotListening: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program uses it. Set HSM_KMS_PORT to another port',
  EADDRNOTAVAIL: 'this machine has no such address. Set HSM_KMS_HOST to one that it has',
  EACCES: 'this user may not. Set HSM_KMS_PORT to a port from 1024 on',
  ENOTFOUND: 'nobody knows that name. Set HSM_KMS_HOST to an address of this machine',
};

async function listen(server: Server, { host, port }: Settings): Promise<void> {
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    const reason = whyNotListening[code] ?? message;
    throw new Error(`The address ${host}:${port} cannot be listened on: ${reason}.`, { cause: error });
  }
}

async function drain(server: Server, drainMilliseconds: number, log: Logger): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  // a connection that is kept alive becomes idle only when its request has been answered
  const idle = setInterval(() => server.closeIdleConnections(), 50);
  const late = setTimeout(() => {
    log.warn({ drainMilliseconds }, 'requests are still under way: their connections are closed');
    server.closeAllConnections();
  }, drainMilliseconds);
  await closed;
  clearInterval(idle);
  clearTimeout(late);
}
