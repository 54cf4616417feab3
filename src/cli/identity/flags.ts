import { readFileSync } from 'node:fs';

/** A flag of a subcommand: how it is written, and what is made of it. */
export interface Flag<T> {
  /** `<name>`, `<tags...>`; '' for one without a value. */
  readonly value: string;
  readonly meaning: string;
  readonly required: boolean;
  /** One letter: -f */
  readonly short?: string;
  /** @param given what was typed: a list where `value` says so. @throws Error that says what is expected */
  readonly read: (given: never, flag: string) => T;
}

/** The values of flags by their names. */
export type Values<F> = { readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never };

export function optional<T>(flag: Flag<T>): Flag<T | undefined> {
  return { ...flag, required: false };
}

export function text(value: string, meaning: string): Flag<string> {
  return { value: `<${value}>`, meaning, required: true, read: (given: string) => given };
}

export function texts(value: string, meaning: string): Flag<readonly string[]> {
  return { value: `<${value}...>`, meaning, required: true, read: (given: readonly string[]) => given };
}

export function wholeNumber(value: string, meaning: string): Flag<number> {
  const read = (given: string, flag: string) => {
    if (/^\d+$/.test(given)) return Number(given);
    throw new Error(`${flag} takes a whole number, not ${JSON.stringify(given)}.`);
  };
  return { value: `<${value}>`, meaning, required: true, read };
}

export function oneOf<const C extends string>(choices: readonly C[], meaning: string): Flag<C> {
  const read = (given: string, flag: string) => {
    const choice = choices.find((each) => each === given);
    if (choice !== undefined) return choice;
    throw new Error(`${flag} takes ${choices.join(' or ')}, not ${JSON.stringify(given)}.`);
  };
  return { value: `<${choices.join('|')}>`, meaning, required: true, read };
}

/** True when it is there. */
export function present(meaning: string): Flag<boolean> {
  return { value: '', meaning, required: false, read: (given: true | undefined) => given ?? false };
}

/** A policy document: JSON, or file:// and the path of a file with it. */
export function document(meaning: string): Flag<string> {
  return { value: '<document>', meaning: `${meaning}: JSON, or file://PATH`, required: true, read: readDocument };
}

/** The text itself, or that of the file that it names as file://PATH. @param where what it is, for the error */
export function readDocument(given: string, where: string): string {
  const [, path] = /^fileb?:\/\/(.+)$/s.exec(given) ?? [];
  if (path === undefined) return given;
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`${where}: ${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

/** Tags as the AWS CLI takes them: `Key=a,Value=b Key=c,Value=d`, or a JSON list of {"Key", "Value"}. */
export function tags(meaning: string): Flag<ReadonlyMap<string, string>> {
  return { value: '<tags...>', meaning: `${meaning}: Key=NAME,Value=TEXT ...`, required: true, read: readTags };
}

function readTags(given: readonly string[], flag: string): ReadonlyMap<string, string> {
  const pairs = given[0]?.trimStart().startsWith('[') ? fromJson(given.join(' ')) : given.map(fromShorthand);
  const read = new Map<string, string>();
  for (const pair of pairs ?? [undefined]) {
    if (pair === undefined) throw new Error(`${flag} takes Key=NAME,Value=TEXT, not ${given.join(' ')}.`);
    if (read.has(pair.Key)) throw new Error(`${flag} has the key ${pair.Key} twice.`);
    read.set(pair.Key, pair.Value);
  }
  return read;
}

interface Tag {
  readonly Key: string;
  readonly Value: string;
}

function fromShorthand(tag: string): Tag | undefined {
  const [, Key, Value] = /^Key=([^,]*),Value=(.*)$/s.exec(tag) ?? [];
  return Key === undefined || Value === undefined ? undefined : { Key, Value };
}

function fromJson(list: string): (Tag | undefined)[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(list);
  } catch {
    return undefined;
  }
  if (!Array.isArray(value)) return undefined;
  return value.map((tag: Partial<Tag> | null) =>
    typeof tag?.Key === 'string' && typeof tag.Value === 'string' ? { Key: tag.Key, Value: tag.Value } : undefined,
  );
}
