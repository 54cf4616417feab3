import { createHash } from 'node:crypto';
import { type TokenEvidence, type Verdict, verdicts } from './bundle.js';
import { html, Markup } from './markup.js';
import { factsTable, keySection, titleOf, verdictMark } from './report-key.js';
import { reportStyle } from './report-style.js';
import { softwareTokens } from './software-tokens.js';
import type { VerifiedBundle } from './verify-bundle.js';

/** No script, no picture, no address is taken: what stands in the page is all that there is. */
const policy = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(reportStyle).digest('base64')}'; base-uri 'none'; form-action 'none'`;

const meaningOfVerdicts: Readonly<Record<Verdict, string>> = {
  proven:
    'Verified by cryptography by who made this page; or tried in front of the token, and seen to fail where the same on a key that may leave succeeded. That it was tried is the word of who signed.',
  asserted: 'The token says so, or the program that made the evidence saw it. Nobody else can repeat it from here.',
  'not provable': 'Nothing in the evidence decides it; the reason is given.',
  failed: 'The evidence says the contrary.',
};

/** What a verification found, as one page of HTML: for a person, on a screen or on paper. @param now when it was verified */
export function reportPage(verified: VerifiedBundle, now: Date): string {
  const { payload, keys } = verified;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>Evidence on ${payload.keys.length === 1 ? 'a key' : `${payload.keys.length} keys`}, ${payload.madeAt}</title>
<style>${new Markup(reportStyle)}</style>
</head>
<body>
<main>
<h1>Evidence on ${payload.keys.length === 1 ? 'a key' : `${payload.keys.length} keys`} in a token</h1>
${banner(verified, now)}
${summary(verified)}
${signature(verified)}
${Object.entries(payload.tokens).map(([name, token]) => tokenPart(name, token))}
${keys.map((key) => {
  const token = payload.tokens[key.key.token];
  return token && keySection(key, token);
})}
<section class="key">
<h2>What this does not show</h2>
${limits}
</section>
</main>
</body>
</html>
`;
  return page.text;
}

const count = (verified: VerifiedBundle, verdict: Verdict) =>
  verified.keys.flatMap(({ claims }) => claims).filter((claim) => claim.verdict === verdict).length;

function banner(verified: VerifiedBundle, now: Date): Markup {
  const { faults, signer, payload } = verified;
  const at = html`<p class="note">Made at ${payload.madeAt}, verified at ${now.toISOString()}.</p>`;
  if (faults.length > 0) {
    return html`<div class="banner bad"><strong>This evidence is not to be believed.</strong>
<ul>${faults.map((fault) => html`<li>${fault}</li>`)}</ul>
<p>What follows is what it says. It may have been changed, or be of somebody else.</p>${at}</div>`;
  }
  const failures = count(verified, 'failed');
  return html`<div class="banner ${failures > 0 ? 'bad' : ''}"><strong>${
    failures > 0 ? `Whole and signed; ${failures} of its claims failed.` : 'Whole and signed; no claim failed.'
  }</strong>
<p>Signed by ${signer.subject}, which is trusted by who verified it.</p>${at}</div>`;
}

function summary({ keys }: VerifiedBundle): Markup {
  return html`<h2>Verdicts</h2>
<table><thead><tr><th scope="col">Key</th>${verdicts.map((verdict) => html`<th scope="col" class="number">${verdict}</th>`)}</tr></thead><tbody>
${keys.map(
  ({
    key,
    claims,
  }) => html`<tr><td>${titleOf(key)} <span class="note">${key.keySpec}, ${key.keyUsage}</span></td>${verdicts.map(
    (verdict) => html`<td class="number">${claims.filter((claim) => claim.verdict === verdict).length}</td>`,
  )}</tr>
`,
)}</tbody></table>
<table class="claims"><tbody>
${verdicts.map(
  (verdict) => html`<tr><td>${verdictMark(verdict)}</td><td>${meaningOfVerdicts[verdict]}</td></tr>
`,
)}</tbody></table>`;
}

function signature({ payload, signer, notes }: VerifiedBundle): Markup {
  const { challenge, auditCheckpoint: checkpoint } = payload;
  return html`<h2>Signature</h2>
${factsTable([
  ['Signed by', signer.subject],
  ['Issued by', signer.issuer],
  ['Certificate', html`SHA-256 <code>${signer.sha256}</code>`],
  ['Valid', `${signer.validFrom} to ${signer.validTo}`],
  [
    'Nonce',
    html`<code>${challenge.nonce}</code> (${challenge.from === 'verifier' ? "the verifier's, it says" : "the program's own"})`,
  ],
  [
    'Audit log',
    checkpoint === null ? 'no checkpoint' : html`newest checkpoint, SHA-256 <code>${checkpoint.sha256}</code>`,
  ],
  ['Program', `hsm-kms ${payload.program}`],
])}
${notes.map((note) => html`<p class="note">${note}</p>`)}`;
}

function tokenPart(name: string, token: TokenEvidence): Markup {
  const { module } = token;
  const software = softwareTokens.find((each) => each.is(token));
  return html`<h2>Token: ${name}</h2>
${software ? html`<p><strong>${software.why}</strong></p>` : undefined}
${factsTable([
  ['Label', token.label],
  ['Manufacturer', token.manufacturer],
  ['Model', token.model],
  ['Serial number', html`<code>${token.serialNumber}</code>`],
  ['Versions', `firmware ${token.firmwareVersion}, hardware ${token.hardwareVersion}`],
  ['Slot', token.slotDescription],
  [
    'Module',
    `${module.fileName}: ${module.libraryDescription} ${module.libraryVersion}, ${module.libraryManufacturer}, PKCS#11 ${module.cryptokiVersion}`,
  ],
  ['Module, SHA-256', html`<code>${module.sha256}</code>`],
  ['Known as', token.profile],
  ['Does not keep', token.unkeptAttributes.join(', ')],
])}`;
}

const limits = html`<ul>
<li>Attributes are the token's word. What a PKCS#11 module says, any library could say: what makes it more is the vendor's attestation of the key, checked with the vendor's tools.</li>
<li>That something was tried, and what the token answered, is the word of the program that made this, signed by a key in the token. Who can change the program or use that key can have anything signed.</li>
<li>Ways of a vendor to get keys out, back-ups to other HSMs among them, are not ways of PKCS#11, and were not tried.</li>
<li>It is about the moment at which it was made.</li>
</ul>`;
