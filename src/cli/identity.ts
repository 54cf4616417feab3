import type { Command } from 'commander';
import type { Settings } from '../config/settings.js';
import { accessKeySubcommands } from './identity/access-key-subcommands.js';
import { present, text } from './identity/flags.js';
import { policySubcommands } from './identity/policy-subcommands.js';
import { roleSubcommands, userSubcommands } from './identity/principal-subcommands.js';
import { type Printed, type Subcommand, subcommand } from './identity/subcommand.js';
import { addSettingsOptions, settingsOf } from './settings-options.js';

const subcommands: readonly Subcommand[] = [
  ...userSubcommands,
  ...accessKeySubcommands,
  ...roleSubcommands,
  ...policySubcommands,
  subcommand(
    'apply',
    'make users, roles and policies what a YAML file declares them to be; shows first what would change',
    {
      file: { ...text('path', 'the declaration: see docs/identities.md'), short: '-f' },
      dryRun: present('only show what would change'),
      yes: present('do not ask'),
      prune: present('delete users, roles and policies that are not declared'),
    },
    async (session, options) => {
      const { apply } = await import('./identity/apply.js');
      await apply(session, options, console.log);
      return undefined;
    },
  ),
];

export function addIdentityCommand(program: Command): void {
  const identity = program
    .command('identity')
    .description('manage users, access keys, roles and policies, as `aws iam` does');
  for (const each of subcommands) addSubcommand(identity, each);
}

function addSubcommand(identity: Command, { name, description, flags, run }: Subcommand): void {
  const command = identity.command(name).description(description);
  for (const [flag, { value, meaning, required, short }] of Object.entries(flags)) {
    const written = `${short === undefined ? '' : `${short}, `}${flagOf(flag)} ${value}`.trimEnd();
    if (required) command.requiredOption(written, meaning);
    else command.option(written, meaning);
  }
  addSettingsOptions(command, ['dataDir']).action(async (options: Readonly<Record<string, unknown>>) => {
    const values = Object.fromEntries(
      Object.entries(flags).map(([flag, { value, required, read }]) => {
        const given = options[flag];
        return [
          flag,
          given === undefined && !required && value !== '' ? undefined : read(given as never, flagOf(flag)),
        ];
      }),
    );
    const { settings } = settingsOf(options);
    // loaded here: other commands start faster without the database
    const [{ IdentitySession }, { IamError }] = await Promise.all([
      import('./identity/identity-session.js'),
      import('../authorization/iam/iam-error.js'),
    ]);
    const session = await IdentitySession.open(settings, (sentence) => console.error(`hsm-kms: ${sentence}`));
    try {
      print(await recorded(settings, name, values, () => run(session, values as never)));
    } catch (error) {
      if (!(error instanceof IamError)) throw error;
      const message = `An error occurred (${error.code}) when calling the ${operationOf(name)} operation: ${error.message}`;
      throw new Error(message, { cause: error });
    } finally {
      await session.close();
    }
  });
}

/** Does a subcommand, and has the audit log record it where it changes something. */
async function recorded<T>(
  settings: Settings,
  name: string,
  values: Readonly<Record<string, unknown>>,
  work: () => Promise<T>,
): Promise<T> {
  if (/^(list|get)-/.test(name) || values.dryRun === true) return work();
  const { audited } = await import('../server/audit/command-audit.js');
  return audited(settings, { source: 'iam.amazonaws.com', name: operationOf(name), parameters: values }, work);
}

/** As the AWS CLI prints it. */
function print(printed: Printed): void {
  if (printed === undefined) return;
  console.log(typeof printed === 'string' ? printed : JSON.stringify(printed, null, 4));
}

/** --user-name for userName. */
function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (capital) => `-${capital.toLowerCase()}`)}`;
}

/** PutUserPolicy for put-user-policy. */
function operationOf(name: string): string {
  return name.replace(/(?:^|-)(\w)/g, (_match, letter: string) => letter.toUpperCase());
}
