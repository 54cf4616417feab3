import type { Command } from 'commander';
import { addSettingsOptions, settingsOf } from './settings-options.js';

export function addResetKeyPolicyCommand(program: Command): void {
  const command = program
    .command('reset-key-policy')
    .description('give a key the default key policy again: for a key that its policy lets nobody use any more')
    .requiredOption('--key <key>', 'key id, key ARN, alias/NAME or alias ARN');
  addSettingsOptions(command).action(async (options) => {
    const { settings } = settingsOf(options);
    // loaded here: other commands start faster without the database
    const { resetKeyPolicy } = await import('../server/reset-key-policy.js');
    const arn = await resetKeyPolicy(settings, options.key, (what) => console.error(`hsm-kms: ${what}`));
    console.log(`${arn} has the default key policy: the identity policies of the account decide`);
  });
}
