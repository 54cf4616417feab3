import { type Shape, shapeNamed } from '../../../src/contract/model.js';

interface Patterned {
  /** A string of a length that matches, where one of that length does. */
  of(length: number): string;
  /** One of an allowed length that does not match. */
  readonly broken: string;
}

const repeated =
  (character: string): Patterned['of'] =>
  (length) =>
    character.repeat(length);
const begun =
  (prefix: string): Patterned['of'] =>
  (length) =>
    prefix.padEnd(length, 'a').slice(0, length);

/** By the name of the shape: what matches the patterns of the model, and what does not. */
const patterned: Readonly<Record<string, Patterned>> = {
  AccountIdType: { of: repeated('1'), broken: 'aaaaaaaaaaaa' },
  AliasNameType: { of: begun('alias/'), broken: 'alias/a b' },
  BackingKeyIdType: { of: repeated('a'), broken: 'A'.repeat(64) },
  CloudHsmClusterIdType: { of: begun('cluster-'), broken: 'cluster-aaaaaaaaaa1' },
  GrantConstraintSourceArnType: { of: begun('arn:aws:s3::000000000000:'), broken: 'arn:aws:s3:::without-account' },
  GrantNameType: { of: repeated('a'), broken: 'a b' },
  KeyMaterialDescriptionType: { of: repeated('a'), broken: 'a?b' },
  MarkerType: { of: repeated('a'), broken: 'a\u0100' },
  PolicyNameType: { of: repeated('a'), broken: 'a-b' },
  PolicyType: { of: repeated('a'), broken: 'a\u000b' },
  // of another account: of its own the service knows who exists
  PrincipalIdType: { of: begun('arn:aws:iam::111122223333:user/'), broken: 'arn:aws:iam::111122223333:user/*' },
  RegionType: {
    of: (length) => '-a-1'.padStart(length, 'a').slice(Math.max(4 - length, 0)),
    broken: 'us-east',
  },
  ServicePrincipalType: { of: begun('a.a.'), broken: 'amazonaws.com' },
  XksKeyIdType: { of: repeated('a'), broken: 'a/b' },
  XksProxyAuthenticationAccessKeyIdType: { of: repeated('A'), broken: 'A'.repeat(19).concat('1') },
  XksProxyAuthenticationRawSecretAccessKeyType: { of: repeated('a'), broken: '-'.repeat(43) },
  XksProxyUriEndpointType: { of: begun('https://'), broken: 'http://example.com' },
  XksProxyUriPathType: {
    of: (length) => (length > 12 ? `/${'a'.repeat(length - 12)}/kms/xks/v1` : '/kms/xks/v12'.slice(0, length)),
    broken: '/kms/xks/v123',
  },
  XksProxyVpcEndpointServiceNameType: {
    of: begun('com.amazonaws.vpce.us-east-1.vpce-svc-'),
    broken: 'com.amazonaws.vpce.us-east-1.svc-1',
  },
};

/** @throws Error for a shape that the table does not have: AWS has added one */
function patternedNamed(name: string): Patterned {
  const entry = patterned[name];
  if (entry === undefined) throw new Error(`samples.ts has no sample for the pattern of ${name}`);
  return entry;
}

const base64 = (bytes: number): string => Buffer.alloc(bytes, 1).toString('base64');

/** A value that meets all constraints, as JSON. */
export function validValue(name: string): unknown {
  const shape = shapeNamed(name);
  switch (shape.type) {
    case 'structure':
      return Object.fromEntries(
        Object.entries(shape.members)
          .filter(([member]) => shape.required?.includes(member))
          .map(([member, target]) => [member, validValue(target)]),
      );
    case 'list':
      return [validValue(shape.member)];
    case 'map':
      return { name: 'value' };
    case 'integer':
      return shape.min ?? 1;
    case 'boolean':
      return false;
    case 'timestamp':
      return 1_800_000_000;
    case 'blob':
      return base64(shape.min ?? 1);
    case 'string': {
      if (shape.enum) return shape.enum[0];
      // 40 are enough for what the longest pattern has to begin with
      const length = Math.min(Math.max(shape.min ?? 0, 40), shape.max ?? 40);
      return shape.pattern === undefined ? 'a'.repeat(length) : patternedNamed(name).of(length);
    }
  }
}

/** Values of a scalar shape about its bounds, patterns and enumerations; some are valid, some are not. */
export function boundaryValues(name: string): unknown[] {
  const shape = shapeNamed(name);
  const bounds = boundsOf(shape);
  if (shape.type === 'integer') return [...bounds, ...bounds.map((bound) => bound + 0.5)];
  if (shape.type === 'blob') return bounds.filter((length) => length >= 0).map(base64);
  if (shape.type !== 'string') return [];
  const of = shape.pattern === undefined ? repeated('a') : patternedNamed(name).of;
  const values = bounds.filter((length) => length >= 0).map(of);
  if (shape.pattern !== undefined) values.push(patternedNamed(name).broken, `${of(shape.max ?? 40)}\n`);
  if (shape.enum) values.push('', 'x', ...shape.enum, ...shape.enum.slice(0, 1).map(otherCase), `${shape.enum[0]} `);
  return [...new Set(values)];
}

function boundsOf(shape: Shape): number[] {
  const { min, max } = shape as { min?: number; max?: number };
  return [...(min === undefined ? [] : [min - 1, min]), ...(max === undefined ? [] : [max, max + 1])];
}

function otherCase(text: string): string {
  return text === text.toUpperCase() ? text.toLowerCase() : text.toUpperCase();
}
