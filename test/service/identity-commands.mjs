/**
 * Runs `hsm-kms identity` often in one process, which starts only once:
 *
 *   node identity-commands.mjs BUILD     reads lines, each the parameters of a command as a JSON array
 *
 * and answers each by a line of JSON: { printed, warned } or { error }. It ends with its input.
 *
 * Not in jest's process, where the environment that is set does not reach the token's module.
 */
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { Command } from 'commander';

const { addIdentityCommand } = await import(pathToFileURL(join(process.argv[2], 'cli/identity.js')).href);
const { log } = console;

/** What a command gives to a stream. */
function collected(stream) {
  const lines = [];
  console[stream] = (line) => lines.push(`${line}\n`);
  return lines;
}

for await (const line of createInterface({ input: process.stdin })) {
  const [printed, warned] = [collected('log'), collected('error')];
  try {
    const program = new Command();
    addIdentityCommand(program);
    await program.parseAsync(['identity', ...JSON.parse(line)], { from: 'user' });
    log(JSON.stringify({ printed: printed.join(''), warned: warned.join('') }));
  } catch (error) {
    log(JSON.stringify({ error: error.message }));
  }
}
process.exit();
