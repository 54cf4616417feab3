/** `*`: any characters, or none. */
export const anyString = -1;
/** `?`: one character. */
export const anyCharacter = -2;

/** A pattern: UTF-16 code units, and the two wildcards. Text from a request enters it as code units only. */
export type Pattern = readonly number[];

export type TextTest = (text: string) => boolean;

const asterisk = 0x2a;
const questionMark = 0x3f;

/** The pattern of a text in which `*` and `?` are wildcards. */
export function wildcardPattern(text: string): Pattern {
  const pattern: number[] = [];
  appendText(pattern, text, true);
  return pattern;
}

/** Appends a text to a pattern, its `*` and `?` being wildcards or characters like others. */
export function appendText(pattern: number[], text: string, wildcards: boolean): void {
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (wildcards && unit === asterisk) pattern.push(anyString);
    else if (wildcards && unit === questionMark) pattern.push(anyCharacter);
    else pattern.push(unit);
  }
}

/** The text of a pattern without wildcards; undefined when it has one. */
export function literalText(pattern: Pattern): string | undefined {
  let text = '';
  for (const unit of pattern) {
    if (unit < 0) return undefined;
    text += String.fromCharCode(unit);
  }
  return text;
}

/** The fastest test that is the same as `matchesPattern(pattern, text)`. */
export function compilePattern(pattern: Pattern): TextTest {
  if (pattern.length === 1 && pattern[0] === anyString) return () => true;
  const literal = literalText(pattern);
  if (literal !== undefined) return (text) => text === literal;
  return pattern.includes(anyCharacter) ? (text) => matchesPattern(pattern, text) : compilePieces(piecesOf(pattern));
}

/** The texts between the `*` of a pattern without `?`. */
function piecesOf(pattern: Pattern): readonly string[] {
  const pieces = [''];
  for (const unit of pattern) {
    if (unit === anyString) pieces.push('');
    else pieces.push(pieces.pop() + String.fromCharCode(unit));
  }
  return pieces;
}

/** The first piece at the start, the last at the end, the others between them, each as early as possible. */
function compilePieces(pieces: readonly string[]): TextTest {
  const first = pieces[0] as string;
  const last = pieces.at(-1) as string;
  const between = pieces.slice(1, -1).filter((piece) => piece !== '');
  const shortest = first.length + last.length;
  return (text) => {
    if (text.length < shortest || !text.startsWith(first) || !text.endsWith(last)) return false;
    let at = first.length;
    for (const piece of between) {
      const found = text.indexOf(piece, at);
      if (found < 0) return false;
      at = found + piece.length;
    }
    return at <= text.length - last.length;
  };
}

/**
 * Whether a whole text matches a pattern. After a mismatch only the last `*` is tried further on, never an earlier one:
 * the work is at most the product of the two lengths, whatever the pattern, and usually their sum.
 */
export function matchesPattern(pattern: Pattern, text: string): boolean {
  let unit = 0;
  let at = 0;
  let star = -1;
  let starAt = 0;
  while (at < text.length) {
    const expected = pattern[unit];
    if (expected === anyString) {
      star = unit++;
      starAt = at;
    } else if (expected === anyCharacter || expected === text.charCodeAt(at)) {
      unit++;
      at++;
    } else if (star >= 0) {
      unit = star + 1;
      at = ++starAt;
    } else return false;
  }
  while (pattern[unit] === anyString) unit++;
  return unit === pattern.length;
}
