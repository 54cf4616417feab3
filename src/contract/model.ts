import model from './kms-model.json' with { type: 'json' };

/** A shape of the service model, reduced to what decides how a value of it is read and written. */
export type Shape = StructureShape | ListShape | MapShape | StringShape | BlobShape | IntegerShape | PlainShape;

/** Bounds that include both ends: of a length in characters (string), bytes (blob) or elements (list), or of a value. */
interface Bounds {
  readonly min?: number;
  readonly max?: number;
}

interface Secrecy {
  /** The value appears in no message. */
  readonly sensitive?: boolean;
}

export interface StructureShape {
  readonly type: 'structure';
  /** Member name -> name of its shape. */
  readonly members: Readonly<Record<string, string>>;
  readonly required?: readonly string[];
}

export interface ListShape extends Bounds {
  readonly type: 'list';
  readonly member: string;
}

export interface MapShape {
  readonly type: 'map';
  readonly key: string;
  readonly value: string;
}

export interface StringShape extends Bounds, Secrecy {
  readonly type: 'string';
  /** Java regular expression that the whole value must match. */
  readonly pattern?: string;
  readonly enum?: readonly string[];
}

export interface BlobShape extends Bounds, Secrecy {
  readonly type: 'blob';
}

export interface IntegerShape extends Bounds, Secrecy {
  readonly type: 'integer';
}

export interface PlainShape {
  readonly type: 'boolean' | 'timestamp';
}

export interface OperationModel {
  /** Name of the structure that a request is. */
  readonly input: string;
  /** Name of the structure that an answer is; absent where the answer has no body. */
  readonly output?: string;
  /** Names of the modelled errors of the operation. */
  readonly errors: readonly string[];
}

/** Operation name -> its shapes and errors. */
export const operationModels: Readonly<Record<keyof typeof model.operations, OperationModel>> = model.operations;

/** Error name -> HTTP status of the errors that the service model lists. */
export const modelledErrors = model.errors;

/** Prefix of X-Amz-Target, without the dot. */
export const targetPrefix = model.targetPrefix;

// The JSON's inferred type has one object type per shape: the generator, not the compiler, says that each is a Shape.
const shapes = model.shapes as unknown as Readonly<Record<string, Shape>>;

/** Names of all shapes, in alphabetical order. */
export const shapeNames: readonly string[] = Object.keys(shapes);

/**
 * @param name a shape name of the service model, such as 'KeyIdType'
 * @throws Error when the model has no such shape: the committed model is broken
 */
export function shapeNamed(name: string): Shape {
  const shape = shapes[name];
  if (shape === undefined) throw new Error(`kms-model.json has no shape ${name}`);
  return shape;
}
