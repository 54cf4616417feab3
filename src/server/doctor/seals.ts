import { checkSeals } from '../sealed-store.js';
import { type Check, error, type Finding, orWell, some } from './finding.js';

/** Looks whether somebody else than the service has written into the database. */
export const seals: Check = {
  name: 'seals',
  async examine(patient) {
    const { token, store } = await patient.tokenAndStore();
    if (!(await store.isSealed())) {
      return [error('The records of the database have no seals.', 'hsm-kms serve makes them, or says why not')];
    }
    if (!checkSeals({ token, store }).isReady()) {
      return [error('The token does not have the key that the database is sealed by.', 'put its back-up back')];
    }
    const { records, broken, isWhole } = await store.examineSeals();
    const findings: Finding[] = [];
    if (broken.length > 0) {
      findings.push(
        error(
          `Somebody else than hsm-kms has written into the database: ${some(broken.map(({ record }) => record))}.`,
          `find out who, and put the database back from your back-up; if what is there is right: hsm-kms reseal ${broken[0]?.record}`,
        ),
      );
    }
    if (!isWhole) {
      findings.push(
        error(
          'Records were taken out of the database, or put back as they had been earlier.',
          'find out who, and put the database back from your back-up; if what is there is right: hsm-kms reseal --all',
        ),
      );
    }
    if (findings.length > 0) patient.doubts.push('somebody else has written into the database');
    return orWell(findings, `Nobody but hsm-kms has written any of ${records} records, and none is missing.`);
  },
};
