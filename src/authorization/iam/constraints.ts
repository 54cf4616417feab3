import { IamError, quotaExceeded } from './iam-error.js';

/** What the value of a parameter may be. Lengths are in UTF-16 code units. */
interface Constraint {
  readonly least?: number;
  readonly most: number;
  readonly pattern?: RegExp;
  /** How AWS says what the pattern allows, where it does not print the pattern. */
  readonly alphabet?: string;
}

const names = 'alphanumeric characters and/or the following: +=,.@_-';
const namePattern = /^[\w+=,.@-]+$/;
const pathPattern = /^(?:\/|\/[!-~]+\/)$/;

/** IAM's API model. */
const constraints = {
  userName: { most: 64, pattern: namePattern, alphabet: names },
  roleName: { most: 64, pattern: namePattern, alphabet: names },
  policyName: { most: 128, pattern: namePattern, alphabet: names },
  path: { most: 512, pattern: pathPattern },
  policyPath: { most: 512, pattern: /^(?:\/[A-Za-z0-9.,+@=_-]+)*\/$/ },
  policyDocument: {
    most: 131_072,
    pattern: /^[\t\n\r\u0020-\u00ff]+$/,
    alphabet: 'printable ASCII characters',
  },
  description: { least: 0, most: 1000, pattern: /^[\t\n\r\u0020-\u007e\u00a1-\u00ff]*$/ },
  tagKey: { most: 128, pattern: /^[\p{L}\p{Z}\p{N}_.:/=+\-@]+$/u },
  tagValue: { least: 0, most: 256, pattern: /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u },
} as const satisfies Record<string, Constraint>;

export type Constrained = keyof typeof constraints;

/** @throws IamError ValidationError */
export function checkValue(parameter: Constrained, value: string): void {
  const { least = 1, most, pattern, alphabet }: Constraint = constraints[parameter];
  if (value.length < least) throw invalid(parameter, `Member must have length greater than or equal to ${least}`);
  if (value.length > most) throw invalid(parameter, `Member must have length less than or equal to ${most}`);
  if (pattern === undefined || pattern.test(value)) return;
  if (alphabet === undefined) {
    throw invalid(parameter, `Member must satisfy regular expression pattern: ${pattern.source}`);
  }
  const sentence = `The specified value for ${parameter} is invalid. It must contain only ${alphabet}`;
  throw new IamError('ValidationError', sentence);
}

const sessionSeconds = { least: 3_600, most: 43_200 };

/** @param seconds MaxSessionDuration of a role. @throws IamError ValidationError */
export function checkMaxSessionDuration(seconds: number): void {
  if (Number.isInteger(seconds) && seconds >= sessionSeconds.least && seconds <= sessionSeconds.most) return;
  const { least, most } = sessionSeconds;
  throw invalid('maxSessionDuration', `Member must be a whole number between ${least} and ${most}`);
}

function invalid(parameter: string, constraint: string): IamError {
  const sentence = `1 validation error detected: Value at '${parameter}' failed to satisfy constraint: ${constraint}`;
  return new IamError('ValidationError', sentence);
}

const mostTags = 50;

/** IAM's tag keys are the same when they differ in case only. */
export function foldedTagKey(key: string): string {
  return key.toLowerCase();
}

/**
 * @param tags all that a user or a role is to have
 * @param quota TagsPerUser, TagsPerRole
 * @throws IamError ValidationError, InvalidInput, LimitExceeded
 */
export function checkTags(tags: readonly (readonly [key: string, value: string])[], quota: string): void {
  const seen = new Set<string>();
  for (const [key, value] of tags) {
    checkValue('tagKey', key);
    checkValue('tagValue', value);
    const folded = foldedTagKey(key);
    if (folded.startsWith('aws:')) throw new IamError('InvalidInput', 'Tag keys beginning with aws: are reserved.');
    if (seen.has(folded)) {
      const sentence = 'Duplicate tag keys found. Please note that Tag keys are case insensitive.';
      throw new IamError('InvalidInput', sentence);
    }
    seen.add(folded);
  }
  if (tags.length > mostTags) throw quotaExceeded(quota, mostTags);
}
