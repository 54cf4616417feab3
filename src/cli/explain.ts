import type { Command } from 'commander';
import type { Explanation } from '../authorization/explain.js';
import { addSettingsOptions, settingsOf } from './settings-options.js';

interface ExplainOptions {
  readonly principal: string;
  readonly action: string;
  readonly key?: string;
  readonly alias?: string;
  readonly grantId?: string;
  readonly context?: readonly string[];
  readonly json?: boolean;
}

export function addExplainCommand(program: Command): void {
  const command = program
    .command('explain')
    .description('say whether a principal may do something with a key, what decides it, and what would change it')
    .requiredOption('--principal <arn>', 'ARN of a user, a role, a role session, or the account root')
    .requiredOption('--action <action>', 'as policies name it: kms:Decrypt, kms:ReEncryptFrom, kms:CreateKey ...')
    .option('--key <key>', 'key id, key ARN, alias/NAME or alias ARN')
    .option('--alias <name>', 'alias/NAME, for the permission of CreateAlias, UpdateAlias or DeleteAlias on the alias')
    .option('--grant-id <id>', 'for kms:RetireGrant: the grant')
    .option(
      '--context <pairs...>',
      'key=value: pairs of the encryption context, and condition keys (aws:SourceIp=192.0.2.1)',
    )
    .option('--json', 'print JSON');
  addSettingsOptions(command).action(async (options) => {
    const { settings } = settingsOf(options);
    // loaded here: other commands start faster without the database
    const { explainInStore } = await import('../server/explain-in-store.js');
    const { principal, key, alias, grantId, context = [], json, ...given } = options as ExplainOptions;
    const { action, resource, explanation } = await explainInStore(settings, {
      principal,
      action: given.action,
      key,
      alias,
      grantId,
      context: context.map(pairOf),
    });
    console.log(
      json
        ? JSON.stringify({ principal, action, resource, ...explanation }, undefined, 2)
        : textOf(principal, action, resource, explanation),
    );
  });
}

function pairOf(text: string): [string, string] {
  const end = text.indexOf('=');
  if (end < 1) throw new Error(`--context takes key=value, not ${JSON.stringify(text)}.`);
  return [text.slice(0, end), text.slice(end + 1)];
}

function textOf(principal: string, action: string, resource: string, explanation: Explanation): string {
  const { decision, decidedBy, nearMisses, remedies } = explanation;
  const isAllowed = decision.decision === 'allow';
  const list = (title: string, lines: readonly string[]) =>
    lines.length === 0 ? [] : ['', `${title}:`, ...lines.map((line) => `  - ${line}`)];
  return [
    `${isAllowed ? 'ALLOWED' : 'DENIED'}: ${action} on ${resource}`,
    `for ${principal}`,
    ...(decidedBy ? [`decided by ${decidedBy}`] : []),
    ...(isAllowed ? [] : [decision.message]),
    ...list('What comes near', nearMisses),
    ...list(isAllowed ? 'What would deny it' : 'What would allow it, each by itself', remedies),
  ].join('\n');
}
