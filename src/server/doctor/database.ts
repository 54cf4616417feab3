import { existsSync } from 'node:fs';
import type { Settings } from '../../config/settings.js';
import { expectWholeSqlite, strayRowsOfSqlite } from '../../store/database-identity.js';
import type { DataDirectory } from '../data-directory.js';
import { inspectDatabase } from '../store-of-settings.js';
import { type Check, error, type Finding, orWell, some, warning } from './finding.js';

const init = 'hsm-kms init, with the same settings';
const backUp = 'put the database back from your back-up';

export const database: Check = {
  name: 'database',
  async examine(patient) {
    patient.expectDirectory();
    const { settings, directory } = patient;
    return settings.databaseUrl === undefined ? ofSqlite(settings, directory) : ofPostgres(settings);
  },
};

async function ofSqlite(settings: Settings, { database: file, credentials }: DataDirectory): Promise<Finding[]> {
  if (!existsSync(file)) {
    return [error(`There is no database ${file}.`, `${backUp}; where there never was one: ${init}`)];
  }
  const { isEmpty, pending } = await inspectDatabase(settings);
  if (isEmpty) return [error(`The database ${file} is empty.`, `${backUp}; where there never was another: ${init}`)];
  expectWholeSqlite(file, 'integrity_check');
  const strays = strayRowsOfSqlite(file);
  const findings = oldSchema(pending);
  if (strays.length > 0) findings.push(error(`Rows name rows that are not there: ${some(strays)}.`, backUp));
  if (!existsSync(credentials)) {
    findings.push(
      error(
        `The file ${credentials} is missing, without which the service does not start.`,
        `put it back, or type touch ${credentials}`,
      ),
    );
  }
  return orWell(findings, `${file} is whole, and its schema is up to date.`);
}

async function ofPostgres(settings: Settings): Promise<Finding[]> {
  const { isEmpty, pending } = await inspectDatabase(settings);
  if (isEmpty) {
    return [error('The database in PostgreSQL is empty.', `${backUp}; where there never was another: ${init}`)];
  }
  return orWell(oldSchema(pending), 'PostgreSQL answers, and its schema is up to date.');
}

function oldSchema(pending: readonly string[]): Finding[] {
  if (pending.length === 0) return [];
  return [
    warning(`The schema is older than this program: ${some(pending)}.`, 'hsm-kms migrate, with the same settings'),
  ];
}
