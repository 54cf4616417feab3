/**
 * A program with a token: makes the calls that its parent names, one after the other, and answers with what came of
 * them: `{ value }`, 'done' where there is none, or `{ code }`, the CK_RV. For tests of the fault-injecting module itself.
 *
 *   fork('token-calls.mjs', [MODULE, LABEL, PIN])
 */
import pkcs11 from 'pkcs11js';

const [module, label, pin] = process.argv.slice(2);
const token = new pkcs11.PKCS11();
token.load(module);
let session;
/** Handles of an AES key and an HMAC key. */
let aes;
let hmac;

const slot = () => token.C_GetSlotList(true).find((each) => token.C_GetTokenInfo(each).label.trimEnd() === label);
const secretKey = (stays, more) => [
  { type: pkcs11.CKA_TOKEN, value: stays },
  { type: pkcs11.CKA_PRIVATE, value: true },
  ...more,
];
const gcm = (iv) => ({
  mechanism: pkcs11.CKM_AES_GCM,
  parameter: { type: pkcs11.CK_PARAMS_AES_GCM_v240, iv, ivBits: 96, aad: Buffer.from('aad'), tagBits: 128 },
});
const findKey = (type) => {
  token.C_FindObjectsInit(session, [{ type: pkcs11.CKA_KEY_TYPE, value: type }]);
  const [found] = token.C_FindObjects(session, 1);
  token.C_FindObjectsFinal(session);
  return found;
};

const calls = {
  initialise: () => token.C_Initialize({ flags: 2 }),
  finalise: () => token.C_Finalize(),
  slots: () => token.C_GetSlotList(true).length,
  info: () => token.C_GetTokenInfo(token.C_GetSlotList(false)[0]).label.trimEnd(),
  open: () => {
    session = token.C_OpenSession(slot(), pkcs11.CKF_SERIAL_SESSION | pkcs11.CKF_RW_SESSION);
  },
  // the slot is known from before: what a program does that does not look for it again
  openAgain: () => {
    session = token.C_OpenSession(token.C_GetSlotList(false)[0], pkcs11.CKF_SERIAL_SESSION | pkcs11.CKF_RW_SESSION);
  },
  login: () => token.C_Login(session, pkcs11.CKU_USER, pin),
  isLoggedIn: () => token.C_GetSessionInfo(session).state === 3,
  makeAes: (stays = false) => {
    const wanted = [
      { type: pkcs11.CKA_VALUE_LEN, value: 32 },
      { type: pkcs11.CKA_ENCRYPT, value: true },
      { type: pkcs11.CKA_DECRYPT, value: true },
    ];
    aes = token.C_GenerateKey(session, { mechanism: pkcs11.CKM_AES_KEY_GEN }, secretKey(stays, wanted));
  },
  makeHmac: (stays = false) => {
    const wanted = [
      { type: pkcs11.CKA_KEY_TYPE, value: pkcs11.CKK_GENERIC_SECRET },
      { type: pkcs11.CKA_VALUE, value: Buffer.alloc(32, 7) },
      { type: pkcs11.CKA_CLASS, value: pkcs11.CKO_SECRET_KEY },
      { type: pkcs11.CKA_SIGN, value: true },
    ];
    hmac = token.C_CreateObject(session, secretKey(stays, wanted));
  },
  find: () => {
    [aes, hmac] = [findKey(pkcs11.CKK_AES), findKey(pkcs11.CKK_GENERIC_SECRET)];
    return [aes, hmac].filter(Boolean).length;
  },
  /** Whether the IV is another afterwards, and whether the ciphertext decrypts with the one that is there. */
  encrypt: () => {
    const iv = Buffer.alloc(12);
    token.C_EncryptInit(session, gcm(iv), aes);
    const sealed = token.C_Encrypt(session, Buffer.from('plaintext'), Buffer.alloc(64));
    token.C_DecryptInit(session, gcm(iv), aes);
    const opened = token.C_Decrypt(session, Buffer.from(sealed), Buffer.alloc(64));
    return { otherIv: !iv.equals(Buffer.alloc(12)), opens: opened.toString() === 'plaintext' };
  },
  mac: () => {
    token.C_SignInit(session, { mechanism: pkcs11.CKM_SHA256_HMAC }, hmac);
    return token.C_Sign(session, Buffer.from('message'), Buffer.alloc(64)).toString('hex');
  },
  macElsewhere: async () => {
    token.C_SignInit(session, { mechanism: pkcs11.CKM_SHA256_HMAC }, hmac);
    return (await token.C_SignAsync(session, Buffer.from('message'), Buffer.alloc(64))).toString('hex');
  },
  size: () => token.C_GetAttributeValue(session, aes, [{ type: pkcs11.CKA_VALUE_LEN }])[0].value.length,
};

process.on('message', async ({ call, given }) => {
  const start = performance.now();
  const answer = (outcome) => process.send({ ...outcome, milliseconds: performance.now() - start });
  try {
    answer({ value: (await calls[call](given)) ?? 'done' });
  } catch (error) {
    answer({ code: error.code || Number(/:(\d+)/.exec(error.message)?.[1]), message: error.message });
  }
});
