/**
 * Runs `hsm-kms identity` often in one process, which starts only once:
 *
 *   node identity-commands.mjs DIST < JSON array of parameters     prints a JSON array of what each has printed
 *
 * Not in jest's process, where the environment that is set does not reach the token's module.
 */
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { Command } from 'commander';

const { addIdentityCommand } = await import(pathToFileURL(join(process.argv[2], 'cli/identity.js')).href);
const program = new Command();
addIdentityCommand(program);
const { log } = console;
const printed = [];
for (const parameters of JSON.parse(await text(process.stdin))) {
  const lines = [];
  console.log = (line) => lines.push(line);
  await program.parseAsync(['identity', ...parameters], { from: 'user' });
  printed.push(lines.join('\n'));
}
log(JSON.stringify(printed));
process.exit();
