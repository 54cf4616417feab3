import type { ImportType } from '@aws-sdk/client-kms';
import { KmsError } from '../../contract/kms-error.js';
import { keyType, objectClass } from '../../token/attributes.js';
import type { ImportedObject, ImportSession } from '../../token/import-session.js';
import { privateKeyTemplate, publicKeyTemplate, secretKeyTemplate } from '../../token/key-templates.js';
import type { Token } from '../../token/token.js';
import { destroyMaterial, selfTestKey } from '../key-generation.js';
import { type KeyMaterial, type KeyRecord, newMaterial, tokenObjectsOf, withCurrent } from '../key-record.js';
import { isSurelyUncommitted, type KeyRepository, materialRow, StaleKeyError } from '../key-repository.js';
import { keySpecs, type SupportedUsage } from '../key-specs.js';
import type { KeyToken } from '../key-tokens.js';
import { SelfTestError } from '../self-test.js';
import { expectProtected, type IdentifiedMaterial, identify } from './identification.js';
import type { ImportParameters } from './import-tokens.js';
import type { ImportableSpec } from './importable-specs.js';
import type { Imports } from './imports.js';
import { stateByMaterials } from './material-presence.js';
import type { Incoming, UnwrappingWay, WrappedMaterial } from './unwrapping-ways.js';
import { importableSpecOf, wrappingAlgorithms } from './wrapping-algorithms.js';

/** ImportKeyMaterial's input, checked as far as it can be without the token. */
export interface MaterialRequest {
  readonly importToken: Buffer;
  readonly ciphertext: Buffer;
  readonly expiresAt: Date | undefined;
  readonly type: ImportType | undefined;
  readonly description: string | undefined;
  /** Which material it has to be. */
  readonly materialId: string | undefined;
}

/** What an import works with. */
export interface ImportContext {
  readonly imports: Imports;
  readonly keys: KeyRepository;
  readonly keyToken: KeyToken;
  readonly now: Date;
}

/** Material that is in the token, but in no row yet. */
interface TakenIn {
  readonly material: KeyMaterial;
  /** New objects; none when the token has held the material already. */
  readonly objects: readonly ImportedObject[];
}

/**
 * Imports key material into a key: unwrapped, identified, put into the token, used once, then committed together with
 * the use of its wrapping key. Nothing of it stays when any of that fails; a process that dies before the commit leaves
 * an orphan, which the next import of the same material removes.
 *
 * @returns the KeyMaterialId
 * @throws KmsError InvalidImportTokenException, ExpiredImportTokenException, InvalidCiphertextException,
 * IncorrectKeyMaterialException, KMSInvalidStateException, UnsupportedOperationException, DependencyTimeoutException;
 * StaleKeyError; TokenError
 */
export function importMaterial(context: ImportContext, key: KeyRecord, request: MaterialRequest): Promise<string> {
  return context.imports.turns.inTurn(key.id, async () => {
    // who had the turn before may have brought the material
    const { version } = (await context.keys.find(key.id)) ?? {};
    if (version !== key.version) throw new StaleKeyError(`key ${key.id} has changed`);
    return importAlone(context, key, request);
  });
}

async function importAlone(context: ImportContext, key: KeyRecord, request: MaterialRequest): Promise<string> {
  const { imports, keyToken } = context;
  const parameters = await openImportToken(context, key, request.importToken);
  const algorithm = wrappingAlgorithms[parameters.wrappingAlgorithm as keyof typeof wrappingAlgorithms];
  if (algorithm === undefined || 'refusal' in algorithm) throw new KmsError('InvalidImportTokenException');
  const spec = importableSpecOf(key.spec);
  const way = await imports.capabilities.way(algorithm, spec.kind);
  const wrapped: WrappedMaterial = {
    wrappingKey: { id: Buffer.from(parameters.wrappingKeyId, 'hex'), class: 'private' },
    modulusBytes: parameters.wrappingKeyBits / 8,
    ciphertext: request.ciphertext,
  };
  const takenIn = await takeIn(context, key, request, { spec, way, wrapped });
  let isCommitting = false;
  try {
    if (takenIn.objects.length > 0) await selfTestMaterial(keyToken, withCurrent(key, takenIn.material));
    isCommitting = true;
    await commit(context, key, takenIn.material, parameters);
  } catch (error) {
    const isOpen = isCommitting && !isSurelyUncommitted(error);
    const isInUse = isOpen || (await isCommitted(context.keys, key.id, takenIn.material.id));
    withdraw(keyToken.token, takenIn, isInUse);
    throw error;
  }
  await destroyWrappingKey(imports, parameters);
  return takenIn.material.id;
}

/** @throws KmsError InvalidImportTokenException for what is no token, or another key's, or used up; ExpiredImportTokenException */
async function openImportToken(
  { imports, now }: ImportContext,
  key: KeyRecord,
  token: Buffer,
): Promise<ImportParameters> {
  const parameters = await imports.tokens.open(token);
  if (parameters?.keyId !== key.id) throw new KmsError('InvalidImportTokenException');
  if (parameters.expiresAt <= now.getTime()) throw new KmsError('ExpiredImportTokenException');
  const expiry = await imports.wrappingKeys.expiryOf(parameters.wrappingKeyId, key.id);
  if (expiry === undefined) throw new KmsError('InvalidImportTokenException');
  if (expiry <= now) throw new KmsError('ExpiredImportTokenException');
  return parameters;
}

interface Unwrapping {
  readonly spec: ImportableSpec;
  readonly way: UnwrappingWay;
  readonly wrapped: WrappedMaterial;
}

/** Unwraps and identifies the material, checks that it may be this key's, and puts it into the token. @throws KmsError */
function takeIn(
  { imports, keyToken, now }: ImportContext,
  key: KeyRecord,
  request: MaterialRequest,
  { spec, way, wrapped }: Unwrapping,
): Promise<TakenIn> {
  const { token } = keyToken;
  return token.importing(async (session) => {
    const incoming = await opened(token, () => way.open(session, wrapped));
    try {
      const identified = await identifiedOrRefused(token, session, incoming, spec, key.id);
      const id = await imports.materialIds.of(key.id, identified.fingerprint);
      identified.fingerprint.fill(0);
      const known = key.materials.get(id);
      const material: KeyMaterial = {
        ...(known ?? newMaterial(Buffer.from(id, 'hex'), identified.publicHalf?.publicKey, now)),
        state: known?.state ?? stateOfNew(key, id, request),
        present: true,
        description: request.description ?? known?.description,
        expiresAt: request.expiresAt,
      };
      checkAssociation(key, id, request);
      if (known?.present && isInToken(token, known)) return { material, objects: [] };
      const objects = await makeObjects(keyToken, session, key, material, identified);
      session.keep(objects);
      return { material, objects };
    } finally {
      if ('plaintext' in incoming) incoming.plaintext.fill(0);
    }
  });
}

/** @throws KmsError InvalidCiphertextException when it does not decrypt */
async function opened(token: Token, open: () => Promise<Incoming | undefined>): Promise<Incoming> {
  let incoming: Incoming | undefined;
  try {
    incoming = await open();
  } catch (error) {
    if (!token.isInputAtFault(error)) throw error;
  }
  if (incoming === undefined) throw new KmsError('InvalidCiphertextException');
  return incoming;
}

/** @throws KmsError InvalidCiphertextException, IncorrectKeyMaterialException */
async function identifiedOrRefused(
  token: Token,
  session: ImportSession,
  incoming: Incoming,
  spec: ImportableSpec,
  keyId: string,
): Promise<IdentifiedMaterial> {
  let identified: IdentifiedMaterial | undefined;
  try {
    identified = await identify(session, incoming, spec, keyId);
  } catch (error) {
    if (!isMaterialAtFault(token, error)) throw error;
    if (!(await decrypts(token, incoming))) throw new KmsError('InvalidCiphertextException');
  }
  if (identified === undefined) throw new KmsError('IncorrectKeyMaterialException');
  return identified;
}

/** Whether a ciphertext that gives no key of the right kind gives anything: bytes are a generic secret at least. */
async function decrypts(token: Token, incoming: Incoming): Promise<boolean> {
  if ('plaintext' in incoming) return true;
  try {
    await incoming.make({
      CKA_CLASS: objectClass.secret,
      CKA_KEY_TYPE: keyType.GENERIC_SECRET,
      CKA_TOKEN: false,
      CKA_PRIVATE: true,
      CKA_SENSITIVE: true,
      CKA_EXTRACTABLE: false,
    });
    return true;
  } catch (error) {
    if (token.isInputAtFault(error)) return false;
    throw error;
  }
}

function isMaterialAtFault(token: Token, error: unknown): boolean {
  if (error instanceof SelfTestError || token.isInputAtFault(error)) return true;
  // node:crypto does not take the public key, or the point
  return String((error as { code?: unknown }).code).startsWith('ERR_OSSL');
}

/** Which material of a key new material becomes. */
function stateOfNew(key: KeyRecord, id: string, { type }: MaterialRequest): KeyMaterial['state'] {
  const isFirst = key.currentMaterial === undefined;
  if (!isFirst && (key.spec !== 'SYMMETRIC_DEFAULT' || type !== 'NEW_KEY_MATERIAL')) {
    throw new KmsError('IncorrectKeyMaterialException');
  }
  if (isFirst && type === 'EXISTING_KEY_MATERIAL') throw new KmsError('IncorrectKeyMaterialException');
  for (const other of key.materials.values()) {
    if (other.state !== 'PENDING_ROTATION') continue;
    throw new KmsError(
      'KMSInvalidStateException',
      `New key material (id: ${id}) cannot be imported into KMS key ${key.arn}, because another key material (id: ${other.id}) is pending rotation.`,
    );
  }
  return isFirst ? 'CURRENT' : 'PENDING_ROTATION';
}

/** @throws KmsError IncorrectKeyMaterialException when it is other material than the request says */
function checkAssociation(key: KeyRecord, id: string, { type, materialId }: MaterialRequest): void {
  if (type === 'NEW_KEY_MATERIAL' && key.materials.has(id)) throw new KmsError('IncorrectKeyMaterialException');
  if (materialId !== undefined && materialId !== id) throw new KmsError('IncorrectKeyMaterialException');
}

function isInToken(token: Token, material: KeyMaterial): boolean {
  return tokenObjectsOf(material).every((object) => token.has(object));
}

/** The token objects of the material: as those of a generated key, but for the attributes that tell where it came from. */
async function makeObjects(
  { token, capabilities }: KeyToken,
  session: ImportSession,
  key: KeyRecord,
  material: KeyMaterial,
  { make, publicHalf }: IdentifiedMaterial,
): Promise<ImportedObject[]> {
  const row = keySpecs[key.spec];
  if (row.kind === 'unsupported') throw new Error(`${key.spec} cannot be imported`);
  const names = { id: material.objects.id, label: key.id };
  const permissions = capabilities.permissions(key.spec, key.usage as SupportedUsage);
  // what a process that died has left; nothing in the store points to it
  destroyMaterial(token, material);
  if (row.kind === 'secret') {
    const object = await make(secretKeyTemplate(row.generate, names, permissions));
    expectProtected(session, object);
    return [object];
  }
  const object = await make(privateKeyTemplate(row.generate, names, permissions));
  expectProtected(session, object);
  const publicObject = session.create({
    ...publicKeyTemplate(row.generate, names, permissions),
    ...publicHalf?.attributes,
  });
  return [object, publicObject];
}

/** Uses the key once: numbers that do not belong together show. @throws KmsError IncorrectKeyMaterialException */
async function selfTestMaterial({ token, capabilities }: KeyToken, key: KeyRecord): Promise<void> {
  try {
    await selfTestKey(token, capabilities, key);
  } catch (error) {
    if (!isMaterialAtFault(token, error)) throw error;
    throw new KmsError('IncorrectKeyMaterialException', undefined, { cause: error });
  }
}

/** @throws StaleKeyError; KmsError InvalidImportTokenException when somebody else has used up the wrapping key */
async function commit(
  { imports, keys }: ImportContext,
  key: KeyRecord,
  material: KeyMaterial,
  { wrappingKeyId }: ImportParameters,
): Promise<void> {
  const materials = new Map(key.materials).set(material.id, material);
  const changes = {
    state: stateByMaterials(key, materials.values()),
    ...(material.state === 'CURRENT' && { currentMaterialId: material.id }),
  };
  await keys.change(key, changes, async (record, { db }) => {
    if (!(await imports.wrappingKeys.use(db, wrappingKeyId))) throw new KmsError('InvalidImportTokenException');
    await record.put('key_materials', materialRow(key.id, material));
  });
}

/** Whether the store has the material, which another import of it may have brought. */
async function isCommitted(keys: KeyRepository, keyId: string, materialId: string): Promise<boolean> {
  try {
    return (await keys.find(keyId))?.materials.get(materialId)?.present ?? false;
  } catch {
    // the store does not answer: better an orphan than a key without its material
    return true;
  }
}

/** @param isInUse true when the store has the material: by this import, or by another one at the same time */
function withdraw(token: Token, { material, objects }: TakenIn, isInUse: boolean): void {
  const [object] = tokenObjectsOf(material);
  try {
    if (!isInUse || token.countOf(object) > 1) token.destroyImported(objects);
  } catch {
    // orphans, or duplicates of what is in use
  }
}

async function destroyWrappingKey({ wrappingKeys }: Imports, { wrappingKeyId }: ImportParameters): Promise<void> {
  try {
    await wrappingKeys.destroy(wrappingKeyId);
  } catch {
    // it is used up, so the scheduled task destroys it
  }
}
