import type { Iam } from '../../authorization/iam/iam.js';
import type { Flag, Values } from './flags.js';
import type { IdentitySession } from './identity-session.js';

/** What a subcommand prints: an object as JSON, a text as it is, nothing. */
export type Printed = object | string | undefined;

/** A subcommand of `hsm-kms identity`, named as in `aws iam`. */
export interface Subcommand {
  readonly name: string;
  readonly description: string;
  /** By the names of their values: userName is --user-name. */
  readonly flags: Readonly<Record<string, Flag<unknown>>>;
  readonly run: (session: IdentitySession, values: never) => Promise<Printed>;
}

type Flags = Readonly<Record<string, Flag<unknown>>>;

export function subcommand<const F extends Flags>(
  name: string,
  description: string,
  flags: F,
  run: (session: IdentitySession, values: Values<F>) => Promise<Printed>,
): Subcommand {
  return { name, description, flags, run };
}

/** A subcommand that only looks. */
export function query<const F extends Flags>(
  name: string,
  description: string,
  flags: F,
  run: (iam: Iam, values: Values<F>) => Promise<Printed>,
): Subcommand {
  return subcommand(name, description, flags, (session, values) => session.read((iam) => run(iam, values)));
}

/** A subcommand that is one transaction. */
export function change<const F extends Flags>(
  name: string,
  description: string,
  flags: F,
  // biome-ignore lint/suspicious/noConfusingVoidType: most change and have nothing to say
  run: (iam: Iam, values: Values<F>) => Promise<Printed | void>,
): Subcommand {
  return subcommand(name, description, flags, async (session, values) => {
    return (await session.change((iam) => run(iam, values))) ?? undefined;
  });
}
