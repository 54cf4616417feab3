import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { AuditVerification, Finding } from '../audit/verify.js';

interface VerifyOptions {
  readonly publicKey?: string;
  readonly checkpoint?: string;
  readonly json?: boolean;
}

/** What cannot be verified, as opposed to a log that is not whole. */
const cannotVerify = 2;

/** `audit verify`. @param audit the command whose subcommand it is */
export function addAuditVerifyCommand(audit: Command): void {
  audit
    .command('verify')
    .description('verify an audit log, or a copy of one, offline: exit code 0 whole, 1 not whole, 2 not verified')
    .argument('[directory]', "directory of the log's files")
    .option('--public-key <file>', 'the audit key, as hsm-kms audit public-key prints it')
    .option('--checkpoint <file>', 'a line of checkpoints.*.jsonl that was kept elsewhere: the log must still hold it')
    .option('--json', 'print JSON')
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : cannotVerify))
    .action(async (directory: string | undefined, options: VerifyOptions) => {
      try {
        const verification = await verify(directory, options);
        process.exitCode = verification.isWhole ? 0 : 1;
      } catch (error) {
        throw Object.assign(error as Error, { exitCode: cannotVerify });
      }
    });
}

async function verify(
  directory: string | undefined,
  { publicKey, checkpoint, json }: VerifyOptions,
): Promise<AuditVerification> {
  if (directory === undefined || publicKey === undefined) {
    throw new Error('Type: hsm-kms audit verify DIRECTORY --public-key FILE');
  }
  // loaded here: other commands start faster without it
  const { verifyAuditLog } = await import('../audit/verify.js');
  const startedAt = performance.now();
  const progress = new ProgressBar();
  const verification = await verifyAuditLog({
    directory,
    publicKey: contentOf('--public-key', publicKey),
    keptCheckpoint: checkpoint === undefined ? undefined : contentOf('--checkpoint', checkpoint),
    onProgress: (bytes, ofBytes) => progress.show(bytes, ofBytes),
  }).finally(() => progress.clear());
  const seconds = (performance.now() - startedAt) / 1000;
  console.log(json ? JSON.stringify(verification, undefined, 2) : textOf(verification, seconds));
  return verification;
}

/** @throws Error that names the option */
function contentOf(option: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(`${option} takes a file that can be read: ${(error as Error).message}.`, { cause: error });
  }
}

/** On the standard error, where that is a terminal. */
class ProgressBar {
  private shownAt = 0;

  show(bytes: number, ofBytes: number): void {
    const now = performance.now();
    if (!process.stderr.isTTY || now - this.shownAt < 100) return;
    this.shownAt = now;
    const share = ofBytes === 0 ? 1 : bytes / ofBytes;
    const done = '#'.repeat(Math.round(share * 40)).padEnd(40, '.');
    process.stderr.write(`\r[${done}] ${String(Math.floor(share * 100)).padStart(3)} % of ${megabytes(ofBytes)}`);
  }

  clear(): void {
    if (this.shownAt > 0) process.stderr.write('\r\x1b[K');
  }
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
/** How many findings are printed for people. */
const mostPrinted = 50;
const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;

function textOf(verification: AuditVerification, seconds: number): string {
  const { isWhole, findings, findingCount, events, streams, bytes, checkpoints, lastCheckpoint } = verification;
  const speed = `${megabytes(bytes)} in ${seconds.toFixed(1)} s`;
  const printed = findings.slice(0, mostPrinted);
  const more = findingCount - printed.length;
  return [
    `${counted(events, 'event')} in ${counted(streams, 'stream')}, ${counted(checkpoints, 'checkpoint')}; ${speed}`,
    ...(lastCheckpoint ? [`signed up to checkpoint ${lastCheckpoint.sequence} of ${lastCheckpoint.time}`] : []),
    ...notesOf(verification),
    isWhole
      ? 'WHOLE: every event that a checkpoint covers is as it was written'
      : `NOT WHOLE: ${counted(findingCount, 'finding')}`,
    ...printed.map(lineOf),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ].join('\n');
}

/** What an auditor should know of a log that is whole. */
function notesOf(verification: AuditVerification): string[] {
  const { unsignedEvents, unsignedSince, tornBytes, openStreams, removedFiles, strangers } = verification;
  const notes: [isSo: boolean, note: string][] = [
    [unsignedEvents > 0, `${counted(unsignedEvents, 'event')} since ${unsignedSince}: chained, and not signed yet`],
    [tornBytes > 0, `${counted(tornBytes, 'byte')} of lines that a crash has cut off: no events`],
    [openStreams > 0, `${counted(openStreams, 'stream')} without an end: being written, or ended by a crash`],
    [
      removedFiles > 0,
      `${counted(removedFiles, 'file')} removed for their age or the log's size, as the log itself says`,
    ],
    [strangers.length > 0, `not of the log, and not looked at: ${strangers.join(', ')}`],
  ];
  return notes.filter(([isSo]) => isSo).map(([, note]) => `note: ${note}`);
}

function lineOf({ what, message, file, line, stream, sequence }: Finding): string {
  const where = file === undefined ? stream : line === undefined ? file : `${file}:${line}`;
  const which = sequence === undefined ? [] : [`#${sequence}`];
  return `  ${[...(where === undefined ? [] : [where]), ...which, what].join(' ')}: ${message}`;
}
