import { createPublicKey } from 'node:crypto';
import type { Command } from 'commander';
import { addSettingsOptions, settingsOf } from './settings-options.js';

/** `audit public-key`. @param audit the command whose subcommand it is */
export function addAuditPublicKeyCommand(audit: Command): void {
  const command = audit
    .command('public-key')
    .description('print the public key, in PEM, that signs the checkpoints of the audit log');
  addSettingsOptions(command, ['dataDir']).action(async (options) => {
    const { settings } = settingsOf(options);
    // loaded here: other commands start faster without PKCS#11
    const [{ AuditKey }, { dataDirectory }, { openOwnToken }] = await Promise.all([
      import('../keys/audit-key.js'),
      import('../server/data-directory.js'),
      import('../server/own-token.js'),
    ]);
    const token = openOwnToken(settings, dataDirectory(settings), console.error);
    const key = new AuditKey(token);
    if (!key.isReady()) {
      throw new Error(`The token ${JSON.stringify(token.identity.label)} has no audit key. Type: hsm-kms init`);
    }
    const { publicKey } = key.describe();
    process.stdout.write(
      createPublicKey({ key: publicKey, format: 'der', type: 'spki' }).export({ type: 'spki', format: 'pem' }),
    );
    await token.close();
  });
}
