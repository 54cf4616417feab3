import type { Command } from 'commander';
import { addAuditPublicKeyCommand } from './audit-public-key.js';
import { addAuditShowCommand } from './audit-show.js';
import { addAuditVerifyCommand } from './audit-verify.js';

export function addAuditCommand(program: Command): void {
  const audit = program.command('audit').description('look at the audit log: docs/audit.md');
  addAuditShowCommand(audit);
  addAuditVerifyCommand(audit);
  addAuditPublicKeyCommand(audit);
}
