/*
 * What somebody who has the user PIN and the token's library does to a key behind the service's back.
 *
 * stdin: { module, parameters, label, pin, key (CKA_LABEL), plant, set, destroy }: `plant` puts a secret key of known value and
 * without protection beside the key's own, with its CKA_ID; `set` changes attributes of the private or secret key;
 * `destroy` ends all objects with that label
 */
import { readFileSync } from 'node:fs';
import pkcs11 from 'pkcs11js';
import { openedToken } from './opened-token.mjs';

const { key, plant, set, destroy, ...where } = JSON.parse(readFileSync(0, 'utf8'));
const { cryptoki, session } = openedToken(where);

const as = (attributes) => Object.entries(attributes).map(([name, value]) => ({ type: pkcs11[name], value }));
const find = (attributes) => {
  cryptoki.C_FindObjectsInit(session, as(attributes));
  const found = cryptoki.C_FindObjects(session, 10);
  cryptoki.C_FindObjectsFinal(session);
  return found;
};
const [object] = [pkcs11.CKO_SECRET_KEY, pkcs11.CKO_PRIVATE_KEY].flatMap((CKA_CLASS) =>
  find({ CKA_LABEL: key, CKA_CLASS, CKA_TOKEN: true }),
);
if (destroy) for (const each of find({ CKA_LABEL: key, CKA_TOKEN: true })) cryptoki.C_DestroyObject(session, each);
if (set) cryptoki.C_SetAttributeValue(session, object, as(set));
if (plant) {
  const [{ value: CKA_ID }] = cryptoki.C_GetAttributeValue(session, object, [{ type: pkcs11.CKA_ID }]);
  cryptoki.C_CreateObject(session, [
    ...as({ CKA_CLASS: pkcs11.CKO_SECRET_KEY, CKA_KEY_TYPE: pkcs11.CKK_AES, CKA_TOKEN: true, CKA_PRIVATE: true }),
    ...as({ CKA_ID, CKA_LABEL: key, CKA_SENSITIVE: false, CKA_EXTRACTABLE: true, CKA_ENCRYPT: true }),
    ...as({ CKA_DECRYPT: true, CKA_VALUE: Buffer.alloc(32, 7) }),
  ]);
}
cryptoki.C_Logout(session);
cryptoki.C_Finalize();
