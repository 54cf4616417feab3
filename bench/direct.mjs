/*
 * A process of its own that uses the service's token and the service's keys without the service: the yardstick.
 * SOFTHSM2_CONF names the token's configuration.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pkcs11 from 'pkcs11js';
import { softHsmModule } from '../build/token/softhsm.js';
import { directCalls } from './direct-calls.mjs';

/**
 * @typedef {object} DirectOrder
 * @property {string} dataDirectory of the service
 * @property {string} keyId label of the key in the token
 * @property {import('./direct-calls.mjs').DirectCall} call
 * @property {number} inFlight calls at the same time, each in a session of its own; 1 calls synchronously
 * @property {number} warmUpSeconds
 * @property {number} seconds
 */

/**
 * @typedef {object} DirectReport
 * @property {number} calls in the measurement
 * @property {number} seconds its length
 * @property {number} cpu in microseconds
 */

const CKF_OS_LOCKING_OK = 2;
const tokenLabel = 'hsm-kms';

/** @type {{ cryptoki: pkcs11.PKCS11, slot: pkcs11.Handle } | undefined} */
let token;

/** @param {string} dataDirectory */
function openToken(dataDirectory) {
  if (token) return token;
  const cryptoki = new pkcs11.PKCS11();
  cryptoki.load(softHsmModule());
  cryptoki.C_Initialize({ flags: CKF_OS_LOCKING_OK });
  const slot = cryptoki.C_GetSlotList(true).find((each) => cryptoki.C_GetTokenInfo(each).label.trim() === tokenLabel);
  if (slot === undefined) throw new Error('the token of the service is not there');
  token = { cryptoki, slot };
  const pin = readFileSync(join(dataDirectory, 'token-user-pin'), 'utf8').trim();
  cryptoki.C_Login(openSession(), pkcs11.CKU_USER, pin);
  return token;
}

function openSession() {
  if (token === undefined) throw new Error('the token is not open');
  return token.cryptoki.C_OpenSession(token.slot, pkcs11.CKF_SERIAL_SESSION | pkcs11.CKF_RW_SESSION);
}

/** @param {pkcs11.PKCS11} cryptoki @param {pkcs11.Handle} session @param {string} label */
const keyFinder = (cryptoki, session, label) => (/** @type {number} */ objectClass) => {
  cryptoki.C_FindObjectsInit(session, [
    { type: pkcs11.CKA_CLASS, value: objectClass },
    { type: pkcs11.CKA_LABEL, value: label },
  ]);
  const [handle] = cryptoki.C_FindObjects(session, 1);
  cryptoki.C_FindObjectsFinal(session);
  if (handle === undefined) throw new Error(`the token has no key ${label}`);
  return handle;
};

/** @param {DirectOrder} order @returns {Promise<DirectReport>} */
async function measure({ dataDirectory, keyId, call, inFlight, warmUpSeconds, seconds }) {
  const { cryptoki } = openToken(dataDirectory);
  const sessions = Array.from({ length: inFlight }, openSession);
  /** @type {import('./direct-calls.mjs').Prepare} */
  const prepare = directCalls[inFlight > 1 ? 'signElsewhere' : call.call];
  const steps = sessions.map((session) =>
    prepare({ cryptoki, session, key: keyFinder(cryptoki, session, keyId) }, call),
  );
  await callFor(steps, warmUpSeconds);
  const cpuBefore = process.cpuUsage();
  const start = performance.now();
  const calls = await callFor(steps, seconds);
  const elapsed = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  for (const session of sessions) cryptoki.C_CloseSession(session);
  return { calls, seconds: elapsed, cpu: user + system };
}

/** @param {(() => unknown)[]} steps one of each may be under way @param {number} seconds */
async function callFor(steps, seconds) {
  const end = performance.now() + seconds * 1000;
  const [only, ...others] = steps;
  let calls = 0;
  if (only && others.length === 0) {
    for (; performance.now() < end; calls++) only();
    return calls;
  }
  await Promise.all(
    steps.map(async (step) => {
      for (; performance.now() < end; calls++) await step();
    }),
  );
  return calls;
}

process.on('message', async (/** @type {DirectOrder} */ order) => {
  const answer = await measure(order).then(
    (report) => ({ report }),
    (/** @type {Error} */ error) => ({ failure: error.message }),
  );
  // nobody waits for it any more when the bench was interrupted
  if (process.connected) process.send?.(answer);
});
