import type { Command } from 'commander';
import { formatPkcs11Uri, type TokenAttributes } from '../config/pkcs11-uri.js';
import { addSettingsOptions, settingsOf } from './settings-options.js';
import { alignedLines, reportText } from './token-report-text.js';

/** What a token can be told from others by. */
function nameable({ label, serialNumber }: { readonly label: string; readonly serialNumber: string }): TokenAttributes {
  return { ...(label !== '' && { label }), ...(serialNumber !== '' && { serialNumber }) };
}

const jsonOption = ['--json', 'as JSON, for programs'] as const;

export function addTokenCommand(program: Command): void {
  const token = program.command('token').description('look at the token');

  const list = token.command('list').description("print all slots and tokens of the token's module; needs no PIN");
  addSettingsOptions(list.option(...jsonOption)).action(async (options) => {
    const { settings } = settingsOf(options);
    // loaded here: other commands start faster without PKCS#11
    const [{ dataDirectory }, { listTokens }] = await Promise.all([
      import('../server/data-directory.js'),
      import('../server/token-listing.js'),
    ]);
    const listing = listTokens(settings, dataDirectory(settings));
    if (options.json) return console.log(JSON.stringify(listing, undefined, 2));
    console.log(`Module ${listing.module.file}: ${listing.module.libraryDescription} ${listing.module.libraryVersion}`);
    const rows = listing.tokens.map((each) => [
      String(each.slotId),
      each.label || (each.initialised ? '(no label)' : '(not initialised)'),
      each.serialNumber,
      each.manufacturer,
      each.model,
      each.initialised ? formatPkcs11Uri(nameable(each)) : '',
    ]);
    const header = ['slot', 'label', 'serial number', 'manufacturer', 'model', 'HSM_KMS_TOKEN_URI'];
    console.log(alignedLines([header, ...rows]));
  });

  const describe = token.command('describe').description('print what the token is, and where each KMS algorithm runs');
  addSettingsOptions(describe.option(...jsonOption)).action(async (options) => {
    const { settings } = settingsOf(options);
    // loaded here: other commands start faster without PKCS#11 and the database
    const [{ reportOn }, { dataDirectory }, { openOwnToken }, { tokenWithoutPin }] = await Promise.all([
      import('../keys/token-report.js'),
      import('../server/data-directory.js'),
      import('../server/own-token.js'),
      import('../server/token-settings.js'),
    ]);
    const directory = dataDirectory(settings);
    const opened = openOwnToken(settings, directory, console.error);
    const file = tokenWithoutPin(settings, directory).module;
    const report = await reportOn(opened, file, { allowSplit: settings.splitOaep });
    console.log(options.json ? JSON.stringify(report, undefined, 2) : reportText(report));
    await opened.close();
  });
}
