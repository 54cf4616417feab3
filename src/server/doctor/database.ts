import { existsSync } from 'node:fs';
import { expectWholeSqlite, inspectSqlite, strayRowsOfSqlite } from '../../store/database-identity.js';
import { type Check, error, type Finding, orWell, some, warning } from './finding.js';

export const database: Check = {
  name: 'database',
  examine(patient) {
    patient.expectDirectory();
    const { database: file, credentials } = patient.directory;
    const init = 'hsm-kms init, with the same settings';
    if (!existsSync(file))
      return [
        error(`There is no database ${file}.`, `put it back from your back-up; where there never was one: ${init}`),
      ];
    const { isEmpty, pending } = inspectSqlite(file);
    if (isEmpty)
      return [
        error(
          `The database ${file} is empty.`,
          `put it back from your back-up; where there never was another: ${init}`,
        ),
      ];
    expectWholeSqlite(file, 'integrity_check');
    const strays = strayRowsOfSqlite(file);
    const findings: Finding[] = [];
    if (strays.length > 0) {
      findings.push(
        error(`Rows name rows that are not there: ${some(strays)}.`, 'put the database back from your back-up'),
      );
    }
    if (pending.length > 0) {
      findings.push(
        warning(`The schema is older than this program: ${some(pending)}.`, 'hsm-kms serve brings it up to date'),
      );
    }
    if (!existsSync(credentials)) {
      findings.push(
        error(
          `The file ${credentials} is missing, without which the service does not start.`,
          `put it back, or type touch ${credentials}`,
        ),
      );
    }
    return orWell(findings, `${file} is whole, and its schema is up to date.`);
  },
};
