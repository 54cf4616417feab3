/*
 * What somebody who has the user PIN and the token's library can do to the keys in it. A process of its own, which
 * shares no code with the service: it tries, and prints what came of it as JSON.
 *
 * stdin: { module, parameters, label, pin }; SOFTHSM2_CONF in the environment
 */
import { readFileSync } from 'node:fs';
import pkcs11 from 'pkcs11js';
import { openedToken } from './opened-token.mjs';

const { cryptoki, slot, session } = openedToken(JSON.parse(readFileSync(0, 'utf8')));

const CKA_ALLOWED_MECHANISMS = 0x40000600;
const classes = { 2: 'public', 3: 'private', 4: 'secret' };
const flags = [
  ...[
    'TOKEN',
    'PRIVATE',
    'MODIFIABLE',
    'COPYABLE',
    'SENSITIVE',
    'EXTRACTABLE',
    'ALWAYS_SENSITIVE',
    'NEVER_EXTRACTABLE',
  ],
  ...['LOCAL', 'ENCRYPT', 'DECRYPT', 'SIGN', 'SIGN_RECOVER', 'VERIFY', 'VERIFY_RECOVER', 'DERIVE', 'WRAP', 'UNWRAP'],
];
const values = {
  secret: ['VALUE'],
  private: ['VALUE', 'PRIVATE_EXPONENT', 'PRIME_1', 'PRIME_2', 'EXPONENT_1', 'EXPONENT_2', 'COEFFICIENT'],
  public: [],
};

/** @returns 'done', or the number of the CK_RV */
function attempt(call) {
  try {
    call();
    return 'done';
  } catch (error) {
    return error.code || Number(/:(\d+)/.exec(error.message)?.[1]) || error.message;
  }
}
const read = (object, type) => cryptoki.C_GetAttributeValue(session, object, [{ type }])[0].value;
const readFlag = (object, name) => {
  try {
    return read(object, pkcs11[`CKA_${name}`])[0] !== 0;
  } catch {
    return undefined;
  }
};
function readMechanisms(object) {
  try {
    const bytes = read(object, CKA_ALLOWED_MECHANISMS);
    return Array.from({ length: bytes.length / 8 }, (_, i) => Number(bytes.readBigUInt64LE(i * 8)));
  } catch {
    return [];
  }
}
const set = (object, name, value) =>
  attempt(() => cryptoki.C_SetAttributeValue(session, object, [{ type: pkcs11[`CKA_${name}`], value }]));
function copy(object, template) {
  let made;
  const outcome = attempt(() => {
    made = cryptoki.C_CopyObject(session, object, template);
  });
  if (made === undefined) return { outcome };
  const facts = { outcome, sensitive: readFlag(made, 'SENSITIVE'), extractable: readFlag(made, 'EXTRACTABLE') };
  cryptoki.C_DestroyObject(session, made);
  return facts;
}
const as = (attributes) => Object.entries(attributes).map(([name, value]) => ({ type: pkcs11[`CKA_${name}`], value }));

/** Keys that wrap, which anybody with the PIN can make. */
function wrappingKeys() {
  const aes = cryptoki.C_GenerateKey(
    session,
    { mechanism: pkcs11.CKM_AES_KEY_GEN },
    as({
      CLASS: 4,
      KEY_TYPE: 0x1f,
      VALUE_LEN: 32,
      TOKEN: false,
      WRAP: true,
      UNWRAP: true,
      ENCRYPT: true,
      DECRYPT: true,
    }),
  );
  const { publicKey: rsa } = cryptoki.C_GenerateKeyPair(
    session,
    { mechanism: pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN },
    as({ MODULUS_BITS: 2048, PUBLIC_EXPONENT: Buffer.from([1, 0, 1]), TOKEN: false, WRAP: true, ENCRYPT: true }),
    as({ TOKEN: false, UNWRAP: true, DECRYPT: true }),
  );
  return { aes, rsa };
}
/** Where the token still has them. */
function desKey(mechanism, keyType) {
  try {
    const uses = { WRAP: true, UNWRAP: true, ENCRYPT: true, DECRYPT: true };
    return cryptoki.C_GenerateKey(session, { mechanism }, as({ CLASS: 4, KEY_TYPE: keyType, TOKEN: false, ...uses }));
  } catch {
    return undefined;
  }
}
const { aes, rsa } = wrappingKeys();
const des = desKey(pkcs11.CKM_DES_KEY_GEN, 0x13) ?? aes;
const des3 = desKey(pkcs11.CKM_DES3_KEY_GEN, 0x15) ?? aes;
const oaep = { type: pkcs11.CK_PARAMS_RSA_OAEP, hashAlg: pkcs11.CKM_SHA_1, mgf: 1, source: 1 };
const ways = {
  CKM_AES_KEY_WRAP: [aes, { mechanism: pkcs11.CKM_AES_KEY_WRAP }],
  CKM_AES_KEY_WRAP_PAD: [aes, { mechanism: pkcs11.CKM_AES_KEY_WRAP_PAD }],
  CKM_AES_CBC_PAD: [aes, { mechanism: pkcs11.CKM_AES_CBC_PAD, parameter: Buffer.alloc(16) }],
  CKM_AES_CBC: [aes, { mechanism: pkcs11.CKM_AES_CBC, parameter: Buffer.alloc(16) }],
  CKM_DES_ECB: [des, { mechanism: pkcs11.CKM_DES_ECB }],
  CKM_DES_CBC: [des, { mechanism: pkcs11.CKM_DES_CBC, parameter: Buffer.alloc(8) }],
  CKM_DES_CBC_PAD: [des, { mechanism: pkcs11.CKM_DES_CBC_PAD, parameter: Buffer.alloc(8) }],
  CKM_DES3_CBC: [des3, { mechanism: pkcs11.CKM_DES3_CBC, parameter: Buffer.alloc(8) }],
  CKM_RSA_PKCS: [rsa, { mechanism: pkcs11.CKM_RSA_PKCS }],
  CKM_RSA_PKCS_OAEP: [rsa, { mechanism: pkcs11.CKM_RSA_PKCS_OAEP, parameter: oaep }],
};
const everyWay = Buffer.alloc(8 * Object.keys(ways).length);
Object.values(ways).forEach(([, { mechanism }], i) => {
  everyWay.writeBigUInt64LE(BigInt(mechanism), i * 8);
});
const wrapped = (object) =>
  Object.fromEntries(
    Object.entries(ways).map(([name, [key, mechanism]]) => [
      name,
      attempt(() => cryptoki.C_WrapKey(session, mechanism, key, object, Buffer.alloc(4096))),
    ]),
  );
/** Every mechanism that the token itself says can wrap. */
const CKF_WRAP = 0x20000;
const wrappingMechanisms = cryptoki
  .C_GetMechanismList(slot)
  .filter((each) => (cryptoki.C_GetMechanismInfo(slot, each).flags & CKF_WRAP) !== 0);

/** A key that may leave: shows that the attempts are real, and are refused because of the keys. */
function control() {
  const key = cryptoki.C_GenerateKey(
    session,
    { mechanism: pkcs11.CKM_AES_KEY_GEN },
    as({ CLASS: 4, KEY_TYPE: 0x1f, VALUE_LEN: 32, TOKEN: false, SENSITIVE: false, EXTRACTABLE: true }),
  );
  return { value: attempt(() => read(key, pkcs11.CKA_VALUE)), wrapped: wrapped(key) };
}

function objects() {
  cryptoki.C_FindObjectsInit(session, [{ type: pkcs11.CKA_TOKEN, value: true }]);
  const found = [];
  for (let batch = cryptoki.C_FindObjects(session, 64); batch.length > 0; batch = cryptoki.C_FindObjects(session, 64)) {
    found.push(...batch);
  }
  cryptoki.C_FindObjectsFinal(session);
  return found;
}

const readFlags = (object) => Object.fromEntries(flags.map((name) => [name, readFlag(object, name)]));
const uses = ['ENCRYPT', 'DECRYPT', 'SIGN', 'VERIFY', 'DERIVE', 'WRAP', 'UNWRAP'];

/** Reads what the key is; tries to weaken it; then tries to get its value. */
function inspect(object) {
  const kind = classes[Number(read(object, pkcs11.CKA_CLASS).readBigUInt64LE())];
  const before = readFlags(object);
  const allowedMechanisms = readMechanisms(object);
  const weakened = {
    SENSITIVE: set(object, 'SENSITIVE', false),
    EXTRACTABLE: set(object, 'EXTRACTABLE', true),
    ALWAYS_SENSITIVE: set(object, 'ALWAYS_SENSITIVE', false),
    NEVER_EXTRACTABLE: set(object, 'NEVER_EXTRACTABLE', false),
    ALLOWED_MECHANISMS: attempt(() =>
      cryptoki.C_SetAttributeValue(session, object, [{ type: CKA_ALLOWED_MECHANISMS, value: everyWay }]),
    ),
  };
  const missing = uses.filter((name) => before[name] === false);
  const newUses = Object.fromEntries(missing.map((name) => [name, set(object, name, true)]));
  return {
    class: kind,
    label: read(object, pkcs11.CKA_LABEL).toString(),
    id: read(object, pkcs11.CKA_ID).toString('hex'),
    before,
    allowedMechanisms,
    weakened,
    newUses,
    values: Object.fromEntries(values[kind].map((name) => [name, attempt(() => read(object, pkcs11[`CKA_${name}`]))])),
    wrapped: kind === 'public' ? {} : wrapped(object),
    copies: {
      'as it is': copy(object, as({ TOKEN: false })),
      'not sensitive': copy(object, as({ TOKEN: false, SENSITIVE: false })),
      extractable: copy(object, as({ TOKEN: false, EXTRACTABLE: true })),
      both: copy(object, as({ TOKEN: false, SENSITIVE: false, EXTRACTABLE: true })),
      'seen without login': copy(object, as({ TOKEN: false, PRIVATE: false })),
    },
    after: readFlags(object),
  };
}

process.stdout.write(
  JSON.stringify({
    control: control(),
    wrappingMechanisms,
    tried: Object.values(ways).map(([, { mechanism }]) => mechanism),
    objects: objects().map(inspect),
  }),
);
