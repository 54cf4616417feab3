import type { Command } from 'commander';
import { addAuditPublicKeyCommand } from './audit-public-key.js';

export function addAuditCommand(program: Command): void {
  const audit = program.command('audit').description('look at the audit log: docs/audit.md');
  addAuditPublicKeyCommand(audit);
}
