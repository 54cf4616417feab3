import type pkcs11 from 'pkcs11js';
import type { AttemptEvidence, AttributeReading, ObjectEvidence } from '../../evidence/bundle.js';
import { type AttributeName, keyType, objectClass } from '../../token/attributes.js';
import type { ExtractionTrial, Outcome } from '../../token/extraction-trial.js';
import { mechanismNameOf } from '../../token/mechanism-names.js';
import { TokenError } from '../../token/return-values.js';
import type { WrappingWay } from '../../token/wrapping-ways.js';

/** What a token answered, as evidence has it. */

/** CK_UNAVAILABLE_INFORMATION: all bits of a CK_ULONG set. */
const unavailable = 'CK_UNAVAILABLE_INFORMATION';
const ulong = (value: number) => (Number.isSafeInteger(value) ? value : unavailable);

const objectClassNames: Readonly<Record<number, string>> = {
  [objectClass.public]: 'CKO_PUBLIC_KEY',
  [objectClass.private]: 'CKO_PRIVATE_KEY',
  [objectClass.secret]: 'CKO_SECRET_KEY',
};
const keyTypeNames: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(keyType).map(([name, number]) => [number, `CKK_${name}`]),
);
const mechanismName = (type: number) => (Number.isSafeInteger(type) ? mechanismNameOf(type) : unavailable);

/** Attributes whose numbers have names. */
const namings: { readonly [N in AttributeName]?: (value: number) => string | number } = {
  CKA_CLASS: (value) => objectClassNames[value] ?? ulong(value),
  CKA_KEY_TYPE: (value) => keyTypeNames[value] ?? ulong(value),
  CKA_KEY_GEN_MECHANISM: mechanismName,
};

type Value = boolean | number | string | Buffer | readonly number[];

function readable(name: AttributeName, value: Value): boolean | number | string | string[] {
  if (Buffer.isBuffer(value)) return value.toString('hex');
  if (typeof value === 'number') return namings[name]?.(value) ?? ulong(value);
  if (typeof value === 'object') return value.map(mechanismName);
  // what is no text is not to look like one
  return typeof value === 'string' ? value.toWellFormed() : value;
}

/** An error without a code is pkcs11js's: it has found no value. */
export const refusalOf = ({ returnValue, ckr }: TokenError) => ({
  refused: ckr === undefined ? 'no value' : returnValue,
  ckr: ckr ?? null,
});

const attemptOf = (outcome: Outcome): AttemptEvidence =>
  'bytes' in outcome ? { givenBytes: outcome.bytes } : refusalOf(outcome.refused);

const record = <K, V, T>(map: ReadonlyMap<K, V>, name: (key: K) => string, value: (each: V) => T): Record<string, T> =>
  Object.fromEntries([...map].map(([key, each]) => [name(key), value(each)]));
const itself = (name: string) => name;

/** What came of the attempts to get the value of a key. */
export function attemptsOn(trial: ExtractionTrial, handle: pkcs11.Handle, ways: readonly WrappingWay[]) {
  return {
    secretReads: record(trial.secretReads(handle), itself, attemptOf),
    wraps: record(trial.wraps(handle, ways), ({ name }) => name, attemptOf),
    weakerCopies: record(trial.weakerCopies(handle), itself, (copy) =>
      'refused' in copy ? refusalOf(copy.refused) : copy,
    ),
  };
}

/** An object in the token, read and tried. */
export function readObject(
  trial: ExtractionTrial,
  kind: ObjectEvidence['class'],
  handle: pkcs11.Handle,
  ways: readonly WrappingWay[],
): ObjectEvidence {
  const isPublic = kind === 'public';
  const attributes: Record<string, AttributeReading> = {};
  for (const [name, value] of trial.attributes(handle, isPublic)) {
    attributes[name] = value instanceof TokenError ? refusalOf(value) : { value: readable(name, value) };
  }
  return { class: kind, attributes, ...(!isPublic && attemptsOn(trial, handle, ways)) };
}
