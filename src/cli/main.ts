#!/usr/bin/env node
import { Command } from 'commander';
import { takePin } from '../server/environment-pin.js';
import { version } from '../version.js';
import { addAuditCommand } from './audit.js';
import { addBackupCommand } from './backup.js';
import { addCertificateCommand } from './certificate.js';
import { addConfigCommand } from './config.js';
import { addCopyStoreCommand } from './copy-store.js';
import { addCsrCommand } from './csr.js';
import { addDoctorCommand } from './doctor.js';
import { addEvidenceCommand } from './evidence.js';
import { addExplainCommand } from './explain.js';
import { addHealthCommand } from './health.js';
import { addIdentityCommand } from './identity.js';
import { addInitCommand } from './init.js';
import { addMigrateCommand } from './migrate.js';
import { addResealCommand } from './reseal.js';
import { addResetKeyPolicyCommand } from './reset-key-policy.js';
import { addRestoreCommand } from './restore.js';
import { addServeCommand } from './serve.js';
import { addTokenCommand } from './token.js';

const program = new Command('hsm-kms')
  .description('The AWS KMS API over the PKCS#11 token that you own')
  .version(version)
  .showHelpAfterError();
for (const add of [
  addServeCommand,
  addInitCommand,
  addMigrateCommand,
  addBackupCommand,
  addRestoreCommand,
  addCopyStoreCommand,
  addConfigCommand,
  addAuditCommand,
  addIdentityCommand,
  addEvidenceCommand,
  addExplainCommand,
  addCsrCommand,
  addCertificateCommand,
  addHealthCommand,
  addTokenCommand,
  addResetKeyPolicyCommand,
  addResealCommand,
  addDoctorCommand,
]) {
  add(program);
}

// a reader that has seen enough (`| head`) is no error
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

try {
  await takePin();
  await program.parseAsync();
} catch (error) {
  console.error(`hsm-kms: ${(error as Error).message}`);
  process.exit((error as { exitCode?: number }).exitCode ?? 1);
}
