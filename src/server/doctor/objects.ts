import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { ownerOf } from '../../keys/object-owners.js';
import { Leases } from '../../store/leases.js';
import type { Store } from '../../store/store.js';
import { type KeyObject, objectName } from '../../token/object-handles.js';
import type { LabelledObject } from '../../token/object-index.js';
import type { Token } from '../../token/token.js';
import { leaseMilliseconds } from '../schedule.js';
import { type Check, error, type Finding, orWell, some, warning } from './finding.js';
import type { Patient } from './patient.js';
import { type StoredKeys, type StoredMaterial, storedKeys } from './stored-keys.js';

/** The lease of who destroys objects. */
const repair = 'repair by the doctor';
/** How often it is looked whether an object that is being made has got its row, in milliseconds. */
const pause = 250;
/**
 * Longer than it takes from an object in the token to its row, besides a call that hangs: the transaction of another
 * process, in milliseconds.
 */
const busyMilliseconds = 15_000;
/** So much longer is waited before something is destroyed. */
const cautionOfRepair = 4;

/** Compares the token with the store, in both directions. */
export const objects: Check = {
  name: 'keys and objects',
  async examine(patient) {
    const { token, store } = await patient.tokenAndStore();
    const rowsBefore = await storedKeys(store);
    const shown = await token.labelledObjects();
    const strangers = shown.filter((object) => ownerOf(object).kind === 'stranger').length;
    const findings = [
      ...unreadable(patient, rowsBefore.unreadable),
      ...(await lostKeys(patient, token, store, rowsBefore.materials, shown)),
      ...withoutMaterial(rowsBefore.incomplete),
      ...unprotected(shown),
    ];
    // after what puts everything else in doubt
    findings.push(...(await orphans(patient, token, store, shown)));
    const also = strangers > 0 ? `; ${strangers} further objects are others' and none of its business` : '';
    return orWell(
      findings,
      `Each of ${rowsBefore.materials.size} key materials is in the token, and nothing that no row names${also}.`,
    );
  },
};

function unreadable(patient: Patient, ids: readonly string[]): Finding[] {
  if (ids.length === 0) return [];
  patient.doubts.push('rows of the database are not understood');
  return [
    error(
      `These key materials have ids that nothing in the token can have: ${some(ids)}.`,
      'put the database back from your back-up',
    ),
  ];
}

function withoutMaterial(ids: readonly string[]): Finding[] {
  if (ids.length === 0) return [];
  return [
    error(`These keys have no key material, and should: ${some(ids)}.`, 'put the database back from your back-up'),
  ];
}

function unprotected(shown: readonly LabelledObject[]): Finding[] {
  const open = shown.filter((object) => !object.isProtected && ownerOf(object).kind !== 'stranger');
  if (open.length === 0) return [];
  return [
    error(
      `These objects can leave the token (CKA_SENSITIVE, CKA_EXTRACTABLE): ${some(open.map(nameOf))}.`,
      'rotate or replace these keys: somebody has changed them, or the token has',
    ),
  ];
}

/** Rows whose objects the token does not show. */
async function lostKeys(
  patient: Patient,
  token: Token,
  store: Store,
  materials: ReadonlyMap<string, StoredMaterial>,
  shown: readonly LabelledObject[],
): Promise<Finding[]> {
  const names = new Set(shown.map(objectName));
  const missing = [...materials.values()].filter(
    (material) =>
      isExpected(material, patient.now) && !objectsOf(material).every((each) => names.has(objectName(each))),
  );
  if (missing.length === 0) return [];
  const lost = await settled(patient, store, missing, ({ id }, rows) => {
    const row = rows.materials.get(id);
    return row !== undefined && isExpected(row, new Date()) && !objectsOf(row).every((each) => token.has(each));
  });
  if (lost.length === 0) return [];
  patient.doubts.push('keys of the database are not in the token');
  const imported = lost.filter(({ isImported }) => isImported);
  const generated = lost.filter(({ isImported }) => !isImported);
  const keysOf = (of: readonly StoredMaterial[]) => some([...new Set(of.map(({ keyId }) => keyId))]);
  return [
    ...(generated.length > 0
      ? [
          error(
            `The token does not have the key material of these keys: ${keysOf(generated)}.`,
            'put the token back from its back-up: nothing else brings them back',
          ),
        ]
      : []),
    ...(imported.length > 0
      ? [
          error(
            `The token does not have the imported key material of these keys: ${keysOf(imported)}.`,
            'aws kms delete-imported-key-material, then import-key-material with the same material',
          ),
        ]
      : []),
  ];
}

/** False while a deletion is under way: objects go before their row. */
function isExpected({ present, isOwn, deletionAt, expiresAt }: StoredMaterial, now: Date): boolean {
  const ends = [deletionAt, expiresAt].filter((at) => at !== undefined);
  return present && isOwn && ends.every((at) => at > now.getTime());
}

function objectsOf({ id, isPair }: StoredMaterial): KeyObject[] {
  const ckaId = Buffer.from(id, 'hex');
  const classes = isPair ? (['private', 'public'] as const) : (['secret'] as const);
  return classes.map((each) => ({ id: ckaId, class: each }));
}

/** Objects of this service that no row names: half made, or half destroyed. */
async function orphans(
  patient: Patient,
  token: Token,
  store: Store,
  shown: readonly LabelledObject[],
): Promise<Finding[]> {
  const nameless = await settled(patient, store, shown.filter(isOurs), hasNoRow);
  const left = nameless.filter((object) => token.has(object));
  if (left.length === 0) return [];
  const keys = new Set(left.map(({ label }) => label));
  const what = `The token has ${left.length} objects that no row of the database names: ${some(left.map(nameOf))}.`;
  const [doubt] = patient.doubts;
  if (doubt !== undefined) return [warning(`${what} They are left alone, as ${doubt}.`)];
  const { mostOrphans } = patient.options;
  if (keys.size > mostOrphans) {
    return [
      warning(
        `${what} That is of more keys (${keys.size}) than crashes leave: the database may be older than the token.`,
        `put the newest database back; when you are sure that no client was told of them: hsm-kms doctor --repair --most-orphans ${keys.size}`,
      ),
    ];
  }
  return [warning(what, undefined, () => destroy(token, store, left))];
}

/** @returns what was destroyed, a line each. @throws Error when another doctor does it */
async function destroy(token: Token, store: Store, left: readonly LabelledObject[]): Promise<string[]> {
  // written to the end of the log: what a disk that failed has left there without confirming it is no commit any more
  const leases = new Leases(store, randomUUID());
  if (!(await leases.take(repair, leaseMilliseconds))) throw new Error('Another doctor does it.');
  try {
    const rows = await storedKeys(store);
    return left.flatMap((object) => {
      if (!hasNoRow(object, rows)) return [];
      token.destroy(object);
      return [`destroyed the ${nameOf(object)}`];
    });
  } finally {
    await leases.release(repair);
  }
}

function isOurs(object: LabelledObject): boolean {
  const { kind } = ownerOf(object);
  return kind === 'key' || kind === 'wrapping key';
}

function hasNoRow(object: LabelledObject, { materials, wrappingKeys }: StoredKeys): boolean {
  const id = object.id.toString('hex');
  return ownerOf(object).kind === 'key' ? !materials.get(id)?.present : !wrappingKeys.has(id);
}

/** Those of which something stays so: what a worker makes or destroys at the moment is over before. */
async function settled<T>(
  patient: Patient,
  store: Store,
  candidates: readonly T[],
  isSo: (candidate: T, rows: StoredKeys) => boolean,
): Promise<readonly T[]> {
  const end = performance.now() + settleMilliseconds(patient);
  for (let left = candidates; ; await wait(pause)) {
    const rows = await storedKeys(store);
    left = left.filter((candidate) => isSo(candidate, rows));
    if (left.length === 0 || performance.now() >= end) return left;
  }
}

/** How long what does not fit is watched. */
function settleMilliseconds({ isAlone, options, settings }: Patient): number {
  if (options.settleMilliseconds !== undefined) return options.settleMilliseconds;
  if (isAlone) return 0;
  const longest = settings.hangMilliseconds + busyMilliseconds;
  return options.repair ? longest * cautionOfRepair : longest;
}

/** For people. */
function nameOf(object: LabelledObject): string {
  return `${object.class} key ${object.id.toString('hex').slice(0, 16)}... labelled ${JSON.stringify(object.label)}`;
}
