import { generateKeyPairSync, randomBytes } from 'node:crypto';
import pkcs11 from 'pkcs11js';

/**
 * An operation as a bare PKCS#11 program does it: what the service does with the token for one request, and nothing else.
 *
 * @typedef {object} DirectCall
 * @property {keyof typeof directCalls} call
 * @property {number} [additionalBytes] length of the additional authenticated data
 * @property {'RSA_PKCS_PSS' | 'RSA_PKCS' | 'ECDSA' | 'EDDSA'} [mechanism]
 * @property {Uint8Array} [data] what is signed
 * @property {boolean} [elsewhere] true when the service makes this call in another thread
 */

/**
 * What a call works with.
 *
 * @typedef {object} Bench
 * @property {import('pkcs11js').PKCS11} cryptoki
 * @property {import('pkcs11js').Handle} session
 * @property {(objectClass: number) => import('pkcs11js').Handle} key finds the key of the case
 */

const { CKM_AES_GCM, CKM_SHA256_HMAC, CKM_ECDH1_DERIVE, CK_PARAMS_AES_GCM_v240, CK_PARAMS_EC_DH } = pkcs11;
const plaintextBytes = 32;
const tagBytes = 16;
const ivBytes = 12;
/** The service takes the largest signature of all keys as the size of its answer. */
const signatureBytes = 512;

/** @typedef {(bench: Bench, call: DirectCall) => () => unknown} Prepare */

/** Newer than pkcs11js. */
const CKM_EDDSA = 0x1057;
const signingMechanisms = {
  RSA_PKCS_PSS: {
    mechanism: pkcs11.CKM_RSA_PKCS_PSS,
    parameter: {
      type: pkcs11.CK_PARAMS_RSA_PSS,
      hashAlg: pkcs11.CKM_SHA256,
      mgf: pkcs11.CKG_MGF1_SHA256,
      saltLen: 32,
    },
  },
  RSA_PKCS: { mechanism: pkcs11.CKM_RSA_PKCS },
  ECDSA: { mechanism: pkcs11.CKM_ECDSA },
  EDDSA: { mechanism: CKM_EDDSA },
};

/** @param {Buffer} iv @param {Buffer} aad */
const gcm = (iv, aad) => ({
  mechanism: CKM_AES_GCM,
  parameter: { type: CK_PARAMS_AES_GCM_v240, iv, ivBits: ivBytes * 8, aad, tagBits: tagBytes * 8 },
});

/** @param {Bench} bench @param {number} bytes */
const random = ({ cryptoki, session }, bytes) => cryptoki.C_GenerateRandom(session, Buffer.allocUnsafeSlow(bytes));

/** @param {Bench} bench @param {DirectCall} call */
function encrypting(bench, { additionalBytes = 0 }) {
  const { cryptoki, session } = bench;
  const key = bench.key(pkcs11.CKO_SECRET_KEY);
  const aad = randomBytes(additionalBytes);
  return (/** @type {Buffer} */ plaintext) => {
    const iv = random(bench, ivBytes);
    cryptoki.C_EncryptInit(session, gcm(iv, aad), key);
    const sealed = cryptoki.C_Encrypt(session, plaintext, Buffer.allocUnsafeSlow(plaintext.length + tagBytes));
    return { key, aad, iv, sealed };
  };
}

/** @param {Bench} bench @param {DirectCall} call */
function signer({ cryptoki, session, key }, { mechanism = 'ECDSA', data = Buffer.of() }) {
  const handle = key(pkcs11.CKO_PRIVATE_KEY);
  const input = Buffer.from(data);
  return {
    begin: () => cryptoki.C_SignInit(session, signingMechanisms[mechanism], handle),
    finish: () => cryptoki.C_Sign(session, input, Buffer.allocUnsafeSlow(signatureBytes)),
    finishElsewhere: () => cryptoki.C_SignAsync(session, input, Buffer.allocUnsafeSlow(signatureBytes)),
  };
}

/**
 * Name of a call -> what prepares it; the function that comes back does it once.
 *
 * @satisfies {Record<string, Prepare>}
 */
export const directCalls = {
  random: (bench) => () => random(bench, 32),

  encrypt(bench, call) {
    const encrypt = encrypting(bench, call);
    const plaintext = randomBytes(plaintextBytes);
    return () => encrypt(plaintext);
  },

  decrypt(bench, call) {
    const { cryptoki, session } = bench;
    const { key, aad, iv, sealed } = encrypting(bench, call)(randomBytes(plaintextBytes));
    return () => {
      cryptoki.C_DecryptInit(session, gcm(iv, aad), key);
      cryptoki.C_Decrypt(session, sealed, Buffer.allocUnsafeSlow(sealed.length));
    };
  },

  generateDataKey(bench, call) {
    const encrypt = encrypting(bench, call);
    return () => encrypt(random(bench, 32));
  },

  mac({ cryptoki, session, key }) {
    const handle = key(pkcs11.CKO_SECRET_KEY);
    const message = randomBytes(32);
    return () => {
      cryptoki.C_SignInit(session, { mechanism: CKM_SHA256_HMAC }, handle);
      cryptoki.C_Sign(session, message, Buffer.allocUnsafeSlow(32));
    };
  },

  sign(bench, call) {
    const { begin, finish } = signer(bench, call);
    return () => {
      begin();
      finish();
    };
  },

  signElsewhere(bench, call) {
    const { begin, finishElsewhere } = signer(bench, call);
    return () => {
      begin();
      return finishElsewhere();
    };
  },

  verify(bench, call) {
    const { cryptoki, session, key } = bench;
    const { begin, finish } = signer(bench, call);
    begin();
    const signature = finish();
    const { mechanism = 'ECDSA', data = Buffer.of() } = call;
    const input = Buffer.from(data);
    const handle = key(pkcs11.CKO_PUBLIC_KEY);
    return () => {
      cryptoki.C_VerifyInit(session, signingMechanisms[mechanism], handle);
      if (!cryptoki.C_Verify(session, input, signature)) throw new Error('a signature of the token does not verify');
    };
  },

  derive({ cryptoki, session, key }) {
    const handle = key(pkcs11.CKO_PRIVATE_KEY);
    const spki = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'der', type: 'spki' });
    const point = spki.subarray(-65);
    const CKD_NULL = 1;
    const template = [
      { type: pkcs11.CKA_CLASS, value: pkcs11.CKO_SECRET_KEY },
      { type: pkcs11.CKA_KEY_TYPE, value: pkcs11.CKK_GENERIC_SECRET },
      { type: pkcs11.CKA_VALUE_LEN, value: 32 },
      { type: pkcs11.CKA_TOKEN, value: false },
      { type: pkcs11.CKA_PRIVATE, value: true },
      { type: pkcs11.CKA_SENSITIVE, value: false },
      { type: pkcs11.CKA_EXTRACTABLE, value: true },
    ];
    return () => {
      const parameter = { type: CK_PARAMS_EC_DH, kdf: CKD_NULL, publicData: point };
      const secret = cryptoki.C_DeriveKey(session, { mechanism: CKM_ECDH1_DERIVE, parameter }, handle, template);
      cryptoki.C_GetAttributeValue(session, secret, [{ type: pkcs11.CKA_VALUE }]);
      cryptoki.C_DestroyObject(session, secret);
    };
  },

  createSecretKey({ cryptoki, session }) {
    const template = () => [
      { type: pkcs11.CKA_CLASS, value: pkcs11.CKO_SECRET_KEY },
      { type: pkcs11.CKA_KEY_TYPE, value: pkcs11.CKK_AES },
      { type: pkcs11.CKA_VALUE_LEN, value: 32 },
      { type: pkcs11.CKA_ENCRYPT, value: true },
      { type: pkcs11.CKA_DECRYPT, value: true },
      ...inTheToken(),
    ];
    return () => cryptoki.C_GenerateKey(session, { mechanism: pkcs11.CKM_AES_KEY_GEN }, template());
  },

  createKeyPair({ cryptoki, session }) {
    const p256 = Buffer.from('06082a8648ce3d030107', 'hex');
    const publicTemplate = [
      { type: pkcs11.CKA_EC_PARAMS, value: p256 },
      { type: pkcs11.CKA_TOKEN, value: true },
      { type: pkcs11.CKA_PRIVATE, value: false },
      { type: pkcs11.CKA_VERIFY, value: true },
    ];
    const privateTemplate = () => [{ type: pkcs11.CKA_SIGN, value: true }, ...inTheToken()];
    const mechanism = { mechanism: pkcs11.CKM_EC_KEY_PAIR_GEN };
    return () => cryptoki.C_GenerateKeyPair(session, mechanism, publicTemplate, privateTemplate());
  },
};

function inTheToken() {
  return [
    { type: pkcs11.CKA_TOKEN, value: true },
    { type: pkcs11.CKA_PRIVATE, value: true },
    { type: pkcs11.CKA_SENSITIVE, value: true },
    { type: pkcs11.CKA_EXTRACTABLE, value: false },
    { type: pkcs11.CKA_ID, value: randomBytes(32) },
    { type: pkcs11.CKA_LABEL, value: 'bench' },
  ];
}
