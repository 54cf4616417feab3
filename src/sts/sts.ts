import type { Identities } from '../authorization/identities.js';
import type { Sessions } from '../authorization/sessions/sessions.js';
import type { Home } from '../keys/key-reference.js';
import type { Requester } from '../operations/operation.js';
import type { QueryParameters } from './query-parameters.js';

/** What actions of STS work with. */
export interface Sts {
  readonly home: Home;
  readonly identities: Pick<Identities, 'findRole' | 'hasManagedPolicy'>;
  readonly sessions: Pick<Sessions, 'issue'>;
  readonly now: () => Date;
}

/** The members of an answer; those that are undefined are left out. */
export interface Result {
  readonly [member: string]: string | number | Result | undefined;
}

/** An action of STS: from a caller and its parameters to the answer. @throws StsError, KmsError */
export type Action = (sts: Sts, requester: Requester, parameters: QueryParameters) => Result | Promise<Result>;
