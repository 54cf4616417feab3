import { type Constraint, integerConstraints, lengthConstraints, stringConstraints } from '../contract/constraints.js';
import { Violations } from '../contract/violations.js';
import type { QueryParameters } from './query-parameters.js';
import { StsError } from './sts-error.js';

/** The parameters of AssumeRole, checked. */
export interface AssumeRoleInput {
  readonly roleArn: string;
  readonly roleSessionName: string;
  /** Session policy: JSON. */
  readonly policy: string | undefined;
  readonly policyArns: readonly string[];
  readonly durationSeconds: number | undefined;
  /** Keys that differ in case only are refused. */
  readonly tags: ReadonlyMap<string, string>;
  /** Keys of `tags`, spelled as they are there. */
  readonly transitiveTagKeys: readonly string[];
  readonly externalId: string | undefined;
  readonly sourceIdentity: string | undefined;
}

type Check = readonly Constraint<string>[];

const text = (min: number, max: number, pattern?: string): Check =>
  stringConstraints({ type: 'string', min, max, ...(pattern !== undefined && { pattern }) });

const arn = text(20, 2048);
const tagKey = text(1, 128, '[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+');
const tagValue = text(0, 256, '[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*');
const duration = integerConstraints({ type: 'integer', min: 900, max: 43_200 });
const mostTags = lengthConstraints({ type: 'list', member: 'Tag', max: 50 });
const mostPolicyArns = lengthConstraints({ type: 'list', member: 'PolicyDescriptorType', max: 10 });

/** STS's API model; a session policy may be as long as its documentation says. */
const checks = {
  RoleArn: arn,
  RoleSessionName: text(2, 64, '[\\w+=,.@-]*'),
  Policy: text(1, 2048, '[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+'),
  ExternalId: text(2, 1224, '[\\w+=,.@:\\/-]*'),
  SourceIdentity: text(2, 64, '[\\w+=,.@-]*'),
  SerialNumber: text(9, 256, '[\\w+=/:,.@-]*'),
  TokenCode: text(6, 6, '[\\d]*'),
} as const satisfies Record<string, Check>;

const missing = 'Member must not be null';

/**
 * Reads the parameters of AssumeRole.
 *
 * @throws KmsError ValidationException that lists every constraint that is not met; StsError InvalidParameterValue,
 * ValidationError, and AccessDenied for a token code
 */
export function readAssumeRoleInput(parameters: QueryParameters): AssumeRoleInput {
  const found = new Violations();
  const read = (name: keyof typeof checks): string | undefined => {
    const value = parameters.get(name);
    if (value !== undefined) check(value, checks[name], lowerCamel(name), found);
    return value;
  };
  const required = (name: keyof typeof checks): string => {
    const value = read(name);
    if (value === undefined) found.add(lowerCamel(name), null, missing);
    return value ?? '';
  };
  const roleArn = required('RoleArn');
  const roleSessionName = required('RoleSessionName');
  const policy = read('Policy');
  const policyArns = readPolicyArns(parameters, found);
  const durationSeconds = readDuration(parameters.get('DurationSeconds'), found);
  const tags = readTags(parameters, found);
  const transitiveTagKeys = readTransitiveTagKeys(parameters, found);
  const externalId = read('ExternalId');
  const sourceIdentity = read('SourceIdentity');
  const mfa = [read('SerialNumber'), read('TokenCode')];
  found.throwIfAny();
  refuseUnsupported(parameters, mfa);
  if (!arnForm.test(roleArn)) throw new StsError('ValidationError', `${roleArn} is invalid`);
  const spelling = checkTags(tags);
  return {
    roleArn,
    roleSessionName,
    policy,
    policyArns,
    durationSeconds,
    tags: new Map(tags),
    transitiveTagKeys: [...new Set(transitiveTagKeys.map((key) => spelledAs(key, spelling)))],
    externalId,
    sourceIdentity,
  };
}

const arnForm = /^arn:[\w-]+:[\w-]+:[\w-]*:\w*:[!-~]+$/;

function readPolicyArns(parameters: QueryParameters, found: Violations): string[] {
  const policyArns = parameters.structures('PolicyArns').map((descriptor) => descriptor.get('arn') ?? '');
  check(policyArns, mostPolicyArns, 'policyArns', found);
  policyArns.forEach((each, index) => {
    check(each, arn, `policyArns.${index + 1}.member.arn`, found);
  });
  return policyArns;
}

function readDuration(value: string | undefined, found: Violations): number | undefined {
  if (value === undefined) return undefined;
  if (!/^-?\d+$/.test(value)) found.add('durationSeconds', value, 'Member must be a whole number');
  else check(Number(value), duration, 'durationSeconds', found);
  return Number(value);
}

function readTags(parameters: QueryParameters, found: Violations): [string, string][] {
  const elements = parameters.structures('Tags');
  check(elements, mostTags, 'tags', found);
  return elements.map((element, index) => {
    const at = `tags.${index + 1}.member`;
    for (const [name, constraints] of [
      ['Key', tagKey],
      ['Value', tagValue],
    ] as const) {
      const value = element.get(name);
      if (value === undefined) found.add(`${at}.${lowerCamel(name)}`, null, missing);
      else check(value, constraints, `${at}.${lowerCamel(name)}`, found);
    }
    return [element.get('Key') ?? '', element.get('Value') ?? ''];
  });
}

function readTransitiveTagKeys(parameters: QueryParameters, found: Violations): string[] {
  const keys = parameters.list('TransitiveTagKeys');
  check(keys, mostTags, 'transitiveTagKeys', found);
  keys.forEach((key, index) => {
    check(key, tagKey, `transitiveTagKeys.${index + 1}.member`, found);
  });
  return keys;
}

/** What would make a session stricter or wider than one that is made here: it must not be overlooked. */
function refuseUnsupported(parameters: QueryParameters, mfa: readonly (string | undefined)[]): void {
  if (mfa.some((value) => value !== undefined)) {
    const sentence =
      'MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user.';
    throw new StsError('AccessDenied', sentence);
  }
  if (parameters.structures('ProvidedContexts').length > 0) {
    throw new StsError(
      'InvalidParameterValue',
      'ProvidedContexts cannot be given: there are no context providers here.',
    );
  }
}

/** @returns tag keys in lower case -> as they are spelled. @throws StsError InvalidParameterValue */
function checkTags(tags: readonly (readonly [string, string])[]): ReadonlyMap<string, string> {
  const spelling = new Map<string, string>();
  for (const [key] of tags) {
    const folded = key.toLowerCase();
    if (folded.startsWith('aws:')) {
      throw new StsError('InvalidParameterValue', 'Tag keys beginning with aws: are reserved.');
    }
    if (spelling.has(folded)) {
      const sentence = 'Duplicate tag keys found. Please note that Tag keys are case insensitive.';
      throw new StsError('InvalidParameterValue', sentence);
    }
    spelling.set(folded, key);
  }
  return spelling;
}

/** @throws StsError InvalidParameterValue */
function spelledAs(key: string, spelling: ReadonlyMap<string, string>): string {
  const spelled = spelling.get(key.toLowerCase());
  if (spelled !== undefined) return spelled;
  const sentence = 'The specified transitive tag key must be included in the requested tags.';
  throw new StsError('InvalidParameterValue', sentence);
}

function check<T>(value: T, constraints: readonly Constraint<T>[], at: string, found: Violations): void {
  for (const { holds, text } of constraints) {
    if (!holds(value)) found.add(at, typeof value === 'object' ? undefined : String(value), text);
  }
}

function lowerCamel(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}
