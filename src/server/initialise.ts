import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { administratorAccessArn } from '../authorization/aws-managed-policies.js';
import { Iam } from '../authorization/iam/iam.js';
import { newSecretAccessKey, uniqueId } from '../authorization/iam/unique-ids.js';
import { purposeOfSecret } from '../authorization/secret-purpose.js';
import type { Settings } from '../config/settings.js';
import { AuditKey } from '../keys/audit-key.js';
import { MaterialIds } from '../keys/import/material-ids.js';
import type { Store } from '../store/store.js';
import { Sealer } from '../token/sealing.js';
import { initialiseSoftHsmToken, softHsmConfiguration } from '../token/softhsm.js';
import type { Token } from '../token/token.js';
import { audited } from './audit/command-audit.js';
import { type DataDirectory, dataDirectory, makePrivateDirectory, writePrivateFile } from './data-directory.js';
import { checkDataDirectory, lockForInitialisation } from './data-directory-use.js';
import { openOwnToken } from './own-token.js';
import { readPinFile } from './pin-file.js';
import { sealStore } from './sealed-store.js';
import { readSeedFile, type Seed } from './seed-file.js';
import { seedKeys } from './seeding.js';
import { bringUpToDate, inspectDatabase, storeOfSettings } from './store-of-settings.js';
import { expectNoStrandedKeys, expectTokenOfData } from './token-of-data.js';
import { ownTokenLabel, usesOwnSoftHsm } from './token-settings.js';

/**
 * Makes what the service needs to run: directory, SoftHSM2 token (unless a module is configured), database, sealing
 * key, first administrator, the keys of the seed. What exists is kept, so that it may be run again, also after it was
 * interrupted; of several at once, one works after another.
 *
 * @param report is told of each thing that was made
 * @throws Error that says what to do
 */
export async function initialise(settings: Settings, report: (what: string) => void): Promise<void> {
  const directory = dataDirectory(settings);
  const seed = settings.seedFile === undefined ? undefined : readSeedFile(settings.seedFile, settings);
  checkDataDirectory(directory);
  await inspectDatabase(settings);
  makePrivateDirectory(directory.path);
  const lock = lockForInitialisation(directory);
  try {
    await recorded(settings, report, (recording) => makeWhatIsMissing(settings, directory, seed, recording));
  } finally {
    lock.release();
  }
}

/** Has the audit log record what was made, when it has been: before, there may be nothing that could sign it. */
async function recorded(
  settings: Settings,
  report: (what: string) => void,
  work: (report: (what: string) => void) => Promise<void>,
): Promise<void> {
  const made: string[] = [];
  const event = {
    source: 'hsm-kms',
    name: 'InitializeService',
    parameters: {},
    outcome: () => ({ responseElements: { made } }),
  } as const;
  const done = work((what) => {
    made.push(what);
    report(what);
  });
  const failed = await done.then(
    () => undefined,
    (error: Error) => error,
  );
  // most starts make nothing
  if (made.length > 0) await audited(settings, event, () => done);
  if (failed) throw failed;
}

async function makeWhatIsMissing(
  settings: Settings,
  directory: DataDirectory,
  seed: Seed | undefined,
  report: (what: string) => void,
): Promise<void> {
  if (usesOwnSoftHsm(settings)) initialiseOwnToken(settings, directory, report);

  const token = openOwnToken(settings, directory, report);
  // before there is a database that looks as if it were the token's
  if ((await inspectDatabase(settings)).isEmpty) await expectNoStrandedKeys(settings, token);
  const store = storeOfSettings(settings);
  try {
    await bringUpToDate(settings, store, true);
    await store.exclusively('init', () => fill(settings, directory, { token, store }, seed, report));
  } finally {
    await store.close();
  }
}

async function fill(
  settings: Settings,
  directory: DataDirectory,
  { token, store }: { readonly token: Token; readonly store: Store },
  seed: Seed | undefined,
  report: (what: string) => void,
): Promise<void> {
  const sealer = new Sealer(token);
  await expectTokenOfData(settings, { token, sealer, store });
  if (!sealer.isReady()) {
    await sealer.prepare();
    report('the sealing key, in the token');
  }
  await sealStore({ token, store }, report);
  await prepareMaterialIds(new MaterialIds(token), report);
  await prepareAuditKey(new AuditKey(token), report);
  await createFirstAdministrator(settings, directory, store, sealer, report);
  if (seed) await seedKeys(settings, seed, { token, store, sealer }, report);
}

/** A token without HMAC keys serves all the same: it imports no key material. */
async function prepareMaterialIds(materialIds: MaterialIds, report: (what: string) => void): Promise<void> {
  if (materialIds.isReady()) return;
  try {
    await materialIds.prepare();
    report('the key for the ids of imported key material, in the token');
  } catch (error) {
    report(`no key for the ids of imported key material (${(error as Error).message}): none can be imported`);
  }
}

/** A token that makes no such key has an audit log without checkpoints. */
async function prepareAuditKey(auditKey: AuditKey, report: (what: string) => void): Promise<void> {
  if (auditKey.isReady()) return;
  try {
    await auditKey.prepare();
    report('the key that signs the audit log, in the token');
  } catch (error) {
    report(`no key to sign the audit log with (${(error as Error).message}): it has no checkpoints`);
  }
}

/** Points SoftHSM2 to the tokens of this data directory, which may have been moved or copied. */
export function writeSoftHsmConfiguration({ softHsm }: Pick<DataDirectory, 'softHsm'>): void {
  const configuration = softHsmConfiguration(softHsm.tokens);
  if (existsSync(softHsm.configuration) && readFileSync(softHsm.configuration, 'utf8') === configuration) return;
  writePrivateFile(softHsm.configuration, configuration);
}

function initialiseOwnToken(settings: Settings, { softHsm }: DataDirectory, report: (what: string) => void): void {
  const hasToken = existsSync(softHsm.tokens) && readdirSync(softHsm.tokens).length > 0;
  if (hasToken && !existsSync(softHsm.userPin)) {
    throw new Error(
      `The PIN file ${softHsm.userPin} is missing, and nothing else opens the token in ${softHsm.tokens}: put it back from your back-up.`,
    );
  }
  makePrivateDirectory(softHsm.tokens);
  writeSoftHsmConfiguration({ softHsm });
  for (const file of [softHsm.securityOfficerPin, softHsm.userPin]) {
    if (!existsSync(file)) writePrivateFile(file, `${randomBytes(24).toString('base64url')}\n`);
  }
  process.env.SOFTHSM2_CONF = softHsm.configuration;
  const made = initialiseSoftHsmToken(ownTokenLabel(settings), {
    securityOfficer: readPinFile(softHsm.securityOfficerPin),
    user: readPinFile(softHsm.userPin),
  });
  if (made) report(`a SoftHSM2 token in ${softHsm.tokens}, with random PINs`);
}

/** The credentials file is written first: an administrator without credentials would lock everybody out. */
async function createFirstAdministrator(
  settings: Settings,
  directory: DataDirectory,
  store: Store,
  sealer: Sealer,
  report: (what: string) => void,
): Promise<void> {
  if (await store.db.selectFrom('principals').select('arn').limit(1).executeTakeFirst()) return;
  const accessKeyId = uniqueId('AKIA');
  const secretAccessKey = newSecretAccessKey();
  writePrivateFile(
    directory.credentials,
    `[default]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\nregion = ${settings.region}\n`,
  );
  const sealedSecret = await sealer.seal(purposeOfSecret(accessKeyId), Buffer.from(secretAccessKey));
  const now = new Date();
  const { arn } = await store.change(async (change) => {
    const { users, accessKeys } = new Iam(change, settings.accountId, now);
    const user = await users.create({ name: 'administrator' }, now);
    await users.attach(user.name, administratorAccessArn);
    await accessKeys.create(user.name, accessKeyId, sealedSecret, now);
    return user;
  });
  report(`the administrator ${arn}, with credentials in ${directory.credentials}`);
}
