import { attestationSources } from './attestation-sources.js';
import { attributeMeanings } from './attribute-meanings.js';
import type {
  AttemptEvidence,
  AttributeReading,
  ChallengeAnswer,
  ClaimResult,
  ControlEvidence,
  CopyEvidence,
  KeyEvidence,
  MaterialEvidence,
  ObjectEvidence,
  TokenEvidence,
  Verdict,
} from './bundle.js';
import { claims } from './claims.js';
import { html, type Markup } from './markup.js';
import type { VerifiedKey } from './verify-bundle.js';

/** A verdict as a style of the page has it. */
const verdictStyles: Readonly<Record<Verdict, string>> = {
  proven: 'proven',
  asserted: 'asserted',
  'not provable': 'open',
  failed: 'failed',
};

export const verdictMark = (verdict: Verdict): Markup =>
  html`<span class="verdict ${verdictStyles[verdict]}">${verdict}</span>`;

/** Rows of a name and what it is; without those that there is nothing to say of. */
export function factsTable(rows: readonly (readonly [string, Markup | string | undefined])[]): Markup {
  const shown = rows.filter(([, value]) => value !== undefined && value !== '');
  return html`<table class="facts"><tbody>${shown.map(
    ([name, value]) => html`<tr><th scope="row">${name}</th><td>${value}</td></tr>`,
  )}</tbody></table>`;
}

export const titleOf = ({ kind, arn, keyId, aliases }: KeyEvidence): string =>
  kind === 'evidence key' ? 'The evidence key' : (aliases[0] ?? arn ?? keyId);

/** One key: the verdicts first, then what they were decided from. */
export function keySection({ key, claims: decided }: VerifiedKey, token: TokenEvidence): Markup {
  return html`<section class="key">
<h2>${titleOf(key)}</h2>
${key.kind === 'evidence key' ? html`<p>It has signed this evidence. What protects it protects what it signs.</p>` : undefined}
${facts(key)}
<h3>Claims</h3>
${claimsTable(decided)}
${key.materials.map((material) => materialPart(key, material, token.controls[key.keySpec]))}
${historyPart(key)}
${attestationPart(key)}
</section>
`;
}

function facts(key: KeyEvidence): Markup {
  const { rotation } = key;
  return factsTable([
    ['Key', html`<code>${key.arn ?? key.keyId}</code>`],
    ['Description', key.description === '' ? undefined : html`<bdi>${key.description}</bdi>`],
    ['Aliases', key.aliases.join(', ')],
    ['Kind', `${key.keySpec}, ${key.keyUsage}`],
    ['Origin', key.origin === 'EXTERNAL' ? 'imported (EXTERNAL)' : `generated in the token (${key.origin})`],
    ['State', key.state],
    ['Made at', key.createdAt ?? undefined],
    ['Rotation', rotation ? `every ${rotation.periodDays} days, next at ${rotation.nextAt}` : undefined],
    ['Key material', key.materials.length > 1 ? `${key.materials.length} generations` : undefined],
    ['Key policy', key.policySha256 === null ? undefined : html`SHA-256 <code>${key.policySha256}</code>`],
    ['Grants', key.kind === 'KMS key' ? String(key.grants) : undefined],
    ['Token', key.token],
  ]);
}

function claimsTable(decided: readonly ClaimResult[]): Markup {
  return html`<table class="claims"><thead><tr><th scope="col">Verdict</th><th scope="col">Claim, and why</th></tr></thead><tbody>
${decided.map(
  ({ claim, verdict, because }) => html`<tr><td>${verdictMark(verdict)}</td><td><span class="claim">${
    claims.find(({ id }) => id === claim)?.title ?? claim
  }.</span> <span class="because">${because}</span></td></tr>
`,
)}</tbody></table>`;
}

function materialPart(key: KeyEvidence, material: MaterialEvidence, control: ControlEvidence | undefined): Markup {
  return html`<h3>Key material ${material.id.slice(0, 16)}… ${key.materials.length > 1 ? `(${material.state})` : ''}</h3>
${factsTable([
  ['KeyMaterialId', html`<code>${material.id}</code>`],
  ['Made at', material.createdAt ?? undefined],
  ['Rotated', material.rotatedAt ? `${material.rotatedAt} (${material.rotationType})` : undefined],
  ['Expires', material.expiresAt ?? undefined],
  ['Challenge', challengeText(material.challenge)],
  [
    'Public key',
    material.publicKeySha256 === null ? undefined : html`SHA-256 <code>${material.publicKeySha256}</code>`,
  ],
])}
${material.publicKey === null ? undefined : html`<pre>${pem(material.publicKey)}</pre>`}
${material.objects.map((object) => objectPart(object, control))}`;
}

function challengeText(challenge: ChallengeAnswer): string {
  if (challenge.kind === 'signature') return `answered by a ${challenge.algorithm} signature`;
  if (challenge.kind === 'round trip') return `${challenge.algorithm} tried: its answers were right`;
  return challenge.kind === 'wrong' ? `${challenge.algorithm}: ${challenge.what}` : challenge.why;
}

const objectTitles = { secret: 'Secret key object', private: 'Private key object', public: 'Public key object' };

function objectPart(object: ObjectEvidence, control: ControlEvidence | undefined): Markup {
  const of = (attempts: 'secretReads' | 'wraps') => (control && 'wraps' in control ? control[attempts] : {});
  return html`<h3>${objectTitles[object.class]}, as the token showed it</h3>
${attributesTable(object)}
${object.secretReads ? attemptsTable('Reading its value', object.secretReads, of('secretReads')) : undefined}
${object.wraps ? attemptsTable('Wrapping it by a key made for the purpose', object.wraps, of('wraps')) : undefined}
${object.weakerCopies ? copiesTable(object.weakerCopies, control && 'wraps' in control ? control.weakerCopies : {}) : undefined}`;
}

const isTold = (reading: AttributeReading): reading is { value: boolean | number | string | string[] } =>
  'value' in reading;

function attributesTable({ class: kind, attributes }: ObjectEvidence): Markup {
  const told = Object.entries(attributes).filter(([, reading]) => isTold(reading));
  const others = Object.entries(attributes).filter(([, reading]) => !isTold(reading));
  return html`<table class="attributes"><thead><tr><th scope="col">Attribute</th><th scope="col">Value</th><th scope="col">Meaning</th></tr></thead><tbody>
${told.map(([name, reading]) => {
  const { meaning, good } = attributeMeanings[name] ?? { meaning: '' };
  const value = isTold(reading) ? reading.value : '';
  const text = Array.isArray(value) ? value.join(', ') : String(value);
  const style = kind === 'public' || good === undefined ? '' : value === good ? 'good' : 'bad-value';
  return html`<tr><td><code>${name}</code></td><td class="${style}">${text === '' ? 'empty' : html`<code>${text}</code>`}</td><td>${meaning}</td></tr>
`;
})}</tbody></table>
${others.length > 0 ? html`<p class="note">Not told: ${others.map(([name, reading]) => name + whyNotTold(reading)).join(', ')}.</p>` : undefined}`;
}

/** The object has no such attribute, which needs no words; or reading it gave another error. */
const whyNotTold = (reading: AttributeReading): string =>
  isTold(reading) || reading.refused === 'CKR_ATTRIBUTE_TYPE_INVALID' ? '' : ` (${reading.refused})`;

type Attempts = Readonly<Record<string, AttemptEvidence>>;

const outcome = (attempt: AttemptEvidence | undefined): string => {
  if (attempt === undefined) return 'not tried';
  if ('givenBytes' in attempt) return `given, ${attempt.givenBytes} bytes`;
  return attempt.ckr === null ? attempt.refused : `${attempt.refused} (${attempt.ckr})`;
};

/**
 * What came of attempts, beside the same on a key that may leave. Where that was refused, too, nothing is said about the
 * key.
 */
function attemptsTable(title: string, attempts: Attempts, control: Attempts): Markup {
  const isGiven = (attempt: AttemptEvidence | undefined) => attempt !== undefined && 'givenBytes' in attempt;
  const all = Object.entries(attempts);
  const telling = all.filter(([name, attempt]) => isGiven(attempt) || isGiven(control[name]));
  const others = all.filter((each) => !telling.includes(each));
  return html`<table><thead><tr><th scope="col">${title}</th><th scope="col">this key</th><th scope="col">a key that may leave</th></tr></thead><tbody>
${telling.map(
  ([
    name,
    attempt,
  ]) => html`<tr><td><code>${name}</code></td><td class="${isGiven(attempt) ? 'bad-value' : ''}"><code>${outcome(
    attempt,
  )}</code></td><td><code>${outcome(control[name])}</code></td></tr>
`,
)}</tbody></table>
${others.length > 0 ? html`<p class="note">Refused of a key that may leave, too, so that it says nothing: ${others.map(([name, attempt]) => `${name} ${outcome(attempt)}`).join(', ')}.</p>` : undefined}`;
}

type Copies = Readonly<Record<string, CopyEvidence>>;

function copiesTable(copies: Copies, control: Copies): Markup {
  const outcomeOf = (copy: CopyEvidence | undefined) =>
    copy === undefined || 'refused' in copy
      ? outcome(copy)
      : `copied, CKA_SENSITIVE ${copy.sensitive}, CKA_EXTRACTABLE ${copy.extractable}`;
  return html`<table><thead><tr><th scope="col">Copying it with</th><th scope="col">this key</th><th scope="col">a key that may leave</th></tr></thead><tbody>
${Object.entries(copies).map(
  ([
    name,
    copy,
  ]) => html`<tr><td><code>${name}</code></td><td><code>${outcomeOf(copy)}</code></td><td><code>${outcomeOf(control[name])}</code></td></tr>
`,
)}</tbody></table>`;
}

/** Changes, as the audit log has them. */
function historyPart({ history }: KeyEvidence): Markup | undefined {
  if (history === null) return undefined;
  const { events, earlier } = history;
  if (events.length === 0) return html`<p class="note">The audit log of this node has no change of it.</p>`;
  return html`<h3>History, as the audit log has it</h3>
<table class="history"><thead><tr><th scope="col">Change</th><th scope="col">When, by whom</th><th scope="col">Line of the log, and its SHA-256</th></tr></thead><tbody>
${events.map(
  ({ name, time, by, policySha256, stream, sequence, lineSha256 }) => html`<tr><td>${name}${
    policySha256 === null ? undefined : html`<br><span class="note">policy <code>${policySha256}</code></span>`
  }</td><td>${time}<br><span class="note">${by ?? 'unknown'}</span></td><td><code>${stream} ${sequence}</code><br><code>${lineSha256}</code></td></tr>
`,
)}</tbody></table>
${earlier > 0 ? html`<p class="note">${earlier} changes came before these.</p>` : undefined}
<p class="note">Of this node's log. Whether it is whole and has these lines: hsm-kms audit verify, with a copy of it.</p>`;
}

function attestationPart({ attestation }: KeyEvidence): Markup | undefined {
  if (attestation === null) return undefined;
  const known = attestationSources.find(({ name }) => name === attestation.source);
  return html`<h3>Attestation of the vendor</h3>
${factsTable([
  ['File', html`<bdi>${attestation.fileName}</bdi>`],
  ['Of', attestation.source],
  ['SHA-256', html`<code>${attestation.sha256}</code>`],
  ['What to do', `Nothing in it was checked here. ${known?.whatToDo ?? ''}`],
])}`;
}

function pem(base64: string): string {
  const lines = base64.match(/.{1,64}/g) ?? [];
  return ['-----BEGIN PUBLIC KEY-----', ...lines, '-----END PUBLIC KEY-----'].join('\n');
}
