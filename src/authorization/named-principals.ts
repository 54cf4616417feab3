import type { Kysely } from 'kysely';
import type { Schema } from '../store/schema.js';
import type { NamedPrincipals } from './policy/named-principals.js';

export const nobodyNamed: NamedPrincipals = new Map();

/** As it is stored. */
export function namedPrincipalsText(named: NamedPrincipals): string | null {
  return named.size === 0 ? null : JSON.stringify(Object.fromEntries(named));
}

export function namedPrincipalsFrom(text: string | null): NamedPrincipals {
  return text === null ? nobodyNamed : new Map(Object.entries(JSON.parse(text) as Record<string, string>));
}

/** Whom some ARNs name, and those that name nobody. */
export interface FoundPrincipals {
  readonly principals: NamedPrincipals;
  readonly missing: readonly string[];
}

/**
 * Finds the users and roles of this account that some ARNs name; a session's ARN names its role. Of other accounts, and
 * of accounts as such, nothing is known.
 */
export async function findNamedPrincipals(
  db: Kysely<Schema>,
  accountId: string,
  arns: readonly string[],
): Promise<FoundPrincipals> {
  const principals = new Map<string, string>();
  const missing: string[] = [];
  for (const arn of arns) {
    const [, , , , account, name = ''] = arn.split(':');
    if (account !== accountId || name === 'root') continue;
    const [, role] = /^assumed-role\/(.+)\/[^/]+$/.exec(name) ?? [];
    const rows = db.selectFrom('principals').select('unique_id');
    const named =
      role === undefined ? rows.where('arn', '=', arn) : rows.where('kind', '=', 'role').where('name', '=', role);
    const row = await named.executeTakeFirst();
    if (row === undefined) missing.push(arn);
    else principals.set(arn, row.unique_id);
  }
  return { principals, missing };
}
