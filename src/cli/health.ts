import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import type { Settings } from '../config/settings.js';
import { addSettingsOptions, settingsOf } from './settings-options.js';

/** What the service is given to answer, in milliseconds. */
const answerMilliseconds = 4_000;
/** Addresses that mean all addresses of a machine, and the one to ask at. */
const loopbackOf: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

export function addHealthCommand(program: Command): void {
  const command = program
    .command('health')
    .description('ask the service on this machine whether it is ready: exit code 0 when it is, else 1');
  addSettingsOptions(command).action(async (options) => {
    const { settings } = settingsOf(options);
    console.log(await health(settings));
  });
}

/** @returns a line for people @throws Error that says in a line why the service is not ready */
async function health(settings: Settings): Promise<string> {
  const url = readinessUrl(settings);
  let status: number | undefined;
  let body: string;
  try {
    const request = get(url, { agent: false, timeout: answerMilliseconds });
    request.once('timeout', () => request.destroy(new Error(`no answer within ${answerMilliseconds / 1000} s`)));
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    status = response.statusCode;
    body = (await text(response)).trim();
  } catch (error) {
    throw new Error(`${url} does not answer: ${(error as Error).message}`, { cause: error });
  }
  if (status !== 200) throw new Error(`${url} answers ${status}: ${body}`);
  return `${url} answers: ${body}`;
}

function readinessUrl({ host, port }: Settings): URL {
  const address = loopbackOf[host] ?? host;
  return new URL(`http://${address.includes(':') ? `[${address}]` : address}:${port}/readyz`);
}
