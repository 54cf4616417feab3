import { createHash } from 'node:crypto';
import { attestationSources } from './attestation-sources.js';
import { allUseAttributes, useAttributes, usesOfKeyUsage } from './attribute-meanings.js';
import { decideOnCheckpoint } from './audit-checkpoint.js';
import type {
  AttemptEvidence,
  ClaimResult,
  CopyEvidence,
  EvidencePayload,
  KeyEvidence,
  MaterialEvidence,
  ObjectEvidence,
  TokenEvidence,
  Verdict,
} from './bundle.js';
import { challengeText, isSignatureOf } from './challenge.js';
import { asserted, type Finding, failed, notProvable, proven } from './finding.js';
import { publicKeyOfObject } from './public-key-of-object.js';
import { softwareTokens } from './software-tokens.js';

/** What a claim is decided from. */
export interface ClaimFacts {
  readonly key: KeyEvidence;
  readonly token: TokenEvidence;
  readonly payload: Pick<EvidencePayload, 'challenge' | 'madeAt' | 'auditCheckpoint'>;
}

/** A claim that evidence is to support, and the rule that decides whether it does. */
export interface Claim {
  readonly id: string;
  /** What is claimed: a sentence, for people. */
  readonly title: string;
  /** Undefined where the claim is about other keys. */
  readonly decide: (facts: ClaimFacts) => Finding | undefined;
}

/** The verdict on the whole is that of its worst part; the worst first. */
const worstFirst: readonly Verdict[] = ['failed', 'not provable', 'asserted', 'proven'];

function worst(findings: readonly Finding[], whenNone: Finding): Finding {
  const verdict = worstFirst.find((each) => findings.some((finding) => finding.verdict === each));
  if (verdict === undefined) return whenNone;
  const reasons = findings.filter((finding) => finding.verdict === verdict).map(({ because }) => because);
  return { verdict, because: [...new Set(reasons)].join(' ') };
}

interface Protected {
  readonly material: MaterialEvidence;
  readonly object: ObjectEvidence;
}

const protectedObjects = ({ materials }: KeyEvidence): Protected[] =>
  materials.flatMap((material) =>
    material.objects.filter((object) => object.class !== 'public').map((object) => ({ material, object })),
  );

const nothingThere = notProvable('The token holds no material of this key at the moment.');

/** A rule about each secret or private key object. */
const ofEachObject =
  (rule: (of: Protected, facts: ClaimFacts) => Finding) =>
  (facts: ClaimFacts): Finding =>
    worst(
      protectedObjects(facts.key).map((each) => rule(each, facts)),
      nothingThere,
    );

const shown = (name: string, { attributes }: ObjectEvidence): unknown => {
  const reading = attributes[name];
  return reading && 'value' in reading ? reading.value : undefined;
};

/** What protects a key now: no kind of token is excused that says the contrary. */
const protections: readonly string[] = ['CKA_SENSITIVE', 'CKA_EXTRACTABLE'];

/** The token's word on one attribute. */
function attributeIs(name: string, wanted: boolean, { object }: Protected, { token }: ClaimFacts): Finding {
  const value = shown(name, object);
  if (value === undefined) return notProvable(`The token does not tell ${name}.`);
  const contrary = failed(`The token says ${name} ${value}.`);
  if (value !== wanted && protections.includes(name)) return contrary;
  if (token.unkeptAttributes.includes(name)) {
    return notProvable(`The token says ${name} ${value}; this kind of token does not keep it as PKCS#11 has it.`);
  }
  return value === wanted ? asserted(`The token says ${name} ${wanted}.`) : contrary;
}

const isImported = ({ origin }: KeyEvidence) => origin === 'EXTERNAL';
const cameFromOutside = notProvable(
  'The key material was imported: it has been outside, and what was done with it there is not known here.',
);

/** CKR_ codes by which a token refuses a key itself, and not the way in which it is asked (PKCS#11 v3.0, 5.1.6). */
const refusesTheKey: readonly string[] = [
  'CKR_KEY_UNEXTRACTABLE',
  'CKR_KEY_NOT_WRAPPABLE',
  'CKR_KEY_FUNCTION_NOT_PERMITTED',
  'CKR_ATTRIBUTE_SENSITIVE',
  'CKR_ACTION_PROHIBITED',
  'CKR_FUNCTION_REJECTED',
];

const isGiven = (attempt: AttemptEvidence | undefined) => attempt !== undefined && 'givenBytes' in attempt;
const code = (attempt: AttemptEvidence) => ('refused' in attempt ? attempt.refused : 'given');
const list = (names: readonly string[]) => names.join(', ');

/** The same attempts on a key of its kind that may leave. */
function controlOf({ key: { keySpec }, token: { controls } }: ClaimFacts) {
  return Object.hasOwn(controls, keySpec) ? controls[keySpec] : undefined;
}

const noControl = (control: { readonly refused: string } | undefined) =>
  notProvable(
    `The token made no key of this kind that may leave (${control?.refused ?? 'not tried'}), so that its refusals say nothing.`,
  );

function wrapping({ object }: Protected, facts: ClaimFacts): Finding {
  const { token } = facts;
  const wraps = Object.entries(object.wraps ?? {});
  const given = wraps.filter(([, attempt]) => isGiven(attempt)).map(([name]) => name);
  if (given.length > 0) {
    return failed(`The token has given the key out, wrapped by a key made for the purpose: ${list(given)}.`);
  }
  const control = controlOf(facts);
  if (control === undefined || 'refused' in control) return noControl(control);
  const telling = wraps.filter(([name]) => isGiven(control.wraps[name]));
  if (telling.length === 0) return notProvable('The token wraps no key of this kind in any way that was tried.');
  const unclear = telling.filter(([, attempt]) => !refusesTheKey.includes(code(attempt)));
  if (unclear.length > 0) {
    const answers = unclear.map(([name, attempt]) => `${name} ${code(attempt)}`);
    return notProvable(`The token has not given it out, but for another reason than the key: ${list(answers)}.`);
  }
  const ways = telling.map(([name, attempt]) => `${name} (${code(attempt)})`);
  if (token.wrappingNotTried.length > 0) {
    return notProvable(
      `It was refused where a key that may leave was wrapped: ${list(ways)}; but the token lists further mechanisms that wrap and cannot be tried here: ${list(token.wrappingNotTried)}.`,
    );
  }
  return proven(
    `Tried: it was refused in each way in which the token has wrapped a key that may leave: ${list(ways)}.`,
  );
}

function reading({ object }: Protected, facts: ClaimFacts): Finding {
  const reads = Object.entries(object.secretReads ?? {});
  const given = reads.filter(([, attempt]) => isGiven(attempt)).map(([name]) => name);
  if (given.length > 0) return failed(`The token has given out ${list(given)}.`);
  const control = controlOf(facts);
  if (control === undefined || 'refused' in control) return noControl(control);
  const telling = reads.filter(([name]) => isGiven(control.secretReads[name]));
  if (telling.length === 0) return notProvable('The token reveals no key of this kind, not even one that may be read.');
  const unclear = telling.filter(([, attempt]) => code(attempt) !== 'CKR_ATTRIBUTE_SENSITIVE');
  if (unclear.length > 0) {
    const answers = unclear.map(([name, attempt]) => `${name} ${code(attempt)}`);
    return notProvable(`The token has not given it out, but for another reason than the key: ${list(answers)}.`);
  }
  return proven(
    `Tried: the token refused ${list(telling.map(([name]) => name))} with CKR_ATTRIBUTE_SENSITIVE, and gave the same of a key that may be read.`,
  );
}

/** CKR_ codes by which a token refuses to make a copy less protected (PKCS#11 v3.0, 4.1.3, 5.7.2). */
const refusesTheCopy: readonly string[] = [
  'CKR_ACTION_PROHIBITED',
  'CKR_ATTRIBUTE_READ_ONLY',
  'CKR_ATTRIBUTE_VALUE_INVALID',
  'CKR_TEMPLATE_INCONSISTENT',
  'CKR_FUNCTION_REJECTED',
];
const isLacking = (copy: CopyEvidence | undefined) =>
  copy !== undefined && 'refused' in copy && copy.refused === 'CKR_FUNCTION_NOT_SUPPORTED';

function copying({ object }: Protected, facts: ClaimFacts): Finding {
  const copies = Object.entries(object.weakerCopies ?? {});
  if (copies.length === 0) return notProvable('It was not tried.');
  const weaker = copies.filter(([, copy]) => !('refused' in copy) && (!copy.sensitive || copy.extractable));
  if (weaker.length > 0) return failed(`The token has made a copy of it with ${list(weaker.map(([name]) => name))}.`);
  const control = controlOf(facts);
  if (control === undefined || 'refused' in control) return noControl(control);
  if (copies.every(([name, copy]) => isLacking(copy) && isLacking(control.weakerCopies[name]))) {
    return proven('Tried: the token copies no keys (CKR_FUNCTION_NOT_SUPPORTED), not even one that may leave.');
  }
  const isCopied = (name: string) => !('refused' in (control.weakerCopies[name] ?? { refused: '' }));
  const telling = copies.filter(([name]) => isCopied(name));
  if (telling.length === 0) return notProvable('The token copies no key of this kind, not even one that may leave.');
  const answers = telling.map(
    ([name, copy]) => `${name} (${'refused' in copy ? copy.refused : 'the copy is as protected'})`,
  );
  const isClear = telling.every(([, copy]) => !('refused' in copy) || refusesTheCopy.includes(copy.refused));
  return isClear
    ? proven(`Tried, where a key that may leave was copied: a copy was asked for with ${list(answers)}.`)
    : notProvable(`The token made none, but may have had another reason: ${list(answers)}.`);
}

function use({ object }: Protected, { key }: ClaimFacts): Finding {
  const kind = object.class === 'secret' ? 'secret' : 'private';
  const may = allUseAttributes.filter((name) => shown(name, object) === true);
  const needed = usesOfKeyUsage[key.keyUsage]?.[kind] ?? [];
  const more = may.filter((name) => !needed.includes(name));
  if (more.length > 0)
    return failed(`The token says that it may be used for more than ${key.keyUsage}: ${list(more)}.`);
  const untold = useAttributes[kind].filter((name) => typeof shown(name, object) !== 'boolean');
  if (untold.length > 0) return notProvable(`The token does not tell ${list(untold)}.`);
  return asserted(`The token says ${may.length > 0 ? list(may) : 'no use'}, and no other use.`);
}

function mechanisms({ object }: Protected, { token }: ClaimFacts): Finding {
  const allowed = shown('CKA_ALLOWED_MECHANISMS', object);
  if (Array.isArray(allowed) && allowed.length > 0)
    return asserted(`The token says that it may be used by ${list(allowed)} only.`);
  const unkept = token.unkeptAttributes.includes('CKA_ALLOWED_MECHANISMS');
  return notProvable(
    unkept
      ? 'This kind of token does not keep CKA_ALLOWED_MECHANISMS.'
      : 'The token does not tell CKA_ALLOWED_MECHANISMS.',
  );
}

function generated(of: Protected, facts: ClaimFacts): Finding {
  if (isImported(facts.key)) return cameFromOutside;
  const local = attributeIs('CKA_LOCAL', true, of, facts);
  const mechanism = shown('CKA_KEY_GEN_MECHANISM', of.object);
  return local.verdict === 'asserted' && mechanism !== undefined
    ? asserted(`The token says CKA_LOCAL true and CKA_KEY_GEN_MECHANISM ${mechanism}.`)
    : local;
}

/** A claim on the past of key material, which is not known of what came from outside. */
const sinceItWasMade = (name: string) =>
  ofEachObject((of, facts) => (isImported(facts.key) ? cameFromOutside : attributeIs(name, true, of, facts)));

function answered({ id, publicKey, challenge }: MaterialEvidence, { key, payload }: ClaimFacts): Finding {
  if (challenge.kind === 'wrong') {
    return failed(`It did not answer by ${challenge.algorithm} as it should: ${challenge.what}.`);
  }
  if (challenge.kind === 'not asked') return notProvable(challenge.why);
  const { algorithm } = challenge;
  if (challenge.kind === 'round trip') {
    return asserted(
      `${algorithm} was tried with it, and its answers were right; who reads this later cannot repeat it without the service.`,
    );
  }
  const { nonce, from } = payload.challenge;
  const text = challengeText({ key: key.arn ?? key.keyId, material: id, nonce, madeAt: payload.madeAt });
  const spki = Buffer.from(publicKey ?? '', 'base64');
  const holds = isSignatureOf(spki, algorithm, text, Buffer.from(challenge.signature, 'base64'));
  if (holds === undefined) return notProvable(`This program does not verify ${algorithm}.`);
  if (!holds) return failed(`Its signature by ${algorithm} does not verify with its public key.`);
  return from === 'verifier'
    ? proven(`Its signature of the verifier's nonce by ${algorithm} verifies with its public key.`)
    : asserted(
        `Its signature by ${algorithm} verifies with its public key; the nonce is the program's own, so that only the time stated here says when it was made.`,
      );
}

function answersChallenge(facts: ClaimFacts): Finding {
  const there = facts.key.materials.filter(({ objects }) => objects.length > 0);
  return worst(
    there.map((material) => answered(material, facts)),
    nothingThere,
  );
}

function publicKeyMatches({ key }: ClaimFacts): Finding | undefined {
  const pairs = key.materials.filter(({ publicKey, objects }) => publicKey !== null && objects.length > 0);
  if (pairs.length === 0) return undefined;
  return worst(
    pairs.map(({ publicKey, publicKeySha256, objects }): Finding => {
      const spki = Buffer.from(publicKey ?? '', 'base64');
      if (createHash('sha256').update(spki).digest('hex') !== publicKeySha256) return failed('Its SHA-256 is another.');
      const inToken = objects.find((object) => object.class === 'public');
      const read = inToken && publicKeyOfObject(key.keySpec, inToken);
      if (read === undefined) return notProvable('The token shows no public key object to compare it with.');
      return read.equals(spki)
        ? asserted('It is the one that the public key object in the token has.')
        : failed('The public key object in the token is another.');
    }),
    nothingThere,
  );
}

function inHardware({ token }: ClaimFacts): Finding {
  const software = softwareTokens.find((each) => each.is(token));
  if (software) return notProvable(software.why);
  return notProvable(
    'PKCS#11 has no proof of it: what the token says of itself, any library could say. A vendor attestation of the key would prove it.',
  );
}

function attested({ key }: ClaimFacts): Finding {
  if (key.attestation === null) return notProvable('No attestation of the vendor is attached.');
  const { source, fileName } = key.attestation;
  const known = attestationSources.find(({ name }) => name === source);
  return notProvable(
    `${fileName} (${source}) is attached; nothing in it was checked here. ${known?.whatToDo ?? ''}`.trimEnd(),
  );
}

function runsInToken({ key, token }: ClaimFacts): Finding | undefined {
  const lines = token.algorithms.filter(({ spec, usage }) => spec === key.keySpec && usage === key.keyUsage);
  const offered = lines.filter(({ where }) => where !== 'not available');
  if (offered.length === 0) return undefined;
  const split = offered.filter(({ where }) => where === 'split');
  if (split.length > 0) {
    const parts = split.map(({ algorithm, detail }) => `${algorithm}: ${detail}`);
    return failed(`${list(parts)}; the setting splitOaep false forbids it.`);
  }
  return asserted(`Found by trying: ${list(offered.map(({ algorithm }) => algorithm ?? ''))}.`);
}

/** Every claim, in the order in which people read them. Who makes a bundle and who verifies it decide by this table. */
export const claims: readonly Claim[] = [
  { id: 'not-readable', title: 'Its value cannot be read out of the token', decide: ofEachObject(reading) },
  { id: 'not-wrappable', title: 'It cannot leave the token wrapped by another key', decide: ofEachObject(wrapping) },
  {
    id: 'no-weaker-copy',
    title: 'No copy can be made of it that is less protected',
    decide: ofEachObject(copying),
  },
  {
    id: 'sensitive',
    title: 'The token keeps its value secret',
    decide: ofEachObject((of, facts) => attributeIs('CKA_SENSITIVE', true, of, facts)),
  },
  {
    id: 'non-extractable',
    title: 'The token holds it as non-extractable',
    decide: ofEachObject((of, facts) => attributeIs('CKA_EXTRACTABLE', false, of, facts)),
  },
  { id: 'always-sensitive', title: 'Its value has always been secret', decide: sinceItWasMade('CKA_ALWAYS_SENSITIVE') },
  { id: 'never-extractable', title: 'It has never been extractable', decide: sinceItWasMade('CKA_NEVER_EXTRACTABLE') },
  { id: 'generated-in-token', title: 'It was generated in the token', decide: ofEachObject(generated) },
  { id: 'only-its-usage', title: 'It can be used for its key usage only', decide: ofEachObject(use) },
  {
    id: 'only-its-mechanisms',
    title: 'It can be used by the mechanisms that it needs only',
    decide: ofEachObject(mechanisms),
  },
  {
    id: 'answers-challenge',
    title: 'It could be used when this was made: it has answered a challenge',
    decide: answersChallenge,
  },
  { id: 'public-key', title: 'Its public key is the one in the token', decide: publicKeyMatches },
  { id: 'runs-in-token', title: 'All that is done with it is done in the token', decide: runsInToken },
  { id: 'in-hardware', title: 'The token is hardware', decide: inHardware },
  { id: 'attested', title: "The token's vendor attests it", decide: attested },
  {
    id: 'audited',
    title: 'What was done with it is on record',
    decide: ({ payload }) => decideOnCheckpoint(payload.auditCheckpoint),
  },
];

/** The verdicts on all claims about a key. */
export function decideClaims(facts: ClaimFacts): ClaimResult[] {
  return claims.flatMap(({ id, decide }) => {
    const finding = decide(facts);
    return finding ? [{ claim: id, ...finding }] : [];
  });
}
