#!/usr/bin/env node
import { Command } from 'commander';
import { version } from '../config/version.js';
import { takePin } from '../server/environment-pin.js';

/** What adds each command, in the order of the help. */
const commands: Readonly<Record<string, () => Promise<(program: Command) => void>>> = {
  serve: async () => (await import('./serve.js')).addServeCommand,
  init: async () => (await import('./init.js')).addInitCommand,
  migrate: async () => (await import('./migrate.js')).addMigrateCommand,
  backup: async () => (await import('./backup.js')).addBackupCommand,
  restore: async () => (await import('./restore.js')).addRestoreCommand,
  'copy-store': async () => (await import('./copy-store.js')).addCopyStoreCommand,
  config: async () => (await import('./config.js')).addConfigCommand,
  audit: async () => (await import('./audit.js')).addAuditCommand,
  identity: async () => (await import('./identity.js')).addIdentityCommand,
  evidence: async () => (await import('./evidence.js')).addEvidenceCommand,
  explain: async () => (await import('./explain.js')).addExplainCommand,
  csr: async () => (await import('./csr.js')).addCsrCommand,
  certificate: async () => (await import('./certificate.js')).addCertificateCommand,
  health: async () => (await import('./health.js')).addHealthCommand,
  token: async () => (await import('./token.js')).addTokenCommand,
  'reset-key-policy': async () => (await import('./reset-key-policy.js')).addResetKeyPolicyCommand,
  reseal: async () => (await import('./reseal.js')).addResealCommand,
  doctor: async () => (await import('./doctor.js')).addDoctorCommand,
};

const program = new Command('hsm-kms')
  .description('The AWS KMS API over the PKCS#11 token that you own')
  .version(version)
  .showHelpAfterError();
// the one that is asked for alone: loading the others, and making their hundreds of options, takes longer than most work
const [asked = ''] = process.argv.slice(2);
for (const name of Object.hasOwn(commands, asked) ? [asked] : Object.keys(commands)) {
  (await commands[name]?.())?.(program);
}

// a reader that has seen enough (`| head`) is no error
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  console.error(`hsm-kms: the output cannot be written: ${error.message}`);
  process.exit(1);
});

try {
  await takePin();
  await program.parseAsync();
} catch (error) {
  console.error(`hsm-kms: ${(error as Error).message}`);
  process.exit((error as { exitCode?: number }).exitCode ?? 1);
}
