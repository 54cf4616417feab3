import type { Sealer } from '../../token/sealing.js';
import type { Session } from './session.js';
import { decodeSession, encodeSession } from './session-format.js';

/** A session, and the secret that its requests are signed with. */
export interface OpenedSession {
  readonly session: Session;
  /** UTF-8. */
  readonly secretAccessKey: Buffer;
}

/** Longer ones were not issued here: what is packed has a limit, and the rest of a session is short. */
const mostCharacters = 8_192;

/**
 * Session tokens: the session and its secret access key, encrypted by the token's sealing key for one access key id. So
 * nobody else can make one, none has to be stored, and none is good with another access key.
 */
export class SessionTokens {
  constructor(private readonly sealer: Pick<Sealer, 'seal' | 'open'>) {}

  /** @param secret the secret access key's 30 bytes. @returns base64url text. @throws TokenError */
  async issue(accessKeyId: string, session: Session, secret: Buffer): Promise<string> {
    const content = encodeSession(session, secret);
    try {
      return (await this.sealer.seal(purposeOf(accessKeyId), content)).toString('base64url');
    } finally {
      content.fill(0);
    }
  }

  /** @returns undefined for what was not issued here, or not with this access key. @throws TokenError */
  async open(accessKeyId: string, text: string): Promise<OpenedSession | undefined> {
    if (text.length > mostCharacters) return undefined;
    const sealed = Buffer.from(text, 'base64url');
    // the one spelling that was issued, so that nobody fills a cache with spellings of one token
    if (sealed.toString('base64url') !== text) return undefined;
    const content = await this.sealer.open(purposeOf(accessKeyId), sealed);
    if (content === undefined) return undefined;
    const decoded = decodeSession(content);
    content.fill(0);
    return decoded && { session: decoded.session, secretAccessKey: Buffer.from(secretText(decoded.secret)) };
  }
}

/** The secret access key that 30 random bytes stand for: 40 characters. */
export function secretText(secret: Buffer): string {
  return secret.toString('base64');
}

function purposeOf(accessKeyId: string): string {
  return `session token of ${accessKeyId}`;
}
