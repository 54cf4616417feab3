import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { sealedTables } from '../../src/store/seal/sealed-tables.js';
import { builtModules, mainModule } from './built-service.js';
import { type Service, serviceEnvironment, serviceNode } from './service.js';
import { testedDatabase } from './tested-database.js';
import { testedToken } from './tested-token.js';

const sealed = Object.entries(sealedTables).flatMap(([table, { parts }]) => [
  table,
  ...parts.map((part) => part.table),
]);
const writesSealed = new RegExp(
  `^\\s*(update|insert into|insert or replace into|delete from) (${sealed.join('|')})\\b`,
  'i',
);

/**
 * One statement on the database of a service, which may run: how tests let time pass. What it changes is announced and
 * sealed as the service's own changes are.
 *
 * @returns the rows, if any
 */
export function sql<Row>(service: Service, statement: string, ...values: (string | number | null)[]): Row[] {
  if (!isSealed(statement)) return tamper<Row>(service, statement, ...values);
  const program = join(import.meta.dirname, 'write-sealed.mjs');
  const input = JSON.stringify({ statement: testedDatabase.placed(statement), values });
  const env = serviceEnvironment(service.dataDir);
  return JSON.parse(
    execFileSync(serviceNode(), [program, builtModules, service.dataDir], { input, env, encoding: 'utf8' }),
  );
}

/** The same, as somebody does it behind the service's back. */
export function tamper<Row>(service: Service, statement: string, ...values: (string | number | null)[]): Row[] {
  return testedDatabase.query<Row>(service.dataDir, statement, values);
}

/** Whether a statement changes what has a seal. */
export function isSealed(statement: string): boolean {
  return writesSealed.test(statement) && !statement.includes('encryptions_reserved');
}

/** `hsm-kms reseal`. @returns what it prints */
export function reseal(service: Pick<Service, 'dataDir'>, ...parameters: string[]): string {
  const env = serviceEnvironment(service.dataDir);
  return execFileSync(serviceNode(), [mainModule, 'reseal', '--data-dir', service.dataDir, ...parameters], {
    env,
    encoding: 'utf8',
  });
}

/** How many objects the service's token holds. */
export function tokenObjects(service: Service): number {
  return testedToken.objects(service.dataDir);
}
