/**
 * What the validator makes of a request shape of the SDK: required members are there (the SDK types them
 * `string | undefined`), and blobs are Buffers.
 */
export type Parsed<T> = T extends Uint8Array
  ? Buffer
  : T extends Date
    ? T
    : T extends readonly (infer Element)[]
      ? Parsed<Element>[]
      : T extends object
        ? { [Name in keyof T]: object extends Pick<T, Name> ? Parsed<T[Name]> : Parsed<Exclude<T[Name], undefined>> }
        : T;
