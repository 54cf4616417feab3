import { setImmediate as nextTurn } from 'node:timers/promises';
import type pkcs11 from 'pkcs11js';
import { type ObjectClass, objectClass, readAttributes, template } from './attributes.js';
import type { KeyObject } from './object-handles.js';
import { readWriteSession } from './session-pool.js';

/** An object that a token shows. */
export interface ShownObject extends KeyObject {
  readonly handle: pkcs11.Handle;
}

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
 * @throws the token's error
 */
export async function listKeyObjects(
  cryptoki: pkcs11.PKCS11,
  slot: pkcs11.Handle,
  goesOn: () => boolean,
): Promise<ShownObject[]> {
  const session = cryptoki.C_OpenSession(slot, readWriteSession);
  const found: ShownObject[] = [];
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

/** Undefined for what is no key, or was destroyed meanwhile. */
function read(cryptoki: pkcs11.PKCS11, session: pkcs11.Handle, handle: pkcs11.Handle): ShownObject | undefined {
  try {
    const { CKA_CLASS, CKA_ID } = readAttributes(cryptoki, session, handle, ['CKA_CLASS', 'CKA_ID']);
    const known = classOf.get(CKA_CLASS);
    return known && { id: CKA_ID, class: known, handle };
  } catch {
    return undefined;
  }
}
