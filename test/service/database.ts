import type { Service } from './service.js';
import { testedDatabase } from './tested-database.js';
import { testedToken } from './tested-token.js';

/**
 * One statement on the database of a service, which may run: how tests let time pass. What it changes is announced as
 * the service's own changes are.
 *
 * @returns the rows, if any
 */
export function sql<Row>(service: Service, statement: string, ...values: (string | number | null)[]): Row[] {
  return testedDatabase.query<Row>(service.dataDir, statement, values);
}

/** How many objects the service's token holds. */
export function tokenObjects(service: Service): number {
  return testedToken.objects(service.dataDir);
}
