import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import type { Service } from './service.js';
import { testedToken } from './tested-token.js';

/** One statement on the database of a service, which may run: how tests let time pass. @returns the rows, if any */
export function sql<Row>(service: Service, statement: string, ...values: (string | number | null)[]): Row[] {
  const database = new Sqlite(join(service.dataDir, 'hsm-kms.db'), { timeout: 10_000 });
  try {
    const prepared = database.prepare<unknown[], Row>(statement);
    if (prepared.reader) return prepared.all(...values);
    prepared.run(...values);
    return [];
  } finally {
    database.close();
  }
}

/** How many objects the service's token holds. */
export function tokenObjects(service: Service): number {
  return testedToken.objects(service.dataDir);
}
