import { existsSync, readdirSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseCheckpointFileName, parseCheckpointLine, parseStreamFileName } from '../../audit/format.js';
import { auditDirectory } from '../data-directory.js';
import { whyNotWritable } from './disk.js';
import { type Check, error, type Finding, ok, warning } from './finding.js';

const mebibyte = 1024 ** 2;
const writableByOthers = 0o022;
/** The first checkpoint may be late by so many intervals. */
const patience = 3;
/** Less is soon used up: some 50,000 events, in bytes. */
const little = 64 * mebibyte;

export const audit: Check = {
  name: 'audit log',
  examine({ settings, isAtRest, directory: home }) {
    const { auditMode, auditFailOpen, auditCheckpointSeconds } = settings;
    if (auditMode === 'off')
      return [warning('Nothing is written down: auditMode is off.', 'HSM_KMS_AUDIT_MODE=buffered')];
    const directory = auditDirectory(settings);
    if (!existsSync(directory)) return [ok('There is no audit log yet: the first start makes it.')];
    // the check of the disk has said what is wrong with the data directory's
    const isElsewhere = statSync(directory).dev !== statSync(home.path).dev;
    const findings = isElsewhere ? [...roomFindings(directory, auditFailOpen)] : [];
    if ((statSync(directory).mode & writableByOthers) !== 0) {
      const what = `Others than its owner can write to ${directory}: they could remove what is in it, which verification would find.`;
      findings.push(error(what, `chmod go-w ${directory}`));
    }
    const last = lastCheckpointTime(directory);
    if (last === undefined && !isAtRest && isOlder(directory, patience * auditCheckpointSeconds)) {
      findings.push(
        warning('The audit log has no checkpoint yet.', 'hsm-kms audit public-key, and what the service has logged'),
      );
    }
    if (findings.length > 0) return findings;
    const signed = last === undefined ? 'nothing is signed yet' : `last signed ${last.toISOString()}`;
    return [ok(`${directory} can be written to (${auditMode}), ${signed}.`)];
  },
};

function* roomFindings(directory: string, failOpen: boolean): Generator<Finding> {
  const consequence = failOpen ? 'requests are answered and not written down' : 'requests are refused';
  const trouble = whyNotWritable(directory);
  if (trouble !== undefined) {
    yield error(`Nothing can be written to ${directory}: ${trouble}; ${consequence}.`, `findmnt --target ${directory}`);
  }
  const { bavail, bsize } = statfsSync(directory);
  if (bavail * bsize < little) {
    const size = `${Math.floor((bavail * bsize) / mebibyte)} MiB`;
    const toDo = 'make room, or set HSM_KMS_AUDIT_RETENTION_DAYS or _MEGABYTES';
    yield error(`${size} are free for ${directory}; without room ${consequence}.`, toDo);
  }
}

/** Whether there has been a file of the log for that long. */
function isOlder(directory: string, seconds: number): boolean {
  const [first] = readdirSync(directory).filter((name) => parseStreamFileName(name) !== undefined);
  if (first === undefined) return false;
  const born = statSync(join(directory, first), { throwIfNoEntry: false })?.birthtimeMs;
  return born !== undefined && Date.now() - born > seconds * 1000;
}

/** Undefined where there is no checkpoint. */
function lastCheckpointTime(directory: string): Date | undefined {
  const names = readdirSync(directory).filter((name) => parseCheckpointFileName(name) !== undefined);
  for (const name of names.sort().reverse()) {
    const lines = readFileSync(join(directory, name), 'utf8').split('\n').slice(0, -1);
    const checkpoint = parseCheckpointLine(lines.at(-1) ?? '')?.checkpoint;
    if (checkpoint) return new Date(checkpoint.time);
  }
  return undefined;
}
