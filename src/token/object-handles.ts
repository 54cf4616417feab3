import type pkcs11 from 'pkcs11js';
import { type ObjectClass, objectClass, template } from './attributes.js';
import type { ShownObject } from './object-index.js';
import type { TokenProfile } from './profiles.js';
import { ObjectMissingError } from './return-values.js';

/** A key object in the token. */
export interface KeyObject {
  /** CKA_ID. */
  readonly id: Buffer;
  readonly class: ObjectClass;
  /** What `objectName` has made of it; no copy of the object takes it along. */
  readonly name?: string;
}

/** A search that takes longer makes it worth knowing all objects, in milliseconds. */
const slowMilliseconds = 10;

/**
 * Object handles by class and CKA_ID. C_FindObjects is linear in the number of objects (130 ms at 10,000 in SoftHSM2),
 * so a handle is looked up once per process.
 */
export class ObjectHandles {
  private readonly handles = new Map<string, pkcs11.Handle>();

  /** @param slow is told once, of a search that has taken long: the token holds many objects */
  constructor(
    private readonly cryptoki: pkcs11.PKCS11,
    private readonly profile: TokenProfile,
    private slow: (() => void) | undefined,
  ) {}

  /** How many objects need not be searched for. */
  get count(): number {
    return this.handles.size;
  }

  /** @throws ObjectMissingError when the token shows no such object, or more than one; TokenError */
  of(session: pkcs11.Handle, object: KeyObject): pkcs11.Handle {
    const name = objectName(object);
    const known = this.handles.get(name);
    if (known) return known;
    const [handle, ...others] = this.find(session, object);
    if (handle === undefined) throw new ObjectMissingError(`the token shows no ${object.class} key ${name}`);
    if (others.length > 0 && !this.profile.showsObjectsTwice) {
      throw new ObjectMissingError(`the token shows several ${object.class} keys ${name}`);
    }
    this.keep(name, handle);
    return handle;
  }

  /** Token objects of that class and CKA_ID. @param most how many at the most: two tell that it is not one alone */
  find(session: pkcs11.Handle, object: KeyObject, most = 2): pkcs11.Handle[] {
    const start = performance.now();
    const found = this.search(session, object, most);
    if (this.slow && performance.now() - start > slowMilliseconds) {
      this.slow();
      this.slow = undefined;
    }
    return found.length === 0 && this.profile.relistObjects?.() ? this.search(session, object, most) : found;
  }

  /**
   * The same, believed when there is none only of a token that shows another object which is always there, before and
   * after: one that came back in between hid the first, and shows the second.
   *
   * @throws ObjectMissingError when the token shows neither
   */
  findBeside(session: pkcs11.Handle, object: KeyObject, landmark: KeyObject | undefined): pkcs11.Handle[] {
    const expectLandmark = () => {
      if (landmark === undefined || this.find(session, landmark).length > 0) return;
      throw new ObjectMissingError('the token does not show what must be there: nothing can be said to be destroyed');
    };
    const first = this.find(session, object);
    if (first.length > 0) return first;
    expectLandmark();
    const second = this.find(session, object);
    if (second.length === 0) expectLandmark();
    return second;
  }

  private search(session: pkcs11.Handle, object: KeyObject, most: number): pkcs11.Handle[] {
    const { cryptoki } = this;
    cryptoki.C_FindObjectsInit(
      session,
      template({ CKA_CLASS: objectClass[object.class], CKA_TOKEN: true, CKA_ID: object.id }),
    );
    const found = cryptoki.C_FindObjects(session, most);
    cryptoki.C_FindObjectsFinal(session);
    return found;
  }

  /** Remembers objects that were found otherwise; of those with the same class and CKA_ID, none. */
  rememberAll(objects: readonly ShownObject[]): void {
    const names = new Map<string, ShownObject | undefined>();
    for (const object of objects) {
      const name = objectName(object);
      names.set(name, names.has(name) ? undefined : object);
    }
    for (const [name, object] of names) {
      if (object && !this.handles.has(name)) this.keep(name, object.handle);
    }
  }

  remember(object: KeyObject, handle: pkcs11.Handle): void {
    this.keep(objectName(object), handle);
  }

  private keep(name: string, handle: pkcs11.Handle): void {
    this.handles.set(name, beside(handle));
  }

  /** Forgets a handle that was remembered, and gives it. */
  take(object: KeyObject): pkcs11.Handle | undefined {
    const handle = this.handles.get(objectName(object));
    this.forget(object);
    return handle;
  }

  forget(object: KeyObject): void {
    this.handles.delete(objectName(object));
  }
}

/** A name for maps; made once for each object, as every call with a key asks for it. */
export function objectName(object: KeyObject): string {
  if (object.name !== undefined) return object.name;
  const name = `${object.class}/${object.id.toString('hex')}`;
  // not enumerable: `{ ...object, class: 'public' }` is another object, by another name
  Object.defineProperty(object, 'name', { value: name });
  return name;
}

/** The handle, in memory that many share: pkcs11js has a piece for each, which is far from the others'. */
export function beside(handle: pkcs11.Handle): pkcs11.Handle {
  return Buffer.from(handle);
}
