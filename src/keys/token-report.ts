import type { Token } from '../token/token.js';
import type { ModuleFacts, TokenFacts } from '../token/token-facts.js';
import type { TokenIdentity } from '../token/token-selection.js';
import { Capabilities, type CapabilityLine, type ProbePolicy } from './capabilities.js';
import { ImportCapabilities, type ImportCapabilityLine } from './import/import-capabilities.js';
import { probeTraits, type TokenTraits } from './token-traits.js';

/** All that can be told of a token: what it says of itself, and what was found by trying. */
export interface TokenReport {
  readonly token: TokenIdentity & Omit<TokenFacts, 'mechanisms'>;
  readonly module: ModuleFacts & { readonly file: string };
  /** Name of what is known of its kind: a row of token/profiles.ts, or of the setting tokenProfile. */
  readonly profile: string;
  readonly traits: TokenTraits;
  readonly mechanisms: TokenFacts['mechanisms'];
  readonly algorithms: readonly CapabilityLine[];
  readonly imports: readonly ImportCapabilityLine[];
}

/** Tries everything; some seconds. @param file of the module @throws TokenError when the token does not answer */
export async function reportOn(token: Token, file: string, policy: ProbePolicy): Promise<TokenReport> {
  const { mechanisms, ...facts } = token.facts();
  return {
    token: { ...token.identity, ...facts },
    module: { file, ...token.moduleFacts() },
    profile: token.profileName,
    traits: await probeTraits(token),
    mechanisms,
    algorithms: (await Capabilities.probe(token, policy)).report(),
    imports: await new ImportCapabilities(token, policy).report(),
  };
}
