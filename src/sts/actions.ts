import type { Requester } from '../operations/operation.js';
import { assumeRole } from './assume-role.js';
import { getCallerIdentity } from './get-caller-identity.js';
import type { QueryParameters } from './query-parameters.js';
import type { Action, Result, Sts } from './sts.js';
import { StsError } from './sts-error.js';

export const version = '2011-06-15';

/**
 * The actions of AWS STS that there are here. GetSessionToken and GetFederationToken would make sessions of users, the
 * others need identity providers or an AWS organization.
 *
 * @see https://docs.aws.amazon.com/STS/latest/APIReference/API_Operations.html
 */
const actions: ReadonlyMap<string, Action> = new Map<string, Action>([
  ['AssumeRole', assumeRole],
  ['GetCallerIdentity', getCallerIdentity],
]);

/** The action that a request names; undefined when there is none of that name. */
export function actionNamed(parameters: QueryParameters): string | undefined {
  const name = parameters.get('Action') ?? '';
  return actions.has(name) ? name : undefined;
}

/**
 * Carries out the action that a request names.
 *
 * @throws StsError InvalidAction for one that there is not, and what the action throws
 */
export async function perform(
  sts: Sts,
  requester: Requester,
  parameters: QueryParameters,
): Promise<{ readonly action: string; readonly result: Result }> {
  const name = parameters.get('Action') ?? '';
  const action = parameters.get('Version') === version ? actions.get(name) : undefined;
  if (action === undefined) {
    throw new StsError(
      'InvalidAction',
      `Could not find operation ${name.slice(0, 64)}: of STS, version ${version}, there are ${[...actions.keys()].join(' and ')} here.`,
    );
  }
  return { action: name, result: await action(sts, requester, parameters) };
}
