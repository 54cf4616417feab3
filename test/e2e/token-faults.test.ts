import { ckr, type FunctionFault, returnValues } from '../service/fault-token.js';
import { answers, type FaultRow, testUnderFaults, tokenTrouble } from '../service/under-fault.js';

/** Now and then; the next try works. */
const sometimes = { every: 5 } as const;
const once = { next: 1 } as const;
const always = {} as const;
/** Clients are told that the token has failed. */
const told = { refusals: tokenTrouble } as const;
const makesKeys = { does: ['make a key'] } as const;
const makesPairs = { does: ['generate a data key pair', 'generate a data key pair'] } as const;
const derives = { does: ['derive a shared secret', 'derive a shared secret'] } as const;

/** The faults happen when keys are looked for again. */
const afterNewHandles = (...faults: FunctionFault[]): Partial<FaultRow> => ({
  begin: async ({ fault }) => {
    await fault.renewHandles();
    await fault.set(...faults);
  },
});
/** The faults happen when sessions are replaced: C_Sign has failed in them. */
const afterSpoiltSessions = (...faults: FunctionFault[]): Partial<FaultRow> => ({
  begin: ({ fault }) => fault.set({ on: 'C_Sign', return: ckr('CKR_DEVICE_ERROR'), every: 3 }, ...faults),
});
/** It is done, and the token says that it has failed. */
const denies = (on: string, code: string, more: Partial<FaultRow> = {}): FaultRow => ({
  fault: `${on} is done, but gives ${code}`,
  begin: ({ fault }) => fault.set({ on, lose: ckr(code) }),
  ...told,
  ...more,
});

/** Each so-manieth call would hit the same request again and again, where others come between its tries. */
const timesOne = { times: 4 } as const;

const unnoticed: FaultRow[] = [
  answers('C_EncryptInit', 'CKR_OPERATION_ACTIVE', once, timesOne),
  answers('C_Encrypt', 'CKR_SESSION_HANDLE_INVALID', once, timesOne),
  answers('C_DecryptInit', 'CKR_SESSION_CLOSED', once, timesOne),
  answers('C_Sign', 'CKR_OPERATION_NOT_INITIALIZED', once, timesOne),
  answers('C_SignInit', 'CKR_KEY_HANDLE_INVALID', once, timesOne),
  answers('C_DeriveKey', 'CKR_OBJECT_HANDLE_INVALID', once, derives),
  answers('C_GenerateKey', 'CKR_SESSION_HANDLE_INVALID', once, makesKeys),
  answers('C_GenerateKeyPair', 'CKR_SESSION_CLOSED', once, makesPairs),
  answers('C_GenerateRandom', 'CKR_SESSION_HANDLE_INVALID', once, timesOne),
  { fault: 'all objects have new handles', begin: ({ fault }) => fault.renewHandles() },
  {
    fault: 'all objects have new handles, and sessions are no good',
    ...afterNewHandles({ on: 'C_FindObjectsInit', return: ckr('CKR_SESSION_HANDLE_INVALID'), ...once }),
    ...timesOne,
  } as FaultRow,
];

const noticed: FaultRow[] = [
  answers('C_EncryptInit', 'CKR_DEVICE_ERROR', always, told),
  answers('C_SignInit', 'CKR_USER_NOT_LOGGED_IN', always, told),
  answers('C_Sign', 'CKR_DEVICE_REMOVED', sometimes, told),
  answers('*', 'CKR_CRYPTOKI_NOT_INITIALIZED', always, told),
  answers('*', 'CKR_SESSION_HANDLE_INVALID', always, told),
  answers('C_OpenSession', 'CKR_SESSION_COUNT', always, {
    ...told,
    ...afterSpoiltSessions({ on: 'C_OpenSession', return: ckr('CKR_SESSION_COUNT') }),
  }),
  answers('C_CloseSession', 'CKR_GENERAL_ERROR', always, {
    ...told,
    ...afterSpoiltSessions({ on: 'C_CloseSession', return: ckr('CKR_GENERAL_ERROR') }),
  }),
  answers('C_Sign', 'CKR_HOST_MEMORY', sometimes, told),
  answers('C_Sign', 0x80000001, always, told),
  answers('C_EncryptInit', 'CKR_MECHANISM_INVALID', always, told),
  answers('C_Encrypt', 'CKR_DATA_LEN_RANGE', always, told),
  denies('C_GenerateKey', 'CKR_DEVICE_ERROR', { ...makesKeys, refusedOperations: ['make a key'] }),
  denies('C_GenerateKeyPair', 'CKR_DEVICE_ERROR', { ...makesPairs, refusals: tokenTrouble }),
];

const notOfWhoAsked: FaultRow[] = [
  answers('C_Decrypt', 'CKR_GENERAL_ERROR', always, told),
  answers('C_Decrypt', 'CKR_FUNCTION_FAILED', { every: 2 }, told),
  answers('C_DecryptInit', 'CKR_GENERAL_ERROR', always, told),
  answers('C_Verify', 'CKR_GENERAL_ERROR', always, told),
  answers('C_DeriveKey', 'CKR_FUNCTION_FAILED', always, { ...derives, ...told }),
  answers('C_DestroyObject', 'CKR_GENERAL_ERROR', always, { ...derives, ...told }),
  answers('C_FindObjectsFinal', 'CKR_GENERAL_ERROR', always, {
    ...told,
    ...afterNewHandles({ on: 'C_FindObjectsFinal', return: ckr('CKR_GENERAL_ERROR'), every: 2 }),
  }),
];

/** What the load calls of PKCS#11. */
const functions = [
  ...['C_OpenSession', 'C_CloseSession', 'C_GetSessionInfo', 'C_GetTokenInfo', 'C_GenerateRandom'],
  ...['C_FindObjectsInit', 'C_FindObjects', 'C_FindObjectsFinal', 'C_GetAttributeValue', 'C_DestroyObject'],
  ...['C_EncryptInit', 'C_Encrypt', 'C_DecryptInit', 'C_Decrypt', 'C_SignInit', 'C_Sign', 'C_VerifyInit', 'C_Verify'],
  ...['C_GenerateKey', 'C_GenerateKeyPair', 'C_DeriveKey'],
];

/** Each function with each CK_RV: HSM_KMS_TEST_ALL_FAULTS=1. Takes half an hour. */
const everyFault = functions.flatMap((on) =>
  [...returnValues].map(([name, { reaction, ckr: code = 0 }]): FaultRow => {
    const saysWrong = reaction === 'input' || reaction === 'ambiguous';
    const wrongInput = ['InvalidCiphertextException', 'KMSInvalidSignatureException', 'ValidationException'];
    return {
      fault: `${on} gives ${name}`,
      begin: async ({ fault }) => {
        if (on.startsWith('C_FindObjects')) await fault.renewHandles();
        const spoils: FunctionFault[] = on.endsWith('Session') ? [{ on: 'C_Sign', return: 48, every: 3 }] : [];
        await fault.set({ on, return: code, every: 2 }, ...spoils);
      },
      does: ['make a key', 'derive a shared secret', 'generate a data key pair', 'decrypt a wrong ciphertext'],
      // what a token says of the input must be believed
      refusals: saysWrong ? [...tokenTrouble, ...wrongInput] : tokenTrouble,
    };
  }),
);

testUnderFaults({
  'what the next try makes good, nobody notices:': unnoticed,
  'what clients are told of, and what is over when it is over:': noticed,
  'a token that fails is not the fault of who asked:': notOfWhoAsked,
  ...(process.env.HSM_KMS_TEST_ALL_FAULTS && { 'every error of every function:': everyFault }),
});
