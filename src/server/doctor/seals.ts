import { createPublicKey, verify } from 'node:crypto';
import { parseCheckpointLine, signedBytes } from '../../audit/format.js';
import { AuditKey } from '../../keys/audit-key.js';
import type { Store } from '../../store/store.js';
import type { Token } from '../../token/token.js';
import { auditDirectory } from '../data-directory.js';
import { newestCheckpoint } from '../evidence/newest-checkpoint.js';
import { checkSeals } from '../sealed-store.js';
import { type Check, error, type Finding, orWell, some } from './finding.js';
import type { Patient } from './patient.js';

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
    findings.push(...(await older(patient, token, store)));
    if (findings.length > 0) patient.doubts.push('somebody else has written into the database');
    return orWell(findings, `Nobody but hsm-kms has written any of ${records} records, and none is missing.`);
  },
};

/** A database that was put back whole has good seals: that it is older, a checkpoint of the audit log tells. */
async function older({ settings }: Patient, token: Token, store: Store): Promise<Finding[]> {
  const { line } = newestCheckpoint(auditDirectory(settings)) ?? {};
  const parsed = line === undefined ? undefined : parseCheckpointLine(line);
  const auditKey = new AuditKey(token);
  if (parsed === undefined || !auditKey.isReady()) return [];
  const { checkpoint, text, signature } = parsed;
  const publicKey = createPublicKey({ key: auditKey.describe().publicKey, format: 'der', type: 'spki' });
  if (!verify('sha256', signedBytes(text), publicKey, signature)) {
    return [
      error('The last checkpoint of the audit log is not one that this token has signed.', 'hsm-kms audit verify'),
    ];
  }
  const revision = await store.lastRevision();
  if (checkpoint.storeRevision === null || checkpoint.storeRevision <= revision) return [];
  return [
    error(
      `The database is older than the audit log: on ${checkpoint.time} it had had ${checkpoint.storeRevision} changes, and now it has had ${revision}.`,
      'find out who has put it back, and put the newest back-up back; if what is there is right: hsm-kms reseal --all',
    ),
  ];
}
