import { randomBytes } from 'node:crypto';
import { KmsError } from '../../contract/kms-error.js';
import type { Sealer } from '../../token/sealing.js';
import { uniqueId } from '../iam/unique-ids.js';
import type { AccessKey, Identities } from '../identities.js';
import type { PolicyDocument } from '../policy/document.js';
import { type Role, sessionPrincipal } from '../principal.js';
import type { StoredPolicies } from '../stored-policies.js';
import type { Session } from './session.js';
import { secretBytes } from './session-format.js';
import { type OpenedSession, SessionTokens, secretText } from './session-tokens.js';

/** What a client gets of a session. */
export interface TemporaryCredentials {
  /** ASIA... */
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiration: Date;
}

/** A session that has been used here. */
interface KnownSession extends OpenedSession {
  readonly accessKeyId: string;
  /** Made of the role as it was then; made anew for another. */
  current?: { readonly role: Role; readonly accessKey: AccessKey };
}

const temporaryAccessKeyId = /^ASIA[A-Z2-7]{16}$/;

/** Of more than ten thousand usual session tokens. */
const usuallyKeptCharacters = 8 * 1024 * 1024;

/** Sessions of roles. Their tokens hold them, and nothing is stored; what was opened once is kept in memory. */
export class Sessions {
  private readonly tokens: SessionTokens;
  private readonly known = new Map<string, KnownSession>();
  private characters = 0;

  /**
   * @param clock milliseconds since the epoch
   * @param keptCharacters how long the tokens of all sessions that are kept may be together
   */
  constructor(
    sealer: Pick<Sealer, 'seal' | 'open'>,
    private readonly identities: Pick<Identities, 'findRole' | 'managedPolicy'>,
    private readonly policies: StoredPolicies,
    private readonly clock: () => number = Date.now,
    private readonly keptCharacters = usuallyKeptCharacters,
  ) {
    this.tokens = new SessionTokens(sealer);
  }

  /** Credentials of a new session. @throws TokenError */
  async issue(session: Session): Promise<TemporaryCredentials> {
    const accessKeyId = uniqueId('ASIA');
    const secret = randomBytes(secretBytes);
    const sessionToken = await this.tokens.issue(accessKeyId, session, secret);
    return { accessKeyId, secretAccessKey: secretText(secret), sessionToken, expiration: session.expiresAt };
  }

  /**
   * The access key of a session: its principal has what its role has now.
   *
   * @returns undefined when the token is not one that was issued with this access key, or its role is no more
   * @throws KmsError ExpiredTokenException; TokenError
   */
  find(accessKeyId: string, sessionToken: string): AccessKey | undefined | Promise<AccessKey | undefined> {
    const known = this.known.get(sessionToken);
    if (known === undefined) return this.open(accessKeyId, sessionToken);
    return known.accessKeyId === accessKeyId ? this.accessKeyOf(known) : undefined;
  }

  private async open(accessKeyId: string, sessionToken: string): Promise<AccessKey | undefined> {
    if (!temporaryAccessKeyId.test(accessKeyId)) return undefined;
    const opened = await this.tokens.open(accessKeyId, sessionToken);
    if (opened === undefined) return undefined;
    const known = { ...opened, accessKeyId };
    const accessKey = await this.accessKeyOf(known);
    if (accessKey) this.keep(sessionToken, known);
    return accessKey;
  }

  private keep(sessionToken: string, known: KnownSession): void {
    if (this.known.has(sessionToken)) return;
    if (this.characters + sessionToken.length > this.keptCharacters) {
      this.known.clear();
      this.characters = 0;
    }
    this.known.set(sessionToken, known);
    this.characters += sessionToken.length;
  }

  /** At once when the session has been used since the store has changed. */
  private accessKeyOf(known: KnownSession): AccessKey | undefined | Promise<AccessKey | undefined> {
    const { session } = known;
    if (this.clock() >= session.expiresAt.getTime()) {
      throw new KmsError('ExpiredTokenException', 'The security token included in the request is expired');
    }
    const role = this.identities.findRole(session.roleArn);
    return role instanceof Promise ? role.then((found) => this.asRole(known, found)) : this.asRole(known, role);
  }

  /** @param role read again, and so another object, whenever anything in the store has changed */
  private asRole(known: KnownSession, role: Role | undefined): AccessKey | undefined | Promise<AccessKey> {
    if (role?.uniqueId !== known.session.roleId) return undefined;
    return known.current?.role === role ? known.current.accessKey : this.renew(known, role);
  }

  private async renew(known: KnownSession, role: Role): Promise<AccessKey> {
    const { session, accessKeyId, secretAccessKey } = known;
    const principal = sessionPrincipal(role, { ...session, sessionPolicies: await this.policiesOf(session) });
    const accessKey: AccessKey = { accessKeyId, secretAccessKey, principal, temporary: true };
    known.current = { role, accessKey };
    return accessKey;
  }

  /** A managed policy that was deleted meanwhile denies everything. */
  private async policiesOf({ policy, policyArns, sessionName, roleArn }: Session) {
    const found: PolicyDocument[] = [];
    if (policy !== undefined) found.push(this.policies.get(policy, 'session', `session ${sessionName} of ${roleArn}`));
    for (const arn of policyArns) found.push(await this.identities.managedPolicy(arn));
    return found.length === 0 ? undefined : found;
  }
}
