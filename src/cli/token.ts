import type { Command } from 'commander';
import { addSettingsOptions, settingsOf } from './settings-options.js';

export function addTokenCommand(program: Command): void {
  const token = program.command('token').description('look at the token');
  const describe = token.command('describe').description('print what the token is, and where each KMS algorithm runs');
  addSettingsOptions(describe).action(async (options) => {
    const { settings } = settingsOf(options);
    // loaded here: other commands start faster without PKCS#11 and the database
    const [{ Capabilities }, { ImportCapabilities }, { dataDirectory }, { openOwnToken }] = await Promise.all([
      import('../keys/capabilities.js'),
      import('../keys/import/import-capabilities.js'),
      import('../server/data-directory.js'),
      import('../server/own-token.js'),
    ]);
    const opened = openOwnToken(settings, dataDirectory(settings), console.error);
    for (const [name, value] of Object.entries(opened.identity)) console.log(`${name}: ${value}`);
    const capabilities = await Capabilities.probe(opened, { allowSplit: settings.splitOaep });
    console.log();
    for (const { spec, usage = '', algorithm = '', where, detail } of capabilities.report()) {
      console.log(`${spec.padEnd(24)}${usage.padEnd(22)}${algorithm.padEnd(28)}${where.padEnd(16)}${detail}`);
    }
    const imports = new ImportCapabilities(opened, { allowSplit: settings.splitOaep });
    for (const { algorithm, material, where, detail } of await imports.report()) {
      console.log(
        `${`import: ${material}`.padEnd(24)}${''.padEnd(22)}${algorithm.padEnd(28)}${where.padEnd(16)}${detail}`,
      );
    }
  });
}
