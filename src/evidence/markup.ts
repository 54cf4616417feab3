/** HTML that is written as it is; everything else that gets into it is text, and escaped. */
export class Markup {
  constructor(readonly text: string) {}
}

type Part = Markup | string | number | readonly Part[] | undefined;

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/**
 * Characters that are not seen, or that turn the order of what is: controls, and those of bidirectional text. Whoever
 * writes a description could make a reader see another, or steer a terminal.
 */
const unseen = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Text in which nothing is hidden: what is not seen is written as its number. */
export function visible(text: string): string {
  return text.replace(unseen, (character) => `\\u{${character.codePointAt(0)?.toString(16).toUpperCase()}}`);
}

/** The same in one line, for terminals: who writes a name could write a line of the report. */
export function oneLine(text: string): string {
  return visible(text).replaceAll('\n', '\\u{A}');
}

/** Text as HTML, in an element or in an attribute with quotes around it. */
export function escaped(text: string): string {
  return visible(text).replace(/[&<>"']/g, (character) => escapes[character] ?? '');
}

/** A template of HTML: only its own text and Markup are taken as HTML. */
export function html(texts: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return new Markup(texts.map((text, place) => text + (place < parts.length ? written(parts[place]) : '')).join(''));
}

function written(part: Part): string {
  if (part === undefined) return '';
  if (part instanceof Markup) return part.text;
  if (typeof part === 'object') return part.map(written).join('');
  return escaped(String(part));
}
