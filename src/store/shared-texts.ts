/** UTF-16 code units that all kept texts may have. */
const mostCharacters = 1024 * 1024;

/**
 * One string for all texts that are the same, as the default policy of thousands of keys is: it takes memory once, and
 * what is kept by it in a map is found without a comparison of kilobytes that no cache holds.
 */
export class SharedTexts {
  private readonly texts = new Map<string, string>();
  private characters = 0;

  /** How long all kept texts are together, in UTF-16 code units. */
  get keptCharacters(): number {
    return this.characters;
  }

  /** The same text. */
  of(text: string): string {
    const known = this.texts.get(text);
    if (known !== undefined) return known;
    if (this.characters + text.length > mostCharacters) {
      this.texts.clear();
      this.characters = 0;
    }
    this.texts.set(text, text);
    this.characters += text.length;
    return text;
  }
}
