import type { KeyMaterialState, KeySpec, KeyState, KeyUsageType, OriginType, RotationType } from '@aws-sdk/client-kms';
import type { NamedPrincipals } from '../authorization/policy/named-principals.js';
import type { KeyObject } from '../token/object-handles.js';
import { MaterialObjects } from './material-objects.js';

/** One generation of a key's material: objects in the token, named by its id. */
export interface KeyMaterial {
  /** KeyMaterialId: 64 hexadecimal digits. */
  readonly id: string;
  /** In the token; their CKA_ID is the id's 32 bytes. */
  readonly objects: MaterialObjects;
  /** DER SubjectPublicKeyInfo; undefined for a symmetric or HMAC key. */
  readonly publicKey: Buffer | undefined;
  readonly createdAt: Date;
  readonly state: KeyMaterialState;
  /** False while imported material is deleted or has expired. */
  readonly present: boolean;
  /** Imported material only. */
  readonly description: string | undefined;
  readonly expiresAt: Date | undefined;
  /** When it became current by a rotation, and which; undefined for the first. */
  readonly rotatedAt: Date | undefined;
  readonly rotationType: RotationType | undefined;
}

/** A key's policy, and whom it names. */
export interface KeyPolicy {
  /** As it was sent, and is given back: JSON. */
  readonly text: string;
  readonly principals: NamedPrincipals;
}

/** A KMS key as the store knows it. Records are shared by requests: nobody changes one. */
export interface KeyRecord {
  /** UUID, or mrk- and 32 hexadecimal digits. */
  readonly id: string;
  readonly arn: string;
  readonly spec: KeySpec;
  readonly usage: KeyUsageType;
  readonly origin: OriginType;
  readonly state: KeyState;
  readonly description: string;
  readonly policy: KeyPolicy;
  readonly createdAt: Date;
  readonly deletionAt: Date | undefined;
  /** ScheduleKeyDeletion's waiting period, in days. */
  readonly pendingWindowDays: number | undefined;
  readonly multiRegion: boolean;
  /** What it encrypts and signs with. */
  readonly currentMaterial: KeyMaterial | undefined;
  /** The custom key store whose token holds the key. */
  readonly customKeyStoreId: string | undefined;
  /** CloudHsmClusterId of that store, when the record was loaded. */
  readonly cloudHsmClusterId?: string | undefined;
  /** Automatic rotation; undefined while it is off. */
  readonly rotation: { readonly periodDays: number; readonly nextAt: Date } | undefined;
  readonly materials: ReadonlyMap<string, KeyMaterial>;
  readonly tags: ReadonlyMap<string, string>;
  /** With their prefix: alias/... */
  readonly aliases: readonly string[];
  /** Counts the changes of the key's row. */
  readonly version: number;
}

/** The material that new ciphertexts and signatures are made with. @throws Error for a key without material */
export function currentMaterial(key: KeyRecord): KeyMaterial {
  if (key.currentMaterial === undefined) throw new Error(`key ${key.id} has no current material`);
  return key.currentMaterial;
}

/** The key as it is with that material as its current one. */
export function withCurrent(key: KeyRecord, material: KeyMaterial): KeyRecord {
  return { ...key, currentMaterial: material, materials: new Map(key.materials).set(material.id, material) };
}

/** What there is of the material in the token: the private key first, of a pair. */
export function tokenObjectsOf({ objects, publicKey }: KeyMaterial): readonly [KeyObject, ...KeyObject[]] {
  return publicKey === undefined ? [objects.secret] : [objects.private, objects.public];
}

/** Material as it is when it is made. @param ckaId 32 bytes, whose hexadecimal digits are its id */
export function newMaterial(ckaId: Buffer, publicKey: Buffer | undefined, createdAt: Date): KeyMaterial {
  return {
    id: ckaId.toString('hex'),
    // no record has version 0
    objects: new MaterialObjects(ckaId, 0),
    publicKey,
    createdAt,
    state: 'CURRENT',
    present: true,
    description: undefined,
    expiresAt: undefined,
    rotatedAt: undefined,
    rotationType: undefined,
  };
}
