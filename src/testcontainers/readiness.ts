import { once } from 'node:events';
import { getContainerRuntimeClient, Wait, type WaitStrategy } from 'testcontainers';

type Container = Parameters<WaitStrategy['waitUntilReady']>[0];
type Ports = Parameters<WaitStrategy['waitUntilReady']>[1];

/** How often the service is asked, and how long it may take to answer, in milliseconds. */
const pollMilliseconds = 250;
/** How long a start may take on a slow machine that makes RSA keys, in milliseconds. */
const startupMilliseconds = 60_000;
/** Lines of the log that an error shows. */
const shownLines = 20;
/** How long the log of a container that runs is read, in milliseconds: it does not end. */
const logMilliseconds = 1_000;

/** Until the service says, through the published port, that it is ready; an error shows the end of its log. */
export class Readiness implements WaitStrategy {
  private readonly answer;

  /** @param port in the container */
  constructor(port: number) {
    this.answer = Wait.forHttp('/readyz', port, { abortOnContainerExit: true })
      .forStatusCode(200)
      .withReadTimeout(pollMilliseconds)
      .withStartupTimeout(startupMilliseconds);
  }

  async waitUntilReady(container: Container, ports: Ports): Promise<void> {
    try {
      await this.answer.waitUntilReady(container, ports);
    } catch (error) {
      throw new Error(await whyNotReady(container), { cause: error });
    }
  }

  withStartupTimeout(milliseconds: number): this {
    this.answer.withStartupTimeout(milliseconds);
    return this;
  }

  isStartupTimeoutSet(): boolean {
    return this.answer.isStartupTimeoutSet();
  }

  getStartupTimeout(): number {
    return this.answer.getStartupTimeout();
  }
}

/** What became of a container that does not serve, with the end of its log. */
export async function whyNotReady(container: Container): Promise<string> {
  const { State } = await container.inspect();
  const became = State.Running ? 'it runs and is not ready' : `it ended with exit code ${State.ExitCode}`;
  return `hsm-kms does not serve in its container: ${became}. The end of its log:\n${await endOfLog(container)}`;
}

async function endOfLog(container: Container): Promise<string> {
  const client = await getContainerRuntimeClient();
  const stream = await client.container.logs(container, { tail: shownLines });
  let text = '';
  stream.on('data', (chunk: string) => {
    text += chunk;
  });
  try {
    await once(stream, 'end', { signal: AbortSignal.timeout(logMilliseconds) });
  } catch {
    // a container that runs goes on logging
  }
  stream.destroy();
  return text.trim() || '(it is empty)';
}
