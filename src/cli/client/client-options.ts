import type { Command } from 'commander';
import { addSettingsOptions, settingsOf } from '../settings-options.js';
import type { KmsClient } from './kms-client.js';

/** Adds what says where the service is, and whose requests these are. */
export function addClientOptions(command: Command): Command {
  command
    .option('--endpoint-url <url>', 'the service (environment: AWS_ENDPOINT_URL_KMS); that of the settings by default')
    .option('--ca-bundle <file>', "certificates of the service's CA, in PEM (environment: AWS_CA_BUNDLE)");
  return addSettingsOptions(command, ['dataDir', 'region']);
}

/** The client that a command's options describe. @throws Error that says what to set */
export async function clientOf(options: Readonly<Record<string, unknown>>): Promise<KmsClient> {
  // loaded here: other commands start faster without it
  const { KmsClient } = await import('./kms-client.js');
  return KmsClient.of(settingsOf(options), options, process.env);
}
