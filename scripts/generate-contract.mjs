/**
 * Writes the contract of the KMS API as data: src/contract/kms-model.json and src/contract/operation-types.ts.
 *
 *     node scripts/generate-contract.mjs [service-2.json(.gz)]
 *
 * Two public sources are merged, documentation left out:
 * - botocore's service model (of the Python on the PATH when no file is named): shapes and constraints;
 * - @aws-sdk/client-kms of node_modules, often newer: operations, members and enum values that botocore lacks, HTTP
 *   status of server faults. It carries no minimum, maximum or pattern: those of new shapes are in `overlay` below.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

/**
 * What neither source says by itself. An entry counts only while botocore does not know the shape, so that an entry
 * that botocore has caught up with is harmless. Sources: [B] botocore 1.43.107, [D] the API's documentation.
 */
const overlay = {
  shapes: {
    // [B]
    ServicePrincipalType: {
      type: 'string',
      min: 1,
      max: 128,
      pattern: '^([A-Za-z0-9\\-]+)\\.([A-Za-z0-9\\-]+)(\\.[A-Za-z0-9\\-]+)+$',
    },
    // [B]
    GrantConstraintSourceArnType: {
      type: 'string',
      min: 20,
      max: 512,
      pattern: '^arn:aws[a-z0-9-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:.+$',
    },
  },
  /** Member name -> shape, where no member of that name in botocore and no enum of the SDK tells it. */
  members: {
    GranteeServicePrincipal: 'ServicePrincipalType', // [B]
    RetiringServicePrincipal: 'ServicePrincipalType', // [B]
    SourceArn: 'GrantConstraintSourceArnType', // [B]
    SharedSecretCiphertextBlob: 'CiphertextType', // [D] 768, 1088 or 1568 bytes, by key spec
  },
  /** Errors of operations that only the SDK knows; its schemas do not say which operation throws what. [D] */
  errors: {
    Encapsulate: [
      'DependencyTimeoutException',
      'DisabledException',
      'DryRunOperationException',
      'InvalidGrantTokenException',
      'InvalidKeyUsageException',
      'KeyUnavailableException',
      'KMSInternalException',
      'KMSInvalidStateException',
      'NotFoundException',
    ],
    Decapsulate: [
      'DependencyTimeoutException',
      'DisabledException',
      'DryRunOperationException',
      'InvalidCiphertextException',
      'InvalidGrantTokenException',
      'InvalidKeyUsageException',
      'KeyUnavailableException',
      'KMSInternalException',
      'KMSInvalidStateException',
      'NotFoundException',
    ],
  },
};

const require = createRequire(import.meta.url);
const sdk = require('@aws-sdk/client-kms');
const sdkPackage = require('@aws-sdk/client-kms/package.json');
const sdkTypes = readFileSync(require.resolve('@aws-sdk/client-kms/dist-types/models/models_0.d.ts'), 'utf8');

/** Tags of the SDK's schema tuples: `[kind, namespace, name, traits, ...]`. */
const kind = { simple: 0, structure: 3, error: -3, operation: 9 };
/** Sensitivity bit of the traits of a simple schema. */
const sensitiveTrait = 8;
/** The SDK's numbers of simple types -> type of the service model; 64 added for a list, 128 for a map. */
const simpleTypes = new Map([
  [0, 'string'],
  [1, 'integer'],
  [2, 'boolean'],
  [4, 'timestamp'],
  [21, 'blob'],
]);
const listBit = 64;
const mapBit = 128;

const botocore = readBotocore(process.argv[2]);
const model = botocore.model;
const shapes = botocoreShapes();
const operations = botocoreOperations();
const sdkSchemas = Object.values(sdk).filter((value) => Array.isArray(value) && value[1] === 'com.amazonaws.kms');
const shapesOfMember = memberIndex();

mergeEnums();
for (const schema of sdkSchemas) if (schema[0] === kind.operation) mergeOperation(schema);
for (const schema of sdkSchemas) if (schema[0] === kind.structure && shapes.has(schema[2])) mergeStructure(schema);
const errors = mergeErrors();
write();

/** The service model, and the version of botocore when it was found through Python. */
function readBotocore(given) {
  if (given !== undefined) return { model: parseModel(given), version: undefined };
  const script =
    'import botocore, glob, os; print(botocore.__version__); ' +
    'print(sorted(glob.glob(os.path.join(os.path.dirname(botocore.__file__), "data/kms/*/service-2.json*")))[-1])';
  const [version, path] = execFileSync('python3', ['-c', script], { encoding: 'utf8' }).trim().split('\n');
  return { model: parseModel(path), version };
}

function parseModel(path) {
  const bytes = readFileSync(path);
  const gzipped = bytes[0] === 0x1f && bytes[1] === 0x8b;
  return JSON.parse((gzipped ? gunzipSync(bytes) : bytes).toString('utf8'));
}

/** Shapes of inputs and outputs, reduced to what a validator needs. Exceptions are kept apart, as name -> status. */
function botocoreShapes() {
  const kept = new Map();
  for (const [name, shape] of Object.entries(model.shapes)) if (!shape.exception) kept.set(name, reduceShape(shape));
  return kept;
}

function reduceShape({ type, members, required, member, key, value, min, max, pattern, enum: values, sensitive }) {
  const shape = { type };
  if (members) {
    shape.members = Object.fromEntries(Object.entries(members).map(([name, target]) => [name, target.shape]));
    if (required?.length) shape.required = required;
  }
  if (member) shape.member = member.shape;
  if (key) Object.assign(shape, { key: key.shape, value: value.shape });
  return Object.assign(shape, defined({ min, max, pattern, enum: values, sensitive }));
}

function defined(fields) {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function botocoreOperations() {
  const entries = Object.entries(model.operations).map(([name, { input, output, errors: thrown = [] }]) => [
    name,
    { ...defined({ input: input?.shape, output: output?.shape }), errors: thrown.map((error) => error.shape).sort() },
  ]);
  return new Map(entries);
}

/** Member name -> names of the shapes that botocore gives it, over all structures. */
function memberIndex() {
  const index = new Map();
  for (const { members } of shapes.values()) {
    for (const [name, shape] of Object.entries(members ?? {})) {
      if (!index.has(name)) index.set(name, new Set());
      index.get(name).add(shape);
    }
  }
  return index;
}

/** Values that AWS added to an enum since botocore's release. The SDK exports an enum under the name of its shape. */
function mergeEnums() {
  for (const [name, shape] of shapes) {
    const values = Object.values(sdk[name] ?? {});
    if (shape.enum) shape.enum = [...new Set([...shape.enum, ...values])];
  }
}

function mergeOperation([, , name, , input, output]) {
  if (operations.has(name)) return;
  const thrown = overlay.errors[name];
  if (!thrown) throw new Error(`only the SDK knows ${name}: its errors are needed in overlay.errors`);
  const [request, response] = [resolve(input), resolve(output)];
  operations.set(name, { ...defined({ input: added(request), output: added(response) }), errors: thrown });
}

/** Name of a structure, made known when it is new; undefined for the unit type. */
function added(schema) {
  if (schema === 'unit') return undefined;
  if (!shapes.has(schema[2])) shapes.set(schema[2], { type: 'structure', members: {} });
  mergeStructure(schema, true);
  return schema[2];
}

/**
 * Adds the members that a structure of botocore lacks. `required` becomes what both sources require: AWS relaxes it in
 * new releases and never tightens it.
 */
function mergeStructure([, , name, , memberNames, memberTypes, requiredCount = 0], isNew = false) {
  const shape = shapes.get(name);
  memberNames.forEach((member, index) => {
    shape.members[member] ??= shapeOfMember(name, member, memberTypes[index]);
  });
  const required = memberNames.slice(0, requiredCount);
  const both = isNew ? required : (shape.required ?? []).filter((member) => required.includes(member));
  delete shape.required;
  if (both.length > 0) shape.required = both;
}

/** Name of the shape of a member that only the SDK knows. */
function shapeOfMember(structure, member, memberType) {
  const schema = resolve(memberType);
  if (Array.isArray(schema)) return named(structure, member, schema);
  const fromOverlay = overlay.members[member];
  if (fromOverlay) {
    if (!shapes.has(fromOverlay)) shapes.set(fromOverlay, overlay.shapes[fromOverlay]);
    return fromOverlay;
  }
  const enumName = enumOfMember(structure, member);
  if (enumName) return enumShape(enumName, schema);
  const [shape, ...others] = shapesOfMember.get(member) ?? [];
  if (shape && others.length === 0 && sdkType(shape) === schema) return shape;
  throw new Error(`the shape of ${structure}.${member} is not known: it is needed in overlay.members`);
}

/** A schema that carries its own name: a structure or a simple type with a trait (sensitive). */
function named(structure, member, schema) {
  const [schemaKind, , name, traits, target] = schema;
  if (schemaKind === kind.structure) return added(schema);
  if (schemaKind !== kind.simple) throw new Error(`${structure}.${member} has a schema of unknown kind ${schemaKind}`);
  if (!shapes.has(name)) {
    const shape = overlay.shapes[name] ?? { type: simpleTypes.get(target) };
    shapes.set(name, traits & sensitiveTrait ? { ...shape, sensitive: true } : shape);
  }
  return name;
}

/** A reference in the SDK's schemas: a function that yields it, or a pair of it and its traits. */
function resolve(reference) {
  if (typeof reference === 'function') return resolve(reference());
  if (Array.isArray(reference) && typeof reference[1] === 'number') return resolve(reference[0]);
  return reference;
}

/** Name of the SDK's enum that types a member, read from its type declarations. */
function enumOfMember(structure, member) {
  const body = sdkTypes.match(new RegExp(`export interface ${structure} \\{\\n([^]*?)\\n\\}`))?.[1] ?? '';
  const type = body.match(new RegExp(`^ {4}${member}\\??: (\\w+)(?:\\[\\])?(?: \\| undefined)?;`, 'm'))?.[1];
  return type !== undefined && isEnum(sdk[type]) ? type : undefined;
}

function isEnum(value) {
  return value !== null && typeof value === 'object' && Object.values(value).every((item) => typeof item === 'string');
}

function enumShape(name, schema) {
  if (!shapes.has(name)) shapes.set(name, { type: 'string', enum: Object.values(sdk[name]) });
  if (schema === 0) return name;
  if (schema !== listBit) throw new Error(`${name} is used as schema ${schema}, which is unknown here`);
  const list = `${name}List`;
  if (!shapes.has(list)) shapes.set(list, { type: 'list', member: name });
  return list;
}

/** The number that the SDK would give a shape, to see that two members of one name are of one type. */
function sdkType(name) {
  const shape = shapes.get(name);
  if (shape.type === 'list') return listBit + sdkType(shape.member);
  if (shape.type === 'map') return mapBit + sdkType(shape.value);
  return [...simpleTypes].find(([, type]) => type === shape.type)?.[0];
}

/** Error name -> HTTP status: KMS answers client faults with 400, whatever the model's httpError trait says. */
function mergeErrors() {
  const status = new Map();
  for (const [name, shape] of Object.entries(model.shapes)) {
    if (shape.exception) status.set(name, shape.fault ? 500 : 400);
  }
  for (const [schemaKind, , name, traits] of sdkSchemas) {
    if (schemaKind === kind.error) status.set(name, traits.error === 'server' ? traits.httpError : 400);
  }
  return status;
}

function write() {
  const folder = new URL('../src/contract/', import.meta.url);
  const header = defined({
    apiVersion: model.metadata.apiVersion,
    targetPrefix: model.metadata.targetPrefix,
    sources: defined({ botocore: botocore.version, [sdkPackage.name]: sdkPackage.version }),
  });
  const sections = [
    ...Object.entries(header).map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`),
    section('operations', operations),
    section('errors', errors),
    section('shapes', reachable()),
  ];
  writeFileSync(new URL('kms-model.json', folder), `{\n${sections.join(',\n')}\n}\n`);
  writeFileSync(new URL('operation-types.ts', folder), operationTypes());
  console.log(`${operations.size} operations, ${errors.size} errors written to ${fileURLToPath(folder)}`);
}

/** One entry per line, ordered by name, so that what AWS changes is what a diff shows. */
function section(name, entries) {
  const lines = [...entries].sort(byName).map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`);
  return `${JSON.stringify(name)}: {\n${lines.join(',\n')}\n}`;
}

function byName([one], [other]) {
  return one < other ? -1 : 1;
}

/** The shapes that an operation uses. */
function reachable() {
  const found = new Map();
  const visit = (name) => {
    if (name === undefined || found.has(name)) return;
    const shape = shapes.get(name);
    if (!shape) throw new Error(`shape ${name} is used but not defined`);
    found.set(name, shape);
    for (const next of [...Object.values(shape.members ?? {}), shape.member, shape.key, shape.value]) visit(next);
  };
  for (const { input, output } of operations.values()) [input, output].forEach(visit);
  return found;
}

function operationTypes() {
  const entries = [...operations]
    .sort(byName)
    .map(([name, { input, output }]) =>
      [
        `  ${name}: {`,
        `    input: ${input ? `Parsed<kms.${input}>` : 'Record<string, never>'};`,
        `    output: ${output ? `kms.${output}` : 'undefined'};`,
        '  };',
      ].join('\n'),
    );
  return `// Generated by scripts/generate-contract.mjs: do not edit.
import type * as kms from '@aws-sdk/client-kms';
import type { Parsed } from './parsed.js';

/** Operation -> what its request is parsed to, and what its answer is encoded from (undefined: an empty body). */
export interface OperationTypes {
${entries.join('\n')}
}

export type OperationName = keyof OperationTypes;
`;
}
