import { createInterface } from 'node:readline/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Iam } from '../../authorization/iam/iam.js';
import { type Change, type Declaration, reconcile } from '../../authorization/iam/reconciliation.js';
import { readDeclaration } from './declaration-file.js';
import { type IdentitySession, withoutAdministrator } from './identity-session.js';

/** The flags of `apply`. */
export interface ApplyOptions {
  readonly file: string;
  /** Do not ask. */
  readonly yes: boolean;
  /** Only show. */
  readonly dryRun: boolean;
  /** Delete what is not declared. */
  readonly prune: boolean;
}

/** What applying does, and leaves to be done. */
interface Outcome {
  readonly changes: readonly Change[];
  /** True when nobody may administer the account afterwards who may now. */
  readonly takesLastAdministrator: boolean;
  /** Declared users that no request can be signed as. */
  readonly withoutAccessKey: readonly string[];
}

/** Ends a transaction that was made to see what it would do. */
class Rehearsed extends Error {
  constructor(readonly outcome: Outcome) {
    super('rolled back');
  }
}

/**
 * Makes users, roles and policies what a file declares them to be: shows what would change, asks, and does it in one
 * transaction, or leaves everything as it is.
 *
 * @param show prints a line
 * @throws IamError, Error that says what to do
 */
export async function apply(
  session: IdentitySession,
  { file, yes, dryRun, prune }: ApplyOptions,
  show: (line: string) => void,
): Promise<void> {
  const declaration = readDeclaration(file, session.settings.accountId);
  const outcome = await rehearse(session, declaration, prune);
  const { changes, takesLastAdministrator, withoutAccessKey } = outcome;
  if (changes.length === 0) {
    show('Nothing to change.');
  } else {
    for (const line of changes.flatMap(linesOf)) show(line);
    if (takesLastAdministrator && (dryRun || !yes)) session.warn(withoutAdministrator);
    if (dryRun) return;
    if (!yes && !(await isConfirmed())) throw new Error('Nothing was changed.');
    await session.change(async (iam) => {
      if (isDeepStrictEqual((await perform(iam, declaration, prune)).changes, changes)) return;
      throw new Error('Meanwhile somebody else has changed identities. Nothing was changed; try again.');
    });
    show(`Done: ${changes.length} changed.`);
  }
  for (const name of withoutAccessKey) {
    show(`The user ${name} has no access key. To make one: hsm-kms identity create-access-key --user-name ${name}`);
  }
}

/** What applying would do: it is done, and rolled back. */
async function rehearse(session: IdentitySession, declaration: Declaration, prune: boolean): Promise<Outcome> {
  try {
    return await session.change(async (iam) => {
      throw new Rehearsed(await perform(iam, declaration, prune));
    });
  } catch (error) {
    if (error instanceof Rehearsed) return error.outcome;
    throw error;
  }
}

async function perform(iam: Iam, declaration: Declaration, prune: boolean): Promise<Outcome> {
  const hadAdministrator = await iam.hasAdministrator();
  const changes = await reconcile(iam, declaration, prune);
  const withoutAccessKey: string[] = [];
  for (const name of declaration.users.keys()) {
    if ((await iam.accessKeys.list(name)).length === 0) withoutAccessKey.push(name);
  }
  const takesLastAdministrator = hadAdministrator && !(await iam.hasAdministrator());
  return { changes, takesLastAdministrator, withoutAccessKey };
}

function linesOf({ mark, what, lines }: Change): string[] {
  return [`${mark} ${what}`, ...lines.map((line) => `    ${line}`)];
}

async function isConfirmed(): Promise<boolean> {
  if (!process.stdin.isTTY) throw new Error('Add --yes to have this done without being asked.');
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question('Do this? [y/N] ')).trim());
  } finally {
    terminal.close();
  }
}
