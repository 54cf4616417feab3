/** What JSON can hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/**
 * The JSON Canonicalization Scheme (RFC 8785): members sorted by their UTF-16 code units, numbers and strings as ECMAScript
 * writes them, no white space.
 */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = value as { readonly [name: string]: Json };
  const texts = Object.keys(members)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonicalJson(members[name] as Json)}`);
  return `{${texts.join(',')}}`;
}

const structure = /["{}[\],:]/g;

/** Where a string of JSON ends. By hand: a regular expression would take a stack as deep as the string is long. */
function endOfString(text: string, start: number): number {
  let end = start;
  for (;;) {
    end = text.indexOf('"', end + 1);
    let backslashes = 0;
    while (text[end - 1 - backslashes] === '\\') backslashes++;
    if (backslashes % 2 === 0) return end;
  }
}

/**
 * The name of a member that an object in a JSON text has twice: readers take one or the other, so that two people could
 * read two things in what was signed once.
 *
 * @param text that JSON.parse takes
 */
export function memberNamedTwice(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  let isName = false;
  structure.lastIndex = 0;
  for (let found = structure.exec(text); found; found = structure.exec(text)) {
    const [token] = found;
    if (token === '"') structure.lastIndex = endOfString(text, found.index) + 1;
    if (token === '{' || token === '[') open.push(token === '{' ? new Set() : undefined);
    else if (token === '}' || token === ']') open.pop();
    const names = open.at(-1);
    if (names && isName && token === '"') {
      const name = JSON.parse(text.slice(found.index, structure.lastIndex)) as string;
      if (names.has(name)) return name;
      names.add(name);
    }
    isName = token === '{' || token === ',';
  }
  return undefined;
}
