import type { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { oneLine } from '../evidence/markup.js';
import type { VerifiedBundle } from '../evidence/verify-bundle.js';
import { addSettingsOptions, settingsOf } from './settings-options.js';

/** The bundle is to be believed, and a claim in it failed. */
const claimFailed = 2;
/** A vendor's attestation is some kilobytes, in bytes. */
const mostAttestationBytes = 1024 * 1024;

interface EvidenceFlags {
  readonly all?: boolean;
  readonly challenge?: string;
  readonly attestation?: readonly string[];
}

interface VerifyFlags {
  readonly trust: string;
  readonly challenge?: string;
  readonly html?: string;
  readonly json?: boolean;
}

export function addEvidenceCommand(program: Command): void {
  const evidence = program
    .command('evidence')
    .description('print evidence that keys cannot leave the token, signed by a key in it: docs/evidence.md')
    .argument('[keys...]', 'key ids, key ARNs, alias/NAMES or alias ARNs')
    .option('--all', 'all keys')
    .option('--challenge <hex>', 'a nonce of who will verify it, 16 to 64 bytes in hexadecimal digits', nonce)
    .option(
      '--attestation <key=file>',
      "attach a vendor's attestation of a key; may be given several times",
      (pair: string, given: readonly string[] = []) => [...given, pair],
    );
  addSettingsOptions(evidence, ['dataDir', 'databaseUrl']).action(async (keys: string[], options) => {
    const { settings } = settingsOf(options);
    const { all, challenge, attestation = [] } = options as EvidenceFlags;
    if (all ? keys.length > 0 : keys.length === 0)
      throw new Error('Type hsm-kms evidence KEY..., or --all for all keys.');
    const attestations = new Map(attestation.map(attestationOf));
    // loaded here: other commands start faster without PKCS#11 and the database
    const [{ makeAuditedBundle }, { withEvidenceKey }] = await Promise.all([
      import('../server/evidence/make-bundle.js'),
      import('../server/evidence/opened.js'),
    ]);
    const request = { keys: all ? undefined : keys, nonce: challenge, attestations, progress: progressOf('keys') };
    const bundle = await withEvidenceKey(settings, console.error, (opened) => makeAuditedBundle(opened, request));
    console.log(JSON.stringify(bundle, undefined, 2));
  });
  addCertificateCommands(evidence);
  addVerifyCommand(evidence);
}

function addCertificateCommands(evidence: Command): void {
  const withKey = async <T>(command: Command, work: (using: UsingEvidenceKey) => T | Promise<T>): Promise<T> => {
    // flags that both commands have are the parent's
    const { settings } = settingsOf(command.optsWithGlobals());
    const [certificates, { withEvidenceKey }] = await Promise.all([
      import('../server/evidence/evidence-certificate.js'),
      import('../server/evidence/opened.js'),
    ]);
    return withEvidenceKey(settings, console.error, async (opened) => work({ ...opened, ...certificates }));
  };
  evidence
    .command('certificate')
    .description('print the certificate of the key that signs evidence, in PEM: what --trust takes')
    .action(async (_options, command: Command) => {
      const certificates = await withKey(command, ({ evidenceKey, token, directory, evidenceCertificates }) =>
        evidenceCertificates(evidenceKey, token.identity, directory),
      );
      process.stdout.write(certificates.map((each) => each.toString()).join(''));
    });
  evidence
    .command('csr')
    .description('print a certification request (PKCS#10) for the key that signs evidence, for a CA of yours')
    .option('--subject <name>', 'as in "CN=evidence, O=Example"; by default it names the token')
    .action(async ({ subject }: { subject?: string }, command: Command) => {
      const request = await withKey(command, ({ evidenceKey, token, evidenceRequest }) =>
        evidenceRequest(evidenceKey, token.identity, subject),
      );
      process.stdout.write(request);
    });
  evidence
    .command('install-certificate')
    .description('keep the certificate that a CA has issued for the key that signs evidence')
    .argument('<file>', 'PEM: the certificate, then those of the CAs that issued it')
    .action(async (file: string, _options, command: Command) => {
      const text = readText(file);
      const { audited } = await import('../server/audit/command-audit.js');
      const event = {
        source: 'hsm-kms',
        name: 'InstallEvidenceCertificate',
        parameters: { file },
        outcome: ([first]: readonly X509Certificate[]) => ({
          responseElements: { subject: first?.subject, fingerprint256: first?.fingerprint256 },
        }),
      } as const;
      const [first] = await withKey(command, ({ settings, evidenceKey, directory, installEvidenceCertificate }) =>
        audited(settings, event, async () => installEvidenceCertificate(evidenceKey, directory, { text, name: file })),
      );
      console.log(`installed ${first?.subject.split('\n').join(', ')}, valid to ${first?.validTo}`);
    });
}

type UsingEvidenceKey = import('../server/evidence/opened.js').Opened &
  typeof import('../server/evidence/evidence-certificate.js');

function addVerifyCommand(evidence: Command): void {
  evidence
    .command('verify')
    .description(
      'verify evidence, without token, service or network: exit code 0 when it is to be believed and no claim failed, 2 when a claim failed, 1 when it is not to be believed',
    )
    .argument('<bundle>', 'what hsm-kms evidence has printed')
    .requiredOption('--trust <file>', 'certificates that are trusted, in PEM')
    .option('--challenge <hex>', 'the nonce that it was to be made for', nonce)
    .option('--html <file>', 'write a page that a person can read and print')
    .option('--json', 'print the verdicts as JSON, for programs')
    .action(async (file: string, _options, command: Command) => {
      const { trust, challenge, html, json } = command.optsWithGlobals() as VerifyFlags;
      const [{ verifyBundle }, { reportPage }, { reportText, worstVerdict }] = await Promise.all([
        import('../evidence/verify-bundle.js'),
        import('../evidence/report-page.js'),
        import('./evidence-text.js'),
      ]);
      const knowledge = { trust: readText(trust), nonce: challenge, now: new Date() };
      const verified = verifying(file, () => verifyBundle(readText(file), knowledge));
      if (html !== undefined) writeFileSync(html, reportPage(verified, knowledge.now));
      console.log(json ? JSON.stringify(verdictsOf(verified), undefined, 2) : reportText(verified));
      if (verified.faults.length > 0) process.exitCode = 1;
      else if (worstVerdict(verified) === 'failed') process.exitCode = claimFailed;
    });
}

function verifying<T>(file: string, verify: () => T): T {
  try {
    return verify();
  } catch (error) {
    if ((error as Error).name !== 'NoBundleError') throw error;
    throw new Error(`${file} is not to be believed. ${oneLine((error as Error).message)}`, { cause: error });
  }
}

function verdictsOf({ faults, notes, signer, payload, keys }: VerifiedBundle) {
  return {
    believed: faults.length === 0,
    faults,
    notes,
    signer,
    madeAt: payload.madeAt,
    keys: keys.map(({ key: { kind, keyId, arn }, claims }) => ({ kind, keyId, arn, claims })),
  };
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new Error(`${file} cannot be read: ${(cause as NodeJS.ErrnoException).code}.`, { cause });
  }
}

function attestationOf(pair: string): [string, { fileName: string; content: Buffer }] {
  // an ARN has no "=", a file may
  const place = pair.indexOf('=');
  if (place < 1) throw new Error('--attestation takes KEY=FILE, as in alias/x=attestation.p7b.');
  const file = pair.slice(place + 1);
  let content: Buffer;
  try {
    content = readFileSync(file);
  } catch (cause) {
    throw new Error(`${file} cannot be read: ${(cause as NodeJS.ErrnoException).code}.`, { cause });
  }
  if (content.length > mostAttestationBytes) throw new Error(`${file} has more than 1 MiB: it is no attestation.`);
  return [pair.slice(0, place), { fileName: basename(file), content }];
}

function nonce(text: string): string {
  const digits = text.toLowerCase();
  if (/^(?:[0-9a-f]{2}){16,64}$/.test(digits)) return digits;
  throw new InvalidArgumentError('It must be 32 to 128 hexadecimal digits: type openssl rand -hex 32.');
}

/** On a terminal, one line that is written over; elsewhere a line now and then. */
function progressOf(what: string): (done: number, of: number) => void {
  const { stderr } = process;
  return (done, of) => {
    if (stderr.isTTY) stderr.write(`\r${done} of ${of} ${what}${done === of ? '\n' : ''}`);
    else if (done === of || done % 100 === 0) stderr.write(`${done} of ${of} ${what}\n`);
  };
}
