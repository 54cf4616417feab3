/*
 * A token that somebody who has its user PIN and its library has logged in to; shares no code with the service.
 */
import pkcs11 from 'pkcs11js';

/** @param where { module, parameters, label, pin } */
export function openedToken({ module, parameters, label, pin }) {
  const cryptoki = new pkcs11.PKCS11();
  cryptoki.load(module);
  // pkcs11js drops the last character of the parameters
  cryptoki.C_Initialize({ flags: 2, ...(parameters && { libraryParameters: `${parameters} ` }) });
  const slot = cryptoki.C_GetSlotList(true).find((each) => cryptoki.C_GetTokenInfo(each).label.trimEnd() === label);
  const session = cryptoki.C_OpenSession(slot, pkcs11.CKF_SERIAL_SESSION | pkcs11.CKF_RW_SESSION);
  cryptoki.C_Login(session, pkcs11.CKU_USER, pin);
  return { cryptoki, slot, session };
}
