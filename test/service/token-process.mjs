/**
 * Looks into a token, or makes one, in a process of its own, so that the test's process has no PKCS#11 in it:
 *
 *   node token-process.mjs MODULE init LABEL SO-PIN USER-PIN
 *   node token-process.mjs MODULE set-pin LABEL OLD-PIN NEW-PIN
 *   node token-process.mjs MODULE keys LABEL USER-PIN        CKA_LABELs of the secret keys, as JSON
 *   node token-process.mjs MODULE make LABEL USER-PIN CKA_LABEL CKA_ID ... makes AES keys; CKA_ID in hexadecimal digits
 *   node token-process.mjs MODULE destroy LABEL USER-PIN CKA_LABEL       destroys all objects of that label; how many
 *   node token-process.mjs MODULE logins LABEL USER-PIN MS   logs in and out for so many milliseconds; says how often
 */
import pkcs11js from 'pkcs11js';

const [module, command, label, ...pins] = process.argv.slice(2);
const token = new pkcs11js.PKCS11();
token.load(module);
// for NSS; pkcs11js drops the last character
const { MODULE_PARAMETERS: parameters } = process.env;
token.C_Initialize({ flags: 2, ...(parameters && { libraryParameters: `${parameters} ` }) });

function session(user, pin) {
  const opened = token.C_OpenSession(slotOfToken(), pkcs11js.CKF_SERIAL_SESSION | pkcs11js.CKF_RW_SESSION);
  try {
    token.C_Login(opened, user, pin);
  } catch (error) {
    token.C_CloseSession(opened);
    throw error;
  }
  return opened;
}

function slotOfToken() {
  const slot = token.C_GetSlotList(true).find((each) => token.C_GetTokenInfo(each).label.trimEnd() === label);
  if (slot === undefined) throw new Error(`there is no token ${label}`);
  return slot;
}

const commands = {
  init: (securityOfficerPin, userPin) => {
    const free = token
      .C_GetSlotList(true)
      .find((slot) => (token.C_GetTokenInfo(slot).flags & pkcs11js.CKF_TOKEN_INITIALIZED) === 0);
    token.C_InitToken(free, securityOfficerPin, label.padEnd(32));
    token.C_InitPIN(session(pkcs11js.CKU_SO, securityOfficerPin), userPin);
  },
  'set-pin': (oldPin, newPin) => token.C_SetPIN(session(pkcs11js.CKU_USER, oldPin), oldPin, newPin),
  keys: (pin) => {
    const opened = session(pkcs11js.CKU_USER, pin);
    token.C_FindObjectsInit(opened, [{ type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_SECRET_KEY }]);
    const labels = token
      .C_FindObjects(opened, 1000)
      .map((key) => token.C_GetAttributeValue(opened, key, [{ type: pkcs11js.CKA_LABEL }])[0].value.toString());
    token.C_FindObjectsFinal(opened);
    return labels;
  },
  make: (pin, ...given) => {
    const opened = session(pkcs11js.CKU_USER, pin);
    for (let place = 0; place < given.length; place += 2) makeKey(opened, given[place], given[place + 1]);
  },
  destroy: (pin, name) => {
    const opened = session(pkcs11js.CKU_USER, pin);
    token.C_FindObjectsInit(opened, [{ type: pkcs11js.CKA_LABEL, value: name }]);
    const found = token.C_FindObjects(opened, 1000);
    token.C_FindObjectsFinal(opened);
    for (const object of found) token.C_DestroyObject(opened, object);
    return found.length;
  },
  logins: async (pin, milliseconds) => {
    const end = Date.now() + Number(milliseconds);
    let count = 0;
    for (; Date.now() < end; count++) {
      token.C_CloseSession(await outlastLoginOfAnother(() => session(pkcs11js.CKU_USER, pin)));
    }
    return count;
  },
};

function makeKey(opened, name, id) {
  const attributes = {
    ...{ CLASS: pkcs11js.CKO_SECRET_KEY, KEY_TYPE: pkcs11js.CKK_AES, VALUE_LEN: 32, TOKEN: true, PRIVATE: true },
    ...{ LABEL: name, ID: Buffer.from(id, 'hex'), SENSITIVE: true, EXTRACTABLE: false, ENCRYPT: true, DECRYPT: true },
  };
  const template = Object.entries(attributes).map(([each, value]) => ({ type: pkcs11js[`CKA_${each}`], value }));
  token.C_GenerateKey(opened, { mechanism: pkcs11js.CKM_AES_KEY_GEN }, template);
}

/** SoftHSM2 fails while another process, such as a worker that opens a key store, logs in. */
async function outlastLoginOfAnother(call, attempts = 1_000) {
  try {
    return call();
  } catch (error) {
    if (attempts === 1 || !/CKR_GENERAL_ERROR|CKR_USER_PIN_NOT_INIT|there is no token/.test(error.message)) throw error;
    await new Promise((resolve) => setTimeout(resolve, 10));
    return outlastLoginOfAnother(call, attempts - 1);
  }
}

console.log(JSON.stringify((await outlastLoginOfAnother(() => commands[command](...pins))) ?? null));
