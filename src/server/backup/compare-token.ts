import type { Settings } from '../../config/settings.js';
import type { Finding } from '../doctor/finding.js';
import { objects } from '../doctor/objects.js';
import { Patient } from '../doctor/patient.js';

/** What the doctor would destroy without asking is, after a restoration, what was made since the archive. */
const madeSince =
  'they were made, or rotated to, after the archive: restore a newer one into another place if there is any; hsm-kms doctor --repair destroys them';

/** Compares a store that was restored with the token: keys that have lost their objects, and objects without a row. */
export async function compareWithToken(settings: Settings): Promise<Finding[]> {
  const options = { repair: false, stopped: true, settleMilliseconds: 0, mostOrphans: Number.POSITIVE_INFINITY };
  const patient = new Patient(settings, options);
  try {
    const findings = await objects.examine(patient);
    return findings.map(({ repair, ...finding }) => (repair ? { ...finding, toDo: madeSince } : finding));
  } finally {
    await patient.close();
  }
}
