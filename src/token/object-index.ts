import { setImmediate as nextTurn } from 'node:timers/promises';
import type pkcs11 from 'pkcs11js';
import { type ObjectClass, objectClass, readAttributes, template } from './attributes.js';
import type { KeyObject } from './object-handles.js';
import { readWriteSession } from './session-pool.js';

/** An object that a token shows. */
export interface ShownObject extends KeyObject {
  readonly handle: pkcs11.Handle;
}

/** A key in the token, and what tells whose it is. */
export interface LabelledObject extends KeyObject {
  /** CKA_LABEL. */
  readonly label: string;
  /** CKA_SENSITIVE, and not CKA_EXTRACTABLE; true of public keys, which protect nothing. */
  readonly isProtected: boolean;
}

/** What is read of each object; undefined for what is no key, or was destroyed meanwhile. */
type ObjectReader<T> = (cryptoki: pkcs11.PKCS11, session: pkcs11.Handle, handle: pkcs11.Handle) => T | undefined;

const classOf: ReadonlyMap<number, ObjectClass> = new Map(
  Object.entries(objectClass).map(([name, number]) => [number, name as ObjectClass]),
);
/** How many handles are asked for at a time. */
const handlesAtOnce = 1_000;
/** How many objects are read in one turn of the event loop: a millisecond or two. */
const objectsPerTurn = 16;

/**
 * All keys in a token, read bit by bit so that nobody waits for it: searching each by its CKA_ID would take the token as
 * long as looking at all of them, each time (C_FindObjects is linear).
 *
 * @param goesOn asked now and then: false when nobody wants it any more
 * @param read what is wanted of each
 * @throws the token's error
 */
export async function listKeyObjects<T>(
  cryptoki: pkcs11.PKCS11,
  slot: pkcs11.Handle,
  goesOn: () => boolean,
  read: ObjectReader<T>,
): Promise<T[]> {
  const session = cryptoki.C_OpenSession(slot, readWriteSession);
  const found: T[] = [];
  try {
    const handles = findAll(cryptoki, session);
    for (let start = 0; start < handles.length; start += objectsPerTurn) {
      await nextTurn();
      if (!goesOn()) return [];
      for (const handle of handles.slice(start, start + objectsPerTurn)) {
        const shown = read(cryptoki, session, handle);
        if (shown) found.push(shown);
      }
    }
  } finally {
    if (goesOn()) cryptoki.C_CloseSession(session);
  }
  return found;
}

function findAll(cryptoki: pkcs11.PKCS11, session: pkcs11.Handle): pkcs11.Handle[] {
  const handles: pkcs11.Handle[] = [];
  cryptoki.C_FindObjectsInit(session, template({ CKA_TOKEN: true }));
  try {
    for (;;) {
      const more = cryptoki.C_FindObjects(session, handlesAtOnce);
      handles.push(...more);
      if (more.length < handlesAtOnce) return handles;
    }
  } finally {
    cryptoki.C_FindObjectsFinal(session);
  }
}

/** What it takes to find it again. */
export const readShown: ObjectReader<ShownObject> = (cryptoki, session, handle) => {
  try {
    const { CKA_CLASS, CKA_ID } = readAttributes(cryptoki, session, handle, ['CKA_CLASS', 'CKA_ID']);
    const known = classOf.get(CKA_CLASS);
    return known && { id: CKA_ID, class: known, handle };
  } catch {
    return undefined;
  }
};

/** What it takes to tell whose it is. */
export const readLabelled: ObjectReader<LabelledObject> = (cryptoki, session, handle) => {
  const shown = readShown(cryptoki, session, handle);
  if (shown === undefined) return undefined;
  const { id, class: kind } = shown;
  try {
    const { CKA_LABEL: label } = readAttributes(cryptoki, session, handle, ['CKA_LABEL']);
    if (kind === 'public') return { id, class: kind, label, isProtected: true };
    const guards = readAttributes(cryptoki, session, handle, ['CKA_SENSITIVE', 'CKA_EXTRACTABLE']);
    return { id, class: kind, label, isProtected: guards.CKA_SENSITIVE && !guards.CKA_EXTRACTABLE };
  } catch {
    return undefined;
  }
};
