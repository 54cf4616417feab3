import { LossError, UnansweredError } from './facet.js';

/** Longer than the service lets anything take, in milliseconds. */
export const answerMilliseconds = 120_000;

const lostConnection = /ECONN|EPIPE|socket hang up/;

const nameOf = (error: unknown) => (error instanceof Error ? error.name : '');
const statusOf = (error: unknown) =>
  (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode ?? undefined;

export const isNotFound = (error: unknown) => nameOf(error) === 'NotFoundException';

/**
 * The answer to a request.
 *
 * @throws UnansweredError when there was none, or a server's fault; LossError for a refusal, or when none came for long
 */
export async function answered<T>(request: Promise<T>): Promise<T> {
  try {
    return await request;
  } catch (error) {
    if (error instanceof LossError || error instanceof UnansweredError) throw error;
    throw unexpected(error);
  }
}

/** A request that must be refused. @throws LossError when it is not, or otherwise; UnansweredError */
export async function refusedAs(name: string, request: Promise<unknown>, what: string): Promise<void> {
  try {
    await request;
  } catch (error) {
    if (nameOf(error) === name) return;
    throw unexpected(error);
  }
  throw new LossError(`${what} was answered, and not refused with ${name}`);
}

function unexpected(error: unknown): Error {
  const { name, message } = error as Error;
  // the SDK says this of lost connections, too
  if (name === 'TimeoutError' && !lostConnection.test(message))
    return new LossError(`no answer came within ${answerMilliseconds} ms: ${message}`);
  const status = statusOf(error);
  // throttling says that the token was too busy in the middle of it
  const isOpen = status === undefined || status >= 500 || name === 'ThrottlingException';
  // what is no error of the connection and none of KMS is one of these programs
  const isBug = error instanceof TypeError || error instanceof ReferenceError;
  if (isOpen && !isBug) {
    return new UnansweredError(lostConnection.test(message) ? 'connection lost' : name, { cause: error });
  }
  return new LossError(`it was refused with ${name}: ${message}`, { cause: error });
}
