import type { Command } from 'commander';
import { checkListener, servesTls } from '../config/listener.js';
import { firstSteps } from './first-steps.js';
import { initialiseFirst } from './init-first.js';
import { addSettingsOptions, settingsOf } from './settings-options.js';

export function addServeCommand(program: Command): void {
  const command = program.command('serve').description('answer KMS requests until stopped');
  command.option('--init', 'first make what is missing of the data directory, as the command init does');
  command.option('--first-steps', 'when ready, print commands to try');
  addSettingsOptions(command).action(async (options) => {
    const { settings } = settingsOf(options);
    checkListener(settings);
    if (settings.insecureNoAuth) {
      console.error(
        'WARNING: requests are not authenticated (--insecure-no-auth). Whoever reaches this port uses every key.',
      );
    }
    if (options.init && !(await initialiseFirst(options))) return;
    // loaded here: other commands start faster without HTTP
    const { supervise } = await import('../server/supervisor.js');
    await supervise(settings, ({ host, port }) => {
      const url = `${servesTls(settings) ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
      console.log(`listening on ${url}`);
      if (options.firstSteps) console.log(firstSteps(settings, url));
    });
  });
}
