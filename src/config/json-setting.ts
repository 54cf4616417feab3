/** The value of a JSON text, as settings that are lists have it outside the file; null for text that is no JSON. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
