import { parseInput } from '../contract/input.js';
import { KmsError } from '../contract/kms-error.js';
import type { OperationName } from '../contract/operation-types.js';
import { encodeOutput } from '../contract/output.js';
import { wipeSensitive } from '../contract/sensitive-members.js';
import type { KeyRecord } from '../keys/key-record.js';
import { StaleKeyError } from '../keys/key-repository.js';
import { checkKeyState, isCryptographic } from '../keys/key-states.js';
import { checkKeyUsage } from '../keys/key-usage.js';
import { diskError } from '../store/disk-trouble.js';
import { BrokenSealError } from '../store/seal/broken-seal-error.js';
import {
  ObjectMissingError,
  TokenBusyError,
  TokenClosedError,
  TokenError,
  TokenTimeoutError,
  TokenUnavailableError,
} from '../token/return-values.js';
import { authorizeCall } from './authorization.js';
import { type Kms, resolveKey } from './kms.js';
import type { KeyRule, Operation, Requester } from './operation.js';
import { operations } from './table.js';

/** How often a request is decided anew because a key changed under it. */
const attempts = 5;

/**
 * One request from its operation's name to the text of its answer: contract, keys, authorization, state and usage, the
 * operation's own lines.
 *
 * @param body the raw request body; overwritten when it has been dealt with, as are the plaintexts of the answer
 * @returns JSON text; '' for an operation without output
 * @throws KmsError, whatever went wrong
 */
export async function answer(kms: Kms, name: OperationName, requester: Requester, body: Buffer): Promise<string> {
  let input: unknown;
  try {
    if (kms.requestQuotas) await kms.requestQuotas.admit(name, requester.principal);
    input = parseInput(name, body);
    const { trail } = requester;
    if (trail) trail.input = input;
    const operation = operations.get(name);
    if (operation === undefined) throw new KmsError('UnsupportedOperationException', `${name} is not supported yet.`);
    for (let attempt = 1; ; attempt++) {
      try {
        const output = await perform(kms, operation, requester, input as never);
        const text = encodeOutput(name, output as never);
        if (trail) trail.output = output;
        wipeSensitive(name, 'output', output);
        return text;
      } catch (error) {
        if (!(error instanceof StaleKeyError) || attempt === attempts) throw asKmsError(error);
      }
    }
  } finally {
    body.fill(0);
    wipeSensitive(name, 'input', input);
  }
}

async function perform(kms: Kms, operation: Operation, requester: Requester, input: never): Promise<unknown> {
  const { GrantTokens } = input as { readonly GrantTokens?: string[] };
  if (GrantTokens) await checkGrantTokens(kms, GrantTokens);
  // filled in place: spreading the keys into it costs 5 us
  const call: Record<string, unknown> = { kms, requester };
  const missing = await locateKeys(kms, operation, input, call);
  if (requester.trail) requester.trail.keys = arnsOf(operation, call);
  const authorizing = () => authorizeCall(kms, operation, requester, input, call);
  await (kms.step ? kms.step('authorization', authorizing) : authorizing());
  if (missing) throw missing;
  if (kms.requestQuotas) await kms.requestQuotas.admitWithKeys(operation, requester.principal, input, call);
  for (const { slot, rule } of operation.keys) {
    const key = call[slot] as KeyRecord | undefined;
    if (key) checkUse(operation, rule, key);
  }
  const running = () => operation.run(input, call as never);
  const output = await (kms.step ? kms.step('operation', running) : running());
  if ((input as { DryRun?: boolean }).DryRun) {
    throw new KmsError('DryRunOperationException', 'The request would have succeeded, but the DryRun option is set.');
  }
  if (isCryptographic(operation.name)) {
    for (const { slot } of operation.keys) {
      kms.uses.note((call[slot] as KeyRecord).id, operation.name, requester.requestId);
    }
  }
  return output;
}

/**
 * Grants are in effect at once here, so their tokens need not prove them; but they must be tokens.
 *
 * @throws KmsError InvalidGrantTokenException
 */
async function checkGrantTokens({ grantTokens }: Kms, tokens: readonly string[]): Promise<void> {
  for (const token of tokens) await grantTokens.read(token);
}

/**
 * Puts the keys into the call. Who may not use a key is not told whether there is one: that a key is missing is given
 * back, to be said after the authorization.
 */
async function locateKeys(
  kms: Kms,
  operation: Operation,
  input: never,
  call: Record<string, unknown>,
): Promise<KmsError | undefined> {
  let missing: KmsError | undefined;
  for (const { slot, rule } of operation.keys) {
    try {
      call[slot] = await locate(kms, operation.name, rule, input);
    } catch (error) {
      if (!(error instanceof KmsError) || error.name !== 'NotFoundException') throw error;
      missing ??= error;
    }
  }
  return missing;
}

function arnsOf({ keys }: Operation, call: Readonly<Record<string, unknown>>): string[] {
  const arns: string[] = [];
  for (const { slot } of keys) {
    const key = call[slot] as KeyRecord | undefined;
    if (key && !arns.includes(key.arn)) arns.push(key.arn);
  }
  return arns;
}

async function locate(kms: Kms, operation: OperationName, rule: KeyRule, input: never): Promise<KeyRecord | undefined> {
  const text = rule.from && (input as Readonly<Record<string, string | undefined>>)[rule.from];
  if (text !== undefined) return resolveKey(kms, text, rule.aliases ?? false);
  const key = await rule.otherwise?.(input, kms);
  if (key === undefined && !rule.optional) throw new Error(`${operation} found no key`);
  return key;
}

function checkUse(operation: Operation, rule: KeyRule, key: KeyRecord): void {
  if (rule.state !== false) checkKeyState(operation.name, key);
  if (rule.usage !== undefined) checkKeyUsage(key, rule.usage, rule.action ?? operation.name);
}

/** What a client is told of an error that is not in KMS's words; the cause is for the service's log. */
function asKmsError(error: unknown): KmsError {
  if (error instanceof KmsError) return error;
  if (error instanceof TokenBusyError || (error instanceof TokenError && error.reaction === 'busy')) {
    return new KmsError('ThrottlingException', 'The token is busy; try again.', { cause: error });
  }
  if (error instanceof TokenClosedError) {
    return new KmsError('KMSInvalidStateException', 'The custom key store was disconnected.', { cause: error });
  }
  if (error instanceof TokenUnavailableError) {
    return new KmsError('KMSInternalException', 'The token is not available; try again.', { cause: error });
  }
  if (error instanceof TokenTimeoutError) {
    return new KmsError('DependencyTimeoutException', 'The token did not answer in time; try again.', { cause: error });
  }
  if (error instanceof ObjectMissingError) {
    return new KmsError('KeyUnavailableException', 'The key is not available in the token; try again.', {
      cause: error,
    });
  }
  if (error instanceof BrokenSealError) {
    return new KmsError(
      'KMSInternalException',
      'What the request depends on was changed in the database, and not by this service, whose log says what.',
      { cause: error },
    );
  }
  const unwritable = diskError(error, 'The database cannot be written to.');
  if (unwritable) {
    const { trouble, isSurelyUnwritten } = unwritable;
    return new KmsError(
      'KMSInternalException',
      `${isSurelyUnwritten ? 'Nothing was changed: t' : 'T'}he disk of the service is ${trouble}.`,
      {
        cause: unwritable,
      },
    );
  }
  return new KmsError('KMSInternalException', 'The request was not carried out because of an internal error.', {
    cause: error,
  });
}
