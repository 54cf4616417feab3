import { type Command, InvalidArgumentError } from 'commander';
import type { Restored } from '../server/backup/restore.js';
import { contentOf } from './backup.js';
import { addSettingsOptions, settingsOf } from './settings-options.js';

/** More than one key encrypts, as a rule. */
const usualRate = 1000;

export function addRestoreCommand(program: Command): void {
  const command = program
    .command('restore')
    .description('fill an empty database from an archive of hsm-kms backup, with the service stopped: docs/backup.md')
    .argument('<file>', 'the archive')
    .option(
      '--encryptions-per-second <number>',
      'how often a single key has encrypted at the most since the archive was made; so many are taken as made',
      rate,
      usualRate,
    );
  addSettingsOptions(command, ['dataDir', 'databaseUrl', 'databasePasswordFile']).action(
    async (file: string, options) => {
      const { settings } = settingsOf(options);
      // loaded here: other commands start faster without PKCS#11 and the database
      const { restore } = await import('../server/backup/restore.js');
      const restored = await restore(settings, file, options, console.error);
      console.log(textOf(restored));
      const { compareWithToken } = await import('../server/backup/compare-token.js');
      for (const { severity, what, toDo } of await compareWithToken(settings)) {
        console.log(`${severity}: ${what}${toDo === undefined ? '' : `\n  -> ${toDo}`}`);
        if (severity === 'error') process.exitCode = 1;
      }
      console.log('Now type: hsm-kms doctor --stopped, then hsm-kms serve, with the same settings');
    },
  );
}

function textOf({ header, margin, toRotate, dueDeletions, doubtful }: Restored): string {
  const lines = [
    `restored ${contentOf(header.tables)}, as of ${header.madeAt}.`,
    `What was changed after ${header.madeAt} is undone: keys that were disabled or scheduled for deletion, policies that were changed, grants that were retired or revoked, users and access keys that were deleted are as they were then. Do these again first of all.`,
    `${margin} encryptions more are counted for each key material, as those after the archive are not known.`,
  ];
  if (toRotate.length > 0) {
    lines.push(
      `warning: near the limit of 2^32 encryptions by that count: ${toRotate.join(', ')}\n  -> aws kms rotate-key-on-demand --key-id KEY, for each`,
    );
  }
  if (dueDeletions.length > 0) {
    lines.push(
      `warning: the waiting period of these keys has ended, and the service destroys them when it starts: ${dueDeletions.join(', ')}`,
    );
  }
  if (doubtful.length > 0) {
    lines.push(
      `warning: somebody else than hsm-kms had written into the database before the archive was made: ${doubtful.slice(0, 5).join(', ')}\n  -> an older archive, or hsm-kms doctor`,
    );
  }
  return lines.join('\n');
}

function rate(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}
