import { isUtf8 } from 'node:buffer';
import { KmsError } from './kms-error.js';

/** A JSON object: its members are own properties, `__proto__` too. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** An escape of a UTF-16 surrogate, D800 to DFFF. */
const surrogateEscape = /\\u[dD][89a-fA-F]/;

/** Every escape of a JSON text, an escaped surrogate pair being one; the group is a surrogate that is alone. */
const escapes = /\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u([dD][89a-fA-F])|.)/gs;

/**
 * Reads the body of a request as a JSON object. Of a member that is given twice the last one counts.
 *
 * @param body raw bytes, UTF-8
 * @throws KmsError SerializationException; without a message where AWS sends none (contract, part B). The parser's own
 * message is not kept as a cause: it quotes the body, which may hold a plaintext.
 */
export function parseJsonBody(body: Buffer): JsonObject {
  if (!isUtf8(body)) throw new KmsError('SerializationException', 'The request body is not valid UTF-8.');
  const text = body.toString('utf8');
  const value = parse(text);
  if (Array.isArray(value)) throw new KmsError('SerializationException', 'Start of list found where not expected');
  if (typeof value !== 'object' || value === null) throw new KmsError('SerializationException');
  if (hasLoneSurrogate(text)) {
    throw new KmsError('SerializationException', 'The request body has a string that is not valid Unicode.');
  }
  return value as JsonObject;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new KmsError('SerializationException');
  }
}

/**
 * Whether any string of a JSON text holds half a surrogate pair. Only an escape can do that in text that was UTF-8.
 * Such strings have no UTF-8 encoding of their own: two encryption contexts that differ could become one.
 */
function hasLoneSurrogate(json: string): boolean {
  if (!surrogateEscape.test(json)) return false;
  for (const [, alone] of json.matchAll(escapes)) if (alone !== undefined) return true;
  return false;
}
