import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { auditForwardSetting } from './audit-forward.js';
import { databaseUrlSetting, withoutPassword } from './database-url.js';
import { keyStoresSetting } from './key-stores.js';
import { otlpUrl, resourceAttributesSetting, tracesSampler } from './otel.js';
import { pinVariable } from './pin-variable.js';
import { requestQuotasSetting } from './request-quotas.js';
import { tlsClientsSetting } from './tls-clients.js';
import { tokenChoiceSettings, usualTokenLabel } from './token-choice.js';
import { tokenProfileSetting } from './token-profile.js';

/** A setting: how it is checked, and what it means in one line. Its name elsewhere follows from its name here. */
interface Setting {
  readonly type: z.ZodType;
  readonly meaning: string;
  /** The environment variable, where it is not HSM_KMS_ and the name in capitals. */
  readonly environment?: string;
  /** What is shown of a value that may hold a secret. */
  readonly shown?: (value: string) => string;
}

const wholeNumber = (least: number, most: number) => z.coerce.number().int().min(least).max(most);
const truth = z.union([
  z.boolean(),
  z.enum(['true', 'false', '1', '0']).transform((text) => text === 'true' || text === '1'),
]);

/** Every setting of the service. Sources, strongest first: flags, environment, the YAML file, the default here. */
export const settingTable = {
  dataDir: {
    type: z.string().min(1).default('./data'),
    meaning: 'Directory of the database, the SoftHSM2 token, its PINs and the first credentials',
  },
  databaseUrl: {
    type: databaseUrlSetting,
    environment: 'DATABASE_URL',
    shown: withoutPassword,
    meaning:
      'PostgreSQL database for several nodes: postgres://USER@HOST:5432/DATABASE?sslmode=verify-full&sslrootcert=FILE; without it SQLite in the data directory',
  },
  databasePasswordFile: {
    type: z.string().min(1).optional(),
    meaning: 'File with the password of the PostgreSQL user; read at each connection',
  },
  databaseConnections: {
    type: wholeNumber(1, 100).default(4),
    meaning: 'Connections to PostgreSQL per worker; one more hears of changes',
  },
  databaseMigration: {
    type: z.enum(['automatic', 'explicit']).optional(),
    meaning:
      "Whether serve brings an older database's schema up to date, or hsm-kms migrate must; automatic for SQLite, explicit for PostgreSQL by default",
  },
  host: { type: z.string().min(1).default('127.0.0.1'), meaning: 'Address to listen on' },
  allowPlainHttp: {
    type: truth.default(false),
    meaning: 'Serve without TLS on an address that is not loopback: behind a proxy with TLS, or in a container',
  },
  port: { type: wholeNumber(0, 65535).default(8080), meaning: 'Port to listen on; 0 takes a free one' },
  tlsCertificateFile: {
    type: z.string().min(1).optional(),
    meaning: 'Certificate of the service, and what leads to its CA, in PEM: HTTPS instead of HTTP',
  },
  tlsKeyFile: {
    type: z.string().min(1).optional(),
    meaning: "The certificate's private key, in PEM, without a passphrase",
  },
  tlsClientCertificates: {
    type: z.enum(['none', 'optional', 'required']).default('none'),
    meaning: 'Whether clients are asked for certificates, and whether they are let in without',
  },
  tlsClientCaFile: {
    type: z.string().min(1).optional(),
    meaning: 'Certificates of the CAs, in PEM, whose client certificates are believed',
  },
  tlsClients: {
    type: tlsClientsSetting,
    meaning:
      'Which client certificates may act for which principals: a list of {fingerprint or commonName or subjectAltName, principals, sourceAddresses}; JSON outside the file',
  },
  region: {
    type: z
      .string()
      .regex(/^([a-z]+-){2,3}\d+$/, 'is not the name of an AWS Region, as in us-east-1')
      .default('us-east-1'),
    meaning: 'AWS Region that ARNs and signatures name',
  },
  accountId: {
    type: z.coerce
      .string()
      .regex(/^\d{12}$/, 'is not an AWS account id: 12 digits')
      .default('000000000000'),
    meaning: 'AWS account that owns all keys; in YAML in quotes',
  },
  workers: {
    type: wholeNumber(1, 256).default(availableParallelism()),
    meaning: 'Worker processes; as many as cores by default',
  },
  pkcs11Module: {
    type: z.string().min(1).optional(),
    meaning: 'PKCS#11 module (shared library); SoftHSM2, where the system has it, by default',
  },
  pkcs11Parameters: {
    type: z.string().min(1).optional(),
    meaning: "Text for the module's initialisation, for modules that take one: NSS's configdir='sql:DIR' ...",
  },
  tokenLabel: {
    type: tokenChoiceSettings.tokenLabel,
    meaning: `Label of the token that holds the keys; ${usualTokenLabel} where nothing else says which token it is`,
  },
  tokenSerial: { type: tokenChoiceSettings.tokenSerial, meaning: 'Serial number of the token; in YAML in quotes' },
  tokenUri: {
    type: tokenChoiceSettings.tokenUri,
    meaning: 'The token as a PKCS#11 URI (RFC 7512): pkcs11:token=...;serial=...?module-path=...&pin-source=file:...',
  },
  tokenProfile: {
    type: tokenProfileSetting,
    meaning:
      "What is special about the kind of token: a profile's name, or {like, gcmIv, calls, mostSessions, mostSessionCopies, refusedAttributes, unkeptAttributes, showsObjectsTwice}; JSON outside the file",
  },
  tokenPinFile: {
    type: z.string().min(1).optional(),
    meaning: `File with the token's user PIN; or the PIN in ${pinVariable}, or the data directory's own`,
  },
  tokenSessions: {
    type: wholeNumber(1, 512).default(8),
    meaning:
      'PKCS#11 sessions per worker for operations that take long (RSA, key generation); SoftHSM2 and NSS use no more than there are cores for',
  },
  tokenWaitMilliseconds: {
    type: wholeNumber(1, 600_000).default(10_000),
    meaning: 'How long a request waits for such a session before it is throttled, in milliseconds',
  },
  hangMilliseconds: {
    type: wholeNumber(1_000, 600_000).default(15_000),
    meaning:
      'How long a worker, or a call of the token in another thread, may be silent before it is taken to hang, in milliseconds; generating keys may take eight times as long',
  },
  workerGrowthMegabytes: {
    type: wholeNumber(0, 1_000_000).default(1024),
    meaning:
      'By how much the memory of a worker may grow, in MiB, before a new one takes its place, as at SIGHUP: PKCS#11 modules lose memory; 0 for any',
  },
  keyStores: {
    type: keyStoresSetting,
    meaning:
      'Further tokens for custom key stores: a list of {clusterId, tokenLabel or tokenSerial or tokenUri, pkcs11Module, pkcs11Parameters, tokenProfile}; JSON outside the file',
  },
  customKeyStoreQuota: {
    type: wholeNumber(0, 1000).default(10),
    meaning: 'How many custom key stores there may be',
  },
  splitOaep: {
    type: truth.default(true),
    meaning:
      'Allow what a token cannot do alone: OAEP padding outside it where it has raw RSA only, and imported key material that passes through the service',
  },
  maxBodyBytes: {
    type: wholeNumber(1024, 16 * 1024 * 1024).default(1024 * 1024),
    meaning: 'Largest request body, in bytes',
  },
  drainMilliseconds: {
    type: wholeNumber(0, 600_000).default(10_000),
    meaning: 'How long a stop waits for requests that are under way, in milliseconds',
  },
  scheduleMilliseconds: {
    type: wholeNumber(10, 3_600_000).default(10_000),
    meaning: 'How often due work is looked for (deletions, rotations, expiry), in milliseconds',
  },
  usesMilliseconds: {
    type: wholeNumber(10, 3_600_000).default(60_000),
    meaning: 'How often the last uses of keys are written, in milliseconds; what a crash loses of them is no older',
  },
  keysPerAccount: { type: wholeNumber(1, 10_000_000).default(100_000), meaning: 'How many keys there may be' },
  aliasesPerKey: { type: wholeNumber(1, 1_000_000).default(50), meaning: 'How many aliases a key may have' },
  grantsPerKey: { type: wholeNumber(1, 1_000_000).default(50_000), meaning: 'How many grants a key may have' },
  requestQuotas: {
    type: requestQuotasSetting,
    meaning:
      'How often requests may come: aws for the quotas that AWS publishes, or a list of {operations, keySpecs, principals, per, requests, seconds}; JSON outside the file',
  },
  seedFile: {
    type: z.string().min(1).optional(),
    meaning: 'YAML file of keys and aliases that init makes where they are missing',
  },
  insecureNoAuth: {
    type: truth.default(false),
    meaning: 'Answer unsigned requests as the first administrator; only on a loopback address, only for laboratories',
  },
  jwks: {
    type: truth.default(true),
    meaning:
      'Answer /.well-known/jwks.json and /keys/ID/jwk, to everyone, with the public keys that carry the tag hsm-kms:publish=jwks',
  },
  metrics: {
    type: z.enum(['loopback', 'everyone', 'off']).default('loopback'),
    meaning: 'Who may read /metrics: programs on this machine, everyone, or nobody',
  },
  otlpEndpoint: {
    type: otlpUrl,
    meaning: 'Where traces are sent by OTLP over HTTP, to the path /v1/traces of it; nowhere by default',
    environment: 'OTEL_EXPORTER_OTLP_ENDPOINT',
  },
  otlpTracesEndpoint: {
    type: otlpUrl,
    meaning: 'Where traces are sent, with its path; goes before the other',
    environment: 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
  },
  otelServiceName: {
    type: z.string().min(1).default('hsm-kms'),
    meaning: 'What the service is called in traces',
    environment: 'OTEL_SERVICE_NAME',
  },
  otelResourceAttributes: {
    type: resourceAttributesSetting,
    meaning: 'More that traces say of the service: name=value,name=value',
    environment: 'OTEL_RESOURCE_ATTRIBUTES',
  },
  otelTracesSampler: {
    type: tracesSampler,
    meaning: 'Which requests are traced: always_on, traceidratio, parentbased_traceidratio ...',
    environment: 'OTEL_TRACES_SAMPLER',
  },
  otelTracesSamplerArg: {
    type: z.coerce.number().min(0).max(1).default(1),
    meaning: 'The share of requests that are traced, for samplers that take one',
    environment: 'OTEL_TRACES_SAMPLER_ARG',
  },
  auditMode: {
    type: z.enum(['durable', 'buffered', 'off']).default('buffered'),
    meaning:
      'Whether requests are answered when their events are on the disk (durable), up to 50 ms before they are written (buffered), or nothing is written down (off)',
  },
  auditDirectory: {
    type: z.string().min(1).optional(),
    meaning: "Directory of the audit log's files; audit in the data directory by default",
  },
  auditFailOpen: {
    type: truth.default(false),
    meaning: 'Answer requests also while their events cannot be written; refused otherwise',
  },
  auditCheckpointSeconds: {
    type: z.coerce.number().min(0.1).max(86_400).default(60),
    meaning: 'How often what is new in the audit log is signed by the token, in seconds',
  },
  auditFileMegabytes: {
    type: z.coerce.number().min(0.001).max(4_096).default(64),
    meaning: 'Size at which a stream of the audit log goes on in a new file, in MiB',
  },
  auditFileHours: {
    type: z.coerce.number().min(0.0001).max(8_784).default(24),
    meaning: 'Age at which it does, in hours',
  },
  auditRetentionDays: {
    type: z.coerce.number().positive().optional(),
    meaning: 'Age at which files of the audit log are removed, in days; never by default',
  },
  auditRetentionMegabytes: {
    type: z.coerce.number().positive().optional(),
    meaning: 'Size of the audit log beyond which its oldest files are removed, in MiB; any by default',
  },
  auditForward: {
    type: auditForwardSetting,
    meaning:
      'Where copies of the audit log go, with commas: stdout, syslog+udp://HOST:514, syslog+tcp://HOST:601, syslog+unix:///PATH, otlp+http://HOST:4318 or otlp+https',
  },
  logLevel: {
    type: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
    meaning: 'Least level of what the service logs',
  },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof settingTable;
export type Settings = { readonly [N in SettingName]: z.output<(typeof settingTable)[N]['type']> };

export const settingNames = Object.keys(settingTable) as SettingName[];

/** HSM_KMS_DATA_DIR for dataDir; what others have named keeps its name. */
export function environmentName(name: SettingName): string {
  const { environment }: Setting = settingTable[name];
  return environment ?? `HSM_KMS_${name.replace(/[A-Z]/g, (capital) => `_${capital}`).toUpperCase()}`;
}

/** --data-dir for dataDir. */
export function flagName(name: SettingName): string {
  return `--${name.replace(/[A-Z]/g, (capital) => `-${capital.toLowerCase()}`)}`;
}

/** A setting's value for people: without the secrets that it may hold. */
export function shownValue(name: SettingName, value: unknown): unknown {
  const { shown }: Setting = settingTable[name];
  return shown !== undefined && typeof value === 'string' ? shown(value) : value;
}
