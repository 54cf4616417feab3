/** An error as an SDK client sees it. */
export interface Refusal {
  readonly name: string;
  /** '' where the service sent none. */
  readonly message: string;
}

/** What a call is refused with. @throws Error when it succeeds */
export async function refusal(call: Promise<unknown>): Promise<Refusal> {
  let answer: unknown;
  try {
    answer = await call;
  } catch (error) {
    const { name, message } = error as Error;
    // the SDK's own word for an error without a message
    return { name, message: message === 'UnknownError' ? '' : message };
  }
  throw new Error(`it was answered: ${JSON.stringify(answer)}`);
}

/** The name of what a call is refused with. @throws Error when it succeeds */
export async function refusalName(call: Promise<unknown>): Promise<string> {
  return (await refusal(call)).name;
}

/** What was answered, or the exception's name. */
export async function outcomeOf(request: Promise<unknown>): Promise<unknown> {
  try {
    return await request;
  } catch (error) {
    return (error as Error).name;
  }
}
