import { PinRefusedError } from '../../token/pin-refused-error.js';
import { sessionsOf } from '../../token/session-limits.js';
import { damagedTokenFiles, restoreTokenFiles } from '../../token/softhsm-token-file.js';
import type { TokenFacts } from '../../token/token-facts.js';
import { usesOwnSoftHsm } from '../token-settings.js';
import { type Check, error, type Finding, ok, orWell, warning } from './finding.js';
import { type Patient, TokenNotOfDataError, type WrongPinFlag, WrongPinGivenError } from './patient.js';

/** What a login that was killed has emptied: SoftHSM2 does not write it atomically. */
export const tokenFiles: Check = {
  name: 'token files',
  examine(patient) {
    const { settings, directory } = patient;
    if (!usesOwnSoftHsm(settings)) return [ok('The token keeps its files itself.')];
    patient.expectDirectory();
    const { softHsm } = directory;
    const damaged = damagedTokenFiles(softHsm.tokens);
    return orWell(
      damaged.map((directory) =>
        error(
          `A login that was killed has emptied ${directory}/token.object; its copy is whole.`,
          undefined,
          async () => restoreTokenFiles(softHsm.tokens).map((restored) => `put back ${restored}/token.object`),
        ),
      ),
      'What SoftHSM2 writes at each login is whole.',
    );
  },
};

export const token: Check = {
  name: 'token',
  async examine(patient) {
    let facts: TokenFacts;
    let name: string;
    try {
      const opened = await patient.openToken();
      facts = opened.facts();
      name = `${JSON.stringify(opened.identity.label)} (serial number ${opened.identity.serialNumber})`;
    } catch (thrown) {
      return [whyNotOpened(thrown as Error)];
    }
    const findings = [...protectedAgainstWriting(name, facts), ...fewSessions(patient, facts)];
    const stranger = await whyNotOfData(patient);
    if (stranger) findings.push(stranger);
    return orWell(findings, `The token ${name} takes the PIN, and is the one of this database.`);
  },
};

const wrongPin: Readonly<Record<WrongPinFlag, string>> = {
  CKF_USER_PIN_LOCKED: 'Wrong PINs have locked the token.',
  CKF_USER_PIN_FINAL_TRY: 'One more wrong PIN locks the token: the doctor has tried none.',
  CKF_USER_PIN_COUNT_LOW: 'The last PIN that the token was given was wrong: the doctor has tried none.',
};

function whyNotOpened(thrown: Error): Finding {
  if (thrown instanceof WrongPinGivenError) {
    return error(
      wrongPin[thrown.flag],
      'put the right PIN in place, then: hsm-kms token describe, with the same settings',
    );
  }
  const toDo =
    thrown instanceof PinRefusedError
      ? 'put the right PIN in place: further wrong ones may lock the token'
      : 'hsm-kms token list, with the same settings, shows what the module shows';
  return error(thrown.message, toDo);
}

function protectedAgainstWriting(name: string, { flags }: TokenFacts): Finding[] {
  if (!flags.includes('CKF_WRITE_PROTECTED')) return [];
  return [
    error(
      `The token ${name} is write-protected: keys are neither made nor deleted.`,
      "its vendor's manual says how that is ended",
    ),
  ];
}

function fewSessions({ settings }: Patient, { mostSessions, mostReadWriteSessions }: TokenFacts): Finding[] {
  const told = [mostSessions, mostReadWriteSessions].filter((count) => count !== undefined);
  const most = Math.min(...told);
  const wanted = sessionsOf(settings.tokenSessions);
  if (most >= wanted) return [];
  return [
    warning(
      `The token gives ${most} sessions to a process, and a worker wants ${wanted}: slow operations wait for each other.`,
      `--token-sessions ${Math.max(1, most - sessionsOf(0))}, or more sessions in the token's configuration`,
    ),
  ];
}

/** A token that the database was not made with. */
async function whyNotOfData(patient: Patient): Promise<Finding | undefined> {
  try {
    await patient.tokenAndStore();
    return undefined;
  } catch (thrown) {
    // that the database cannot be opened has been said
    return thrown instanceof TokenNotOfDataError ? error((thrown.cause as Error).message) : undefined;
  }
}
