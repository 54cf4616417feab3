import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import type { Settings } from '../config/settings.js';
import { KmsError } from '../contract/kms-error.js';
import { AliasRepository } from '../keys/alias-repository.js';
import { Capabilities } from '../keys/capabilities.js';
import type { KeyRecord } from '../keys/key-record.js';
import { KeyRepository, StaleKeyError } from '../keys/key-repository.js';
import { makeKey } from '../operations/create-key.js';
import type { Kms } from '../operations/kms.js';
import type { Requester } from '../operations/operation.js';
import type { Store } from '../store/store.js';
import type { Sealer } from '../token/sealing.js';
import type { Token } from '../token/token.js';
import { composeKms } from './compose-kms.js';
import { Faults, type Seed, SeedError, type SeededKey } from './seed-file.js';
import { importSeededMaterial } from './seeded-material.js';

/** What keys are made in. */
interface Opened {
  readonly token: Token;
  readonly store: Store;
  readonly sealer: Sealer;
}

/** Where keys and aliases are looked up. */
type Present = Pick<Kms, 'keys' | 'aliases'>;

/** How often a key is looked at anew because it changed meanwhile. */
const attempts = 3;
/** No request: made by who runs the service, on this machine. */
const here = { ip: '127.0.0.1', secureTransport: false, userAgent: undefined, referer: undefined };

/**
 * Makes the keys and aliases of a seed that are missing, each key as CreateKey does: with its rotation and state in one
 * transaction, then its material where it is imported, then its aliases. What exists stays as it is, so that a seeding
 * that was interrupted is finished by the next. The first administrator is who makes them.
 *
 * @param report is told of each thing that was made
 * @throws SeedError, before anything is made, when a key or an alias exists and is another
 */
export async function seedKeys(
  settings: Settings,
  seed: Seed,
  { token, store, sealer }: Opened,
  report: (what: string) => void,
): Promise<void> {
  const home = { region: settings.region, accountId: settings.accountId };
  const incomplete = await incompleteKeys(seed, {
    keys: new KeyRepository(store, home, settings.keysPerAccount),
    aliases: new AliasRepository(store, home, settings.aliasesPerKey),
  });
  if (incomplete.length === 0) return;
  // from here on as in a worker; a start that has nothing to make is spared the probe of the token
  const log = pino({ level: settings.logLevel, base: { pid: process.pid } }, pino.destination(2));
  const own = { token, capabilities: await Capabilities.probe(token, { allowSplit: settings.splitOaep }) };
  const { kms, identities } = composeKms(settings, { own, store, sealer, log });
  const principal = await identities.firstAdministrator();
  if (principal === undefined) throw new SeedError(`${seed.file}: there is no administrator who could make the keys.`);
  const requester = { principal, source: here, requestId: randomUUID() };
  for (const seeded of incomplete) {
    try {
      await untilUnchanged(() => complete(kms, requester, seeded, report));
    } catch (error) {
      throw new SeedError(`${seed.file}: ${seeded.at}: ${reasonOf(error)}`, { cause: error });
    } finally {
      seeded.material?.fill(0);
    }
  }
}

/** The keys of which something is missing. @throws SeedError when a key or an alias is another one */
async function incompleteKeys({ file, keys }: Seed, present: Present): Promise<SeededKey[]> {
  const faults = new Faults(file);
  const incomplete: SeededKey[] = [];
  for (const seeded of keys) {
    const key = await present.keys.find(seeded.id);
    if (key && !isSameKind(key, seeded)) faults.add(seeded.at, `${differenceOf(key, seeded)} Nothing was changed.`);
    let isComplete = key !== undefined && !waitsForMaterial(key, seeded);
    for (const [index, name] of seeded.aliases.entries()) {
      const alias = await present.aliases.find(name);
      if (alias === undefined) isComplete &&= key !== undefined && isGoing(key);
      else if (alias.keyId !== seeded.id) {
        faults.add(`${seeded.at}.Aliases[${index}]`, `${name} names the key ${alias.keyId}. Nothing was changed.`);
      }
    }
    if (!isComplete) incomplete.push(seeded);
  }
  faults.throwIfAny();
  return incomplete;
}

/** Tries again when another process that seeds the same store has been faster. */
async function untilUnchanged(work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const isOvertaken =
        error instanceof StaleKeyError || (error instanceof KmsError && error.name === 'AlreadyExistsException');
      if (!isOvertaken || attempt === attempts) throw error;
    }
  }
}

/** Makes what is missing of one key. @throws KmsError, StaleKeyError, TokenError, SelfTestError, SeedError */
async function complete(kms: Kms, requester: Requester, seeded: SeededKey, report: (what: string) => void) {
  const { id, aliases, material } = seeded;
  const key = (await kms.keys.find(id)) ?? (await newKey(kms, requester, seeded, report));
  if (!isSameKind(key, seeded)) throw new SeedError(differenceOf(key, seeded));
  if (material && waitsForMaterial(key, seeded)) {
    await importSeededMaterial(kms, key, material);
    report(`the material of the key ${id}, imported`);
  }
  if (isGoing(key)) return;
  for (const name of aliases) {
    if ((await kms.aliases.find(name))?.keyId === id) continue;
    await kms.aliases.create(name, id, kms.now());
    report(`${name} for the key ${id}`);
  }
}

async function newKey(
  kms: Kms,
  requester: Requester,
  seeded: SeededKey,
  report: (what: string) => void,
): Promise<KeyRecord> {
  const { id, request, enabled, rotationPeriodDays } = seeded;
  await makeKey(kms, requester, request, { id, enabled, rotationPeriodDays });
  report(`the key ${id} (${seeded.spec})`);
  const key = await kms.keys.find(id);
  if (key === undefined) throw new SeedError(`the key ${id} was deleted meanwhile.`);
  return key;
}

const originOf = ({ request }: SeededKey) => request.Origin ?? 'AWS_KMS';

function isSameKind(key: KeyRecord, seeded: SeededKey): boolean {
  return key.spec === seeded.spec && key.usage === seeded.usage && key.origin === originOf(seeded);
}

function differenceOf({ id, spec, usage, origin }: KeyRecord, seeded: SeededKey): string {
  const other = `${seeded.spec}, ${seeded.usage}, Origin ${originOf(seeded)}`;
  return `the key ${id} exists as ${spec}, ${usage}, Origin ${origin}, and not as ${other}.`;
}

/** Material that was imported and deleted again stays deleted. */
function waitsForMaterial(key: KeyRecord, { material }: SeededKey): boolean {
  return material !== undefined && key.state === 'PendingImport' && key.currentMaterial === undefined;
}

/** A key that is to be deleted gets no alias. */
function isGoing({ state }: KeyRecord): boolean {
  return state === 'PendingDeletion';
}

/** For who runs the service. */
function reasonOf(error: unknown): string {
  if (!(error instanceof KmsError)) return (error as Error).message;
  return error.clientMessage === undefined ? `it was refused: ${error.name}.` : `${error.name}: ${error.message}`;
}
