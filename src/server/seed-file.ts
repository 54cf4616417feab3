import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { KeySpec } from '@aws-sdk/client-kms';
import { parse } from 'yaml';
import { parsePolicy } from '../authorization/policy/document.js';
import { parseInput } from '../contract/input.js';
import { KmsError } from '../contract/kms-error.js';
import type { OperationName, OperationTypes } from '../contract/operation-types.js';
import { importableSpecOf } from '../keys/import/wrapping-algorithms.js';
import { type Home, isKeyId, keyArn } from '../keys/key-reference.js';
import type { SupportedUsage } from '../keys/key-specs.js';
import { checkedTags } from '../keys/tags.js';
import { checkAliasName } from '../operations/aliases.js';
import { specAndUsageOf } from '../operations/create-key.js';
import { checkHasAutomaticRotation, usualPeriodDays } from '../operations/key-rotation.js';

/** A key of a seed file, checked as far as it can be without token and store. */
export interface SeededKey {
  /** Where it stands in the file: Keys[0]. */
  readonly at: string;
  readonly id: string;
  readonly spec: KeySpec;
  readonly usage: SupportedUsage;
  /** What CreateKey is asked. */
  readonly request: OperationTypes['CreateKey']['input'];
  /** With their prefix. */
  readonly aliases: readonly string[];
  readonly enabled: boolean;
  /** Undefined: no automatic rotation. */
  readonly rotationPeriodDays: number | undefined;
  /** To be imported: a secret key's bytes, or a private key as DER PKCS#8. */
  readonly material: Buffer | undefined;
}

/** What a seed file says. */
export interface Seed {
  /** As messages name it. */
  readonly file: string;
  readonly keys: readonly SeededKey[];
}

/** What is wrong in a seed file, or with it: for each fault the file, the path in it and a sentence, in a line. */
export class SeedError extends Error {
  override readonly name = 'SeedError';
}

/** Members of CreateKey's request. Its others make no sense here: keys in custom key stores cannot be seeded. */
const requestFields = [
  ...(['KeySpec', 'KeyUsage', 'Origin', 'MultiRegion', 'Description', 'Tags'] as const),
  ...(['Policy', 'BypassPolicyLockoutSafetyCheck'] as const),
];
const ownFields = ['KeyId', 'Aliases', 'Enabled', 'KeyRotationEnabled', 'RotationPeriodInDays', 'KeyMaterial'] as const;
const fields: readonly string[] = [...ownFields, ...requestFields];

type Fields = Readonly<Record<string, unknown>>;

/** Collects faults, so that all are told at once. */
export class Faults {
  private readonly lines: string[] = [];

  constructor(private readonly file: string) {}

  add(at: string, sentence: string): void {
    this.lines.push(`${this.file}: ${at}: ${sentence}`);
  }

  /** What `read` gives, or undefined and a fault when KMS would refuse it. */
  reading<T>(at: string, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof KmsError)) throw error;
      this.add(at, error.message);
      return undefined;
    }
  }

  /** @throws SeedError */
  throwIfAny(): void {
    if (this.lines.length === 1) throw new SeedError(this.lines[0]);
    if (this.lines.length > 1) throw new SeedError(`The seed does not fit.\n  ${this.lines.join('\n  ')}`);
  }
}

/**
 * Reads a seed file: YAML, or JSON. What a request can say is checked by the contract and the rules of the operation
 * that it would be sent to.
 *
 * @throws SeedError that tells of everything that does not fit
 */
export function readSeedFile(file: string, home: Home): Seed {
  const content = parsedFile(file);
  const faults = new Faults(file);
  if (!isMapping(content) || !Array.isArray(content.Keys)) {
    throw new SeedError(`${file}: Keys: a list of keys is expected, as in "Keys: [{KeyId: ...}]".`);
  }
  for (const name of Object.keys(content)) {
    if (name !== 'Keys') faults.add(name, 'is no field of a seed; its only one is Keys, and aliases belong to a key.');
  }
  const keys = content.Keys.map((entry: unknown, index) => readKey(entry, `Keys[${index}]`, home, faults));
  const complete = keys.filter((key) => key !== undefined);
  expectDifferent(complete, faults);
  faults.throwIfAny();
  return { file, keys: complete };
}

function parsedFile(file: string): unknown {
  try {
    return parse(readFileSync(file, 'utf8'), { logLevel: 'error' });
  } catch (error) {
    // a YAML error shows the lines around it, too, which may hold key material
    const [reason = ''] = (error as Error).message.split('\n');
    throw new SeedError(`The seed file ${file} cannot be read: ${reason.replace(/:$/, '.')}`);
  }
}

function readKey(entry: unknown, at: string, home: Home, faults: Faults): SeededKey | undefined {
  if (!isMapping(entry)) {
    faults.add(at, 'must hold names and values, as in "KeyId: ...".');
    return undefined;
  }
  for (const name of Object.keys(entry)) {
    if (!fields.includes(name)) {
      faults.add(`${at}.${name}`, `is no field of a seeded key; these are ${fields.join(', ')}.`);
    }
  }
  // as in a request, what is null is as good as absent
  const given = Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== null));
  const { KeyId: id } = given;
  if (typeof id !== 'string' || !isKeyId(id)) {
    faults.add(`${at}.KeyId`, 'must be a UUID in lower case, or mrk- and 32 hexadecimal digits in lower case.');
    return undefined;
  }
  const request = requestOf(given, id, at, faults);
  const kind = faults.reading(`${at}.KeySpec`, () => specAndUsageOf(request));
  const aliases = aliasesOf(given.Aliases ?? [], id, at, faults);
  const enabled = truthOf(given, 'Enabled', at, faults) ?? true;
  if (kind === undefined) return undefined;
  if (!enabled && request.Origin === 'EXTERNAL') {
    faults.add(`${at}.Enabled`, 'keys with Origin: EXTERNAL cannot be seeded disabled; they wait for their material.');
  }
  return {
    ...{ at, id, ...kind, request, aliases, enabled },
    rotationPeriodDays: rotationOf(given, { ...kind, origin: request.Origin, arn: keyArn(home, id) }, at, faults),
    material: materialOf(given.KeyMaterial, request.Origin, kind.spec, `${at}.KeyMaterial`, faults),
  };
}

/** CreateKey's request, each member read by itself so that faults have a path. */
function requestOf(given: Fields, id: string, at: string, faults: Faults): SeededKey['request'] {
  const request: SeededKey['request'] = {};
  for (const name of requestFields) {
    const value = name === 'Policy' && isMapping(given[name]) ? JSON.stringify(given[name]) : given[name];
    if (value === undefined) continue;
    faults.reading(`${at}.${name}`, () => {
      const read = requested('CreateKey', { [name]: value });
      if (read.Tags) checkedTags(read.Tags);
      if (read.Policy !== undefined) parsePolicy(read.Policy, 'key');
      Object.assign(request, read);
    });
  }
  const isMultiRegion = id.startsWith('mrk-');
  if (request.MultiRegion !== undefined && request.MultiRegion !== isMultiRegion) {
    faults.add(`${at}.MultiRegion`, 'the ids of multi-Region keys, and only these, begin with mrk-.');
  }
  if (request.Origin !== undefined && request.Origin !== 'AWS_KMS' && request.Origin !== 'EXTERNAL') {
    faults.add(`${at}.Origin`, 'must be AWS_KMS or EXTERNAL: keys in key stores cannot be seeded.');
  }
  return { ...request, MultiRegion: isMultiRegion };
}

function aliasesOf(value: unknown, id: string, at: string, faults: Faults): string[] {
  if (!Array.isArray(value)) {
    faults.add(`${at}.Aliases`, 'must be a list, as in [alias/one, alias/other].');
    return [];
  }
  for (const [index, name] of value.entries()) {
    faults.reading(`${at}.Aliases[${index}]`, () =>
      checkAliasName(requested('CreateAlias', { AliasName: name, TargetKeyId: id }).AliasName),
    );
  }
  return value;
}

type RotatedKey = Parameters<typeof checkHasAutomaticRotation>[0];

function rotationOf(
  given: Fields,
  { arn, spec, origin = 'AWS_KMS' }: Pick<RotatedKey, 'arn' | 'spec'> & { origin: RotatedKey['origin'] | undefined },
  at: string,
  faults: Faults,
): number | undefined {
  const isOn = truthOf(given, 'KeyRotationEnabled', at, faults);
  const { RotationPeriodInDays: period } = given;
  if (isOn === false && period !== undefined) {
    faults.add(`${at}.RotationPeriodInDays`, 'is given, and KeyRotationEnabled is false.');
  }
  if (!isOn && period === undefined) return undefined;
  const input = { KeyId: arn, RotationPeriodInDays: period ?? usualPeriodDays };
  return faults.reading(`${at}.${period === undefined ? 'KeyRotationEnabled' : 'RotationPeriodInDays'}`, () => {
    const { RotationPeriodInDays } = requested('EnableKeyRotation', input);
    checkHasAutomaticRotation({ arn, spec, origin, customKeyStoreId: undefined });
    return RotationPeriodInDays;
  });
}

/** The bytes; no message repeats any of them. */
function materialOf(
  value: unknown,
  origin: string | undefined,
  spec: KeySpec,
  at: string,
  faults: Faults,
): Buffer | undefined {
  if (value === undefined) return undefined;
  if (origin !== 'EXTERNAL') {
    faults.add(at, 'is for keys with Origin: EXTERNAL; the token makes the material of all others.');
    return undefined;
  }
  faults.reading(at, () => importableSpecOf(spec));
  const text = typeof value === 'string' ? value : '';
  const bytes = text.includes('-----BEGIN') ? fromPem(text) : fromBase64(text.replace(/\s/g, ''));
  if (!bytes?.length) faults.add(at, 'must be base64, or a private key in PEM.');
  return bytes;
}

function fromPem(text: string): Buffer | undefined {
  try {
    return createPrivateKey(text).export({ type: 'pkcs8', format: 'der' });
  } catch {
    return undefined;
  }
}

function fromBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

/** Ids and aliases are of one key each. */
function expectDifferent(keys: readonly SeededKey[], faults: Faults): void {
  const seen = new Map<string, string>();
  const expectNew = (name: string, at: string) => {
    const before = seen.get(name);
    if (before === undefined) seen.set(name, at);
    else faults.add(at, `${name} is at ${before} already.`);
  };
  for (const { at, id, aliases } of keys) {
    expectNew(id, `${at}.KeyId`);
    for (const [index, name] of aliases.entries()) expectNew(name, `${at}.Aliases[${index}]`);
  }
}

function truthOf(given: Fields, name: string, at: string, faults: Faults): boolean | undefined {
  const value = given[name];
  if (value === undefined || typeof value === 'boolean') return value;
  faults.add(`${at}.${name}`, 'must be true or false.');
  return undefined;
}

/** As the body of a request would be read. @throws KmsError */
function requested<N extends OperationName>(operation: N, body: object): OperationTypes[N]['input'] {
  return parseInput(operation, Buffer.from(JSON.stringify(body)));
}

function isMapping(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
