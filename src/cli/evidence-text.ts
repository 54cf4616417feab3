import type { Verdict } from '../evidence/bundle.js';
import { verdicts } from '../evidence/bundle.js';
import { claims } from '../evidence/claims.js';
import { oneLine } from '../evidence/markup.js';
import type { VerifiedBundle } from '../evidence/verify-bundle.js';

/** The worst verdict on any claim about any key. */
export function worstVerdict({ keys }: VerifiedBundle): Verdict {
  const found = new Set(keys.flatMap((key) => key.claims.map(({ verdict }) => verdict)));
  return verdicts.findLast((verdict) => found.has(verdict)) ?? 'not provable';
}

const column = 14;

/** What a verification found, for people at a terminal. */
export function reportText(verified: VerifiedBundle): string {
  const { faults, notes, signer, payload, keys } = verified;
  const failures = keys.flatMap((key) => key.claims).filter(({ verdict }) => verdict === 'failed').length;
  const heading =
    faults.length > 0
      ? ['NOT TO BE BELIEVED', ...faults.map((each) => `- ${each}`)]
      : [
          `To be believed: signed by ${signer.subject}, certificate ${signer.sha256}, at ${payload.madeAt}`,
          failures === 0 ? 'No claim failed.' : `CLAIMS THAT FAILED: ${failures}`,
        ];
  const sections = keys.map(({ key, claims: decided }) => [
    '',
    `${key.kind} ${key.arn ?? key.keyId} (${key.keySpec}, ${key.keyUsage})`,
    ...decided.map(({ claim, verdict, because }) => {
      const title = claims.find(({ id }) => id === claim)?.title ?? claim;
      return `  ${verdict.padEnd(column)}${title}. ${because}`;
    }),
  ]);
  const lines = [...heading, ...sections.flat(), '', ...notes.map((each) => `Note: ${each}`)];
  return lines.map(oneLine).join('\n');
}
