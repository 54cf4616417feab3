import { createHash, randomBytes } from 'node:crypto';
import { pino } from 'pino';
import type { Settings } from '../../config/settings.js';
import { version } from '../../config/version.js';
import { attestationSourceOf } from '../../evidence/attestation-sources.js';
import {
  type AttestationFile,
  bundleFormat,
  type EvidenceBundle,
  type EvidencePayload,
  type KeyEvidence,
} from '../../evidence/bundle.js';
import { canonicalJson, type Json } from '../../evidence/canonical-json.js';
import { decideClaims } from '../../evidence/claims.js';
import { AliasRepository } from '../../keys/alias-repository.js';
import { AuditKey } from '../../keys/audit-key.js';
import { Capabilities } from '../../keys/capabilities.js';
import type { EvidenceKey } from '../../keys/evidence-key.js';
import type { KeyRecord } from '../../keys/key-record.js';
import { KeyRepository } from '../../keys/key-repository.js';
import { type Kms, resolveKey } from '../../operations/kms.js';
import type { Store } from '../../store/store.js';
import type { Token } from '../../token/token.js';
import { audited } from '../audit/command-audit.js';
import { composeKms } from '../compose-kms.js';
import { auditDirectory } from '../data-directory.js';
import { keyStoreTokenSettings, tokenWithoutPin } from '../token-settings.js';
import { evidenceCertificates } from './evidence-certificate.js';
import { ExaminedToken } from './examined-token.js';
import { examineEvidenceKey, examineKey } from './key-evidence.js';
import { keyHistories } from './key-histories.js';
import { newestCheckpoint } from './newest-checkpoint.js';
import type { Opened } from './opened.js';

/** What evidence is wanted of. */
export interface EvidenceRequest {
  /** Key ids, key ARNs, alias names, alias ARNs; undefined for all keys. */
  readonly keys: readonly string[] | undefined;
  /** Hexadecimal digits, of who will verify; undefined for one of the program's own. */
  readonly nonce: string | undefined;
  /** Vendors' attestations, by what names a key as above. */
  readonly attestations: ReadonlyMap<string, { readonly fileName: string; readonly content: Buffer }>;
  /** Told of each key that is done. */
  readonly progress: (done: number, of: number) => void;
}

/** Name of the service's own token in a bundle; a custom key store's is its CloudHsmClusterId. */
const ownToken = 'own';
const nonceBytes = 32;
/** From so many keys on, the token is listed once. */
const manyKeys = 32;
const page = 1_000;

/** The same, and the audit log has it: attempts are made on the keys. */
export function makeAuditedBundle(opened: Opened, request: EvidenceRequest): Promise<EvidenceBundle> {
  const { keys, nonce } = request;
  const event = {
    source: 'hsm-kms',
    name: 'CreateEvidence',
    parameters: { keys: keys ?? 'all', challenge: nonce ?? null },
    outcome: ({ payload }: EvidenceBundle) => ({
      responseElements: { madeAt: payload.madeAt, payloadSha256: digestOf(payload) },
      keys: payload.keys.flatMap(({ arn }) => arn ?? []),
    }),
  } as const;
  return audited(opened.settings, event, () => makeBundle(opened, request));
}

/** Of what the bundle's signature is over, in hex: tells which bundle it was. */
function digestOf(payload: EvidencePayload): string {
  return createHash('sha256').update(signedText(payload)).digest('hex');
}

/** RFC 8785's form; members that are undefined are none in JSON. */
function signedText(payload: EvidencePayload): string {
  return canonicalJson(JSON.parse(JSON.stringify(payload)) as Json);
}

/**
 * Evidence on keys, signed by the evidence key.
 *
 * @throws KmsError NotFoundException for a key that is not there; Error with a sentence; the token's error
 */
export async function makeBundle(opened: Opened, request: EvidenceRequest): Promise<EvidenceBundle> {
  const { settings, directory, token, store, sealer, evidenceKey } = opened;
  // what is asked wrongly is said before the token is tried
  const wanted = await wantedKeys(opened, request);
  const own = { token, capabilities: await Capabilities.probe(token, { allowSplit: settings.splitOaep }) };
  const { kms } = composeKms(settings, { own, store, sealer, log: pino({ level: 'silent' }) });
  // one that is made now must not be younger than what it signs
  const certificates = await evidenceCertificates(evidenceKey, token.identity, directory);
  const challenge = {
    nonce: request.nonce ?? randomBytes(nonceBytes).toString('hex'),
    madeAt: new Date().toISOString(),
  };
  const home = new ExaminedToken(own, tokenWithoutPin(settings, directory).module);
  const tokens = new Map([[ownToken, home]]);
  try {
    if (wanted.length >= manyKeys) await home.listAll();
    const histories = await keyHistories(auditDirectory(settings), new Set(wanted.map(({ key }) => key.id)));
    const keys: KeyEvidence[] = [];
    for (const { key, attestation } of wanted) {
      const [name, examined] = await tokenOf(kms, key, tokens, settings);
      const history = { token: name, grants: await grantsOf(store, key.id) };
      const findings = await examineKey(key, history, examined, challenge);
      keys.push({
        ...findings,
        history: histories?.get(key.id) ?? null,
        attestation: attestation ? attestedBy(examined, attestation) : null,
        claims: [],
      });
      request.progress(keys.length, wanted.length);
    }
    const evidence = await examineEvidenceKey(evidenceKey, ownToken, home, challenge);
    return await signedBundle(evidenceKey, {
      format: bundleFormat,
      program: version,
      madeAt: challenge.madeAt,
      challenge: { nonce: challenge.nonce, from: request.nonce === undefined ? 'program' : 'verifier' },
      tokens: Object.fromEntries([...tokens].map(([name, examined]) => [name, examined.evidence()])),
      certificates: certificates.map(({ raw }) => raw.toString('base64')),
      evidenceKey: { ...evidence, history: null, attestation: null, claims: [] },
      keys,
      auditCheckpoint: checkpointOf(settings, token),
    });
  } finally {
    for (const examined of tokens.values()) examined.end();
    for (const { key } of wanted) if (key.customKeyStoreId) kms.tokens.keyStores.disconnect(key.customKeyStoreId);
  }
}

type FileOfVendor = Pick<AttestationFile, 'fileName'> & { readonly content: Buffer };

/** A key that evidence is wanted of. */
interface WantedKey {
  readonly key: KeyRecord;
  readonly attestation: FileOfVendor | undefined;
}

/** Each key once. @throws KmsError NotFoundException; Error with a sentence */
async function wantedKeys({ settings, store }: Opened, request: EvidenceRequest): Promise<WantedKey[]> {
  const home = { region: settings.region, accountId: settings.accountId };
  const stored = {
    home,
    keys: new KeyRepository(store, home, settings.keysPerAccount),
    aliases: new AliasRepository(store, home, settings.aliasesPerKey),
  };
  const found = new Map<string, WantedKey>();
  for (const text of request.keys ?? (await allKeys(stored.keys))) {
    const key = await resolveKey(stored, text, true);
    found.set(key.id, { key, attestation: undefined });
  }
  for (const [text, attestation] of request.attestations) {
    const key = await resolveKey(stored, text, true);
    if (!found.has(key.id)) throw new Error(`The key ${text} of --attestation is none of those asked for.`);
    found.set(key.id, { key, attestation });
  }
  return [...found.values()];
}

function checkpointOf(settings: Settings, token: Token): EvidencePayload['auditCheckpoint'] {
  const newest = newestCheckpoint(auditDirectory(settings));
  const key = new AuditKey(token);
  if (newest === undefined || !key.isReady()) return null;
  return { ...newest, publicKey: key.describe().publicKey.toString('base64') };
}

/** Decides the claims, and has all of it signed. */
async function signedBundle(evidenceKey: EvidenceKey, undecided: EvidencePayload): Promise<EvidenceBundle> {
  const decided = (key: KeyEvidence): KeyEvidence => {
    const token = undecided.tokens[key.token];
    if (token === undefined) throw new Error(`the bundle has no token ${key.token}`);
    return { ...key, claims: decideClaims({ key, token, payload: undecided }) };
  };
  const payload = {
    ...undecided,
    evidenceKey: decided(undecided.evidenceKey),
    keys: undecided.keys.map(decided),
  };
  const signature = await evidenceKey.sign(Buffer.from(signedText(payload)));
  return { payload, signature: { algorithm: evidenceKey.describe().algorithm, value: signature.toString('base64') } };
}

async function allKeys(keys: KeyRepository): Promise<string[]> {
  const ids: string[] = [];
  for (;;) {
    const more = await keys.listIds(ids.at(-1) ?? '', page);
    ids.push(...more);
    if (more.length < page) return ids;
  }
}

/** The token that holds a key, and its name in the bundle. */
async function tokenOf(
  kms: Kms,
  key: KeyRecord,
  tokens: Map<string, ExaminedToken>,
  settings: Settings,
): Promise<[string, ExaminedToken]> {
  const name = key.customKeyStoreId === undefined ? ownToken : (key.cloudHsmClusterId ?? '');
  const known = tokens.get(name);
  if (known) return [name, known];
  const keyToken = await kms.tokens.of(key);
  const declaration = keyStoreTokenSettings(settings).get(name)?.();
  if (declaration === undefined) throw new Error(`The setting keyStores has no ${name}, which holds ${key.arn}.`);
  const examined = new ExaminedToken(keyToken, declaration.module);
  tokens.set(name, examined);
  return [name, examined];
}

async function grantsOf({ db }: Store, keyId: string): Promise<number> {
  const { count } = await db
    .selectFrom('grants')
    .select((row) => row.fn.countAll<number>().as('count'))
    .where('key_id', '=', keyId)
    .executeTakeFirstOrThrow();
  return Number(count);
}

function attestedBy(examined: ExaminedToken, { fileName, content }: FileOfVendor): AttestationFile {
  return {
    source: attestationSourceOf(examined.keyToken.token.identity).name,
    fileName,
    sha256: createHash('sha256').update(content).digest('hex'),
    content: content.toString('base64'),
  };
}
