/*
 * What PKCS#11 v2.40 says of types, numbers and functions, as far as a module needs it that stands between a program and
 * another module. Structures that are only passed on are void.
 */
#ifndef CRYPTOKI_H
#define CRYPTOKI_H

typedef unsigned char CK_BYTE;
typedef unsigned long CK_ULONG;
typedef CK_ULONG CK_RV;

typedef struct {
  CK_BYTE major, minor;
} CK_VERSION;

typedef struct {
  CK_ULONG mechanism;
  void *parameter;
  CK_ULONG length;
} CK_MECHANISM;

typedef struct {
  CK_ULONG type;
  void *value;
  CK_ULONG length;
} CK_ATTRIBUTE;

typedef struct {
  CK_BYTE *iv;
  CK_ULONG iv_length, iv_bits;
  CK_BYTE *aad;
  CK_ULONG aad_length, tag_bits;
} CK_GCM_PARAMS;

enum { CKA_TOKEN = 0x1, CKM_EC_KEY_PAIR_GEN = 0x1040, CKM_EC_EDWARDS_KEY_PAIR_GEN = 0x1055, CKM_AES_GCM = 0x1087 };

enum {
  CKR_OK = 0x0,
  CKR_GENERAL_ERROR = 0x5,
  CKR_DEVICE_ERROR = 0x30,
  CKR_DEVICE_MEMORY = 0x31,
  CKR_DEVICE_REMOVED = 0x32,
  CKR_KEY_HANDLE_INVALID = 0x60,
  CKR_MECHANISM_INVALID = 0x70,
  CKR_OBJECT_HANDLE_INVALID = 0x82,
  CKR_SESSION_HANDLE_INVALID = 0xB3,
  CKR_TOKEN_NOT_PRESENT = 0xE0,
  CKR_UNWRAPPING_KEY_HANDLE_INVALID = 0xF0,
  CKR_WRAPPING_KEY_HANDLE_INVALID = 0x113,
};

/*
 * Every function in the order of CK_FUNCTION_LIST: who writes it here (PASSED: it is made from the row; OWN: by hand),
 * its name, parameters and arguments, what it is about, and which of its parameters are handles.
 */
#define BYTES(NAME) CK_BYTE *NAME, CK_ULONG NAME##_length
#define ROOM(NAME) CK_BYTE *NAME, CK_ULONG *NAME##_length
#define TEMPLATE(NAME) CK_ATTRIBUTE *NAME, CK_ULONG NAME##_count
#define S CK_ULONG session
#define IN_SESSION THE_SESSION, .session = &session
#define WITH_KEY IN_SESSION, .object = &key, .stale = CKR_KEY_HANDLE_INVALID
#define WITH_OBJECT IN_SESSION, .object = &object, .stale = CKR_OBJECT_HANDLE_INVALID

#define MAKING_A_PAIR                        \
  IN_SESSION, .made = {made, made_private}, \
              .keeps = is_token_object(public, public_count) || is_token_object(private, private_count)

#define CRYPTOKI(X)                                                                                                   \
  X(OWN, C_Initialize, (void *arguments), (arguments), THE_MODULE)                                                    \
  X(OWN, C_Finalize, (void *reserved), (reserved), THE_MODULE)                                                        \
  X(PASSED, C_GetInfo, (void *info), (info), THE_MODULE)                                                              \
  X(OWN, C_GetFunctionList, (struct function_list **list), (list), THE_MODULE)                                        \
  X(OWN, C_GetSlotList, (CK_BYTE present, CK_ULONG *list, CK_ULONG *count), (present, list, count), THE_MODULE)       \
  X(PASSED, C_GetSlotInfo, (CK_ULONG slot, void *info), (slot, info), THE_MODULE)                                     \
  X(PASSED, C_GetTokenInfo, (CK_ULONG slot, void *info), (slot, info), THE_TOKEN)                                     \
  X(PASSED, C_GetMechanismList, (CK_ULONG slot, CK_ULONG *list, CK_ULONG *count), (slot, list, count), THE_TOKEN)     \
  X(PASSED, C_GetMechanismInfo, (CK_ULONG slot, CK_ULONG type, void *info), (slot, type, info), THE_TOKEN)            \
  X(PASSED, C_InitToken, (CK_ULONG slot, BYTES(pin), CK_BYTE *label), (slot, pin, pin_length, label), THE_TOKEN)      \
  X(PASSED, C_InitPIN, (S, BYTES(pin)), (session, pin, pin_length), IN_SESSION)                                       \
  X(PASSED, C_SetPIN, (S, BYTES(old), BYTES(new)), (session, old, old_length, new, new_length), IN_SESSION)           \
  X(OWN, C_OpenSession, (CK_ULONG slot, CK_ULONG flags, void *application, void *notify, CK_ULONG *made),             \
    (slot, flags, application, notify, made), THE_TOKEN)                                                              \
  X(PASSED, C_CloseSession, (S), (session), IN_SESSION)                                                               \
  X(PASSED, C_CloseAllSessions, (CK_ULONG slot), (slot), THE_TOKEN)                                                   \
  X(PASSED, C_GetSessionInfo, (S, void *info), (session, info), IN_SESSION)                                           \
  X(PASSED, C_GetOperationState, (S, ROOM(state)), (session, state, state_length), IN_SESSION)                        \
  X(PASSED, C_SetOperationState, (S, BYTES(state), CK_ULONG key, CK_ULONG authentication),                            \
    (session, state, state_length, key, authentication), WITH_KEY, .other = &authentication)                          \
  X(PASSED, C_Login, (S, CK_ULONG user, BYTES(pin)), (session, user, pin, pin_length), IN_SESSION)                    \
  X(PASSED, C_Logout, (S), (session), IN_SESSION)                                                                     \
  X(PASSED, C_CreateObject, (S, TEMPLATE(wanted), CK_ULONG *made), (session, wanted, wanted_count, made), IN_SESSION, \
    .made = {made}, .keeps = is_token_object(wanted, wanted_count))                                                   \
  X(PASSED, C_CopyObject, (S, CK_ULONG object, TEMPLATE(wanted), CK_ULONG *made),                                     \
    (session, object, wanted, wanted_count, made), WITH_OBJECT, .made = {made},                                       \
    .keeps = is_token_object(wanted, wanted_count))                                                                   \
  X(PASSED, C_DestroyObject, (S, CK_ULONG object), (session, object), WITH_OBJECT)                                    \
  X(PASSED, C_GetObjectSize, (S, CK_ULONG object, CK_ULONG *size), (session, object, size), WITH_OBJECT)              \
  X(PASSED, C_GetAttributeValue, (S, CK_ULONG object, TEMPLATE(wanted)), (session, object, wanted, wanted_count),     \
    WITH_OBJECT)                                                                                                      \
  X(PASSED, C_SetAttributeValue, (S, CK_ULONG object, TEMPLATE(wanted)), (session, object, wanted, wanted_count),     \
    WITH_OBJECT)                                                                                                      \
  X(PASSED, C_FindObjectsInit, (S, TEMPLATE(wanted)), (session, wanted, wanted_count), IN_SESSION)                    \
  X(PASSED, C_FindObjects, (S, CK_ULONG *found, CK_ULONG most, CK_ULONG *count), (session, found, most, count),       \
    IN_SESSION, .made = {found}, .made_count = count)                                                                 \
  X(PASSED, C_FindObjectsFinal, (S), (session), IN_SESSION)                                                           \
  X(OWN, C_EncryptInit, (S, CK_MECHANISM *mechanism, CK_ULONG key), (session, mechanism, key), WITH_KEY)              \
  X(PASSED, C_Encrypt, (S, BYTES(in), ROOM(out)), (session, in, in_length, out, out_length), IN_SESSION)              \
  X(PASSED, C_EncryptUpdate, (S, BYTES(in), ROOM(out)), (session, in, in_length, out, out_length), IN_SESSION)        \
  X(PASSED, C_EncryptFinal, (S, ROOM(out)), (session, out, out_length), IN_SESSION)                                   \
  X(PASSED, C_DecryptInit, (S, CK_MECHANISM *mechanism, CK_ULONG key), (session, mechanism, key), WITH_KEY)           \
  X(PASSED, C_Decrypt, (S, BYTES(in), ROOM(out)), (session, in, in_length, out, out_length), IN_SESSION)              \
  X(PASSED, C_DecryptUpdate, (S, BYTES(in), ROOM(out)), (session, in, in_length, out, out_length), IN_SESSION)        \
  X(PASSED, C_DecryptFinal, (S, ROOM(out)), (session, out, out_length), IN_SESSION)                                   \
  X(PASSED, C_DigestInit, (S, CK_MECHANISM *mechanism), (session, mechanism), IN_SESSION)                             \
  X(PASSED, C_Digest, (S, BYTES(in), ROOM(out)), (session, in, in_length, out, out_length), IN_SESSION)               \
  X(PASSED, C_DigestUpdate, (S, BYTES(in)), (session, in, in_length), IN_SESSION)                                     \
  X(PASSED, C_DigestKey, (S, CK_ULONG key), (session, key), WITH_KEY)                                                 \
  X(PASSED, C_DigestFinal, (S, ROOM(out)), (session, out, out_length), IN_SESSION)                                    \
  X(PASSED, C_SignInit, (S, CK_MECHANISM *mechanism, CK_ULONG key), (session, mechanism, key), WITH_KEY)              \
  X(PASSED, C_Sign, (S, BYTES(in), ROOM(out)), (session, in, in_length, out, out_length), IN_SESSION)                 \
  X(PASSED, C_SignUpdate, (S, BYTES(in)), (session, in, in_length), IN_SESSION)                                       \
  X(PASSED, C_SignFinal, (S, ROOM(out)), (session, out, out_length), IN_SESSION)                                      \
  X(PASSED, C_SignRecoverInit, (S, CK_MECHANISM *mechanism, CK_ULONG key), (session, mechanism, key), WITH_KEY)       \
  X(PASSED, C_SignRecover, (S, BYTES(in), ROOM(out)), (session, in, in_length, out, out_length), IN_SESSION)          \
  X(PASSED, C_VerifyInit, (S, CK_MECHANISM *mechanism, CK_ULONG key), (session, mechanism, key), WITH_KEY)            \
  X(PASSED, C_Verify, (S, BYTES(in), BYTES(proof)), (session, in, in_length, proof, proof_length), IN_SESSION)        \
  X(PASSED, C_VerifyUpdate, (S, BYTES(in)), (session, in, in_length), IN_SESSION)                                     \
  X(PASSED, C_VerifyFinal, (S, BYTES(proof)), (session, proof, proof_length), IN_SESSION)                             \
  X(PASSED, C_VerifyRecoverInit, (S, CK_MECHANISM *mechanism, CK_ULONG key), (session, mechanism, key), WITH_KEY)     \
  X(PASSED, C_VerifyRecover, (S, BYTES(in), ROOM(out)), (session, in, in_length, out, out_length), IN_SESSION)        \
  X(PASSED, C_DigestEncryptUpdate, (S, BYTES(in), ROOM(out)), (session, in, in_length, out, out_length), IN_SESSION)  \
  X(PASSED, C_DecryptDigestUpdate, (S, BYTES(in), ROOM(out)), (session, in, in_length, out, out_length), IN_SESSION)  \
  X(PASSED, C_SignEncryptUpdate, (S, BYTES(in), ROOM(out)), (session, in, in_length, out, out_length), IN_SESSION)    \
  X(PASSED, C_DecryptVerifyUpdate, (S, BYTES(in), ROOM(out)), (session, in, in_length, out, out_length), IN_SESSION)  \
  X(PASSED, C_GenerateKey, (S, CK_MECHANISM *mechanism, TEMPLATE(wanted), CK_ULONG *made),                            \
    (session, mechanism, wanted, wanted_count, made), IN_SESSION, .made = {made},                                     \
    .keeps = is_token_object(wanted, wanted_count))                                                                   \
  X(OWN, C_GenerateKeyPair,                                                                                           \
    (S, CK_MECHANISM *mechanism, TEMPLATE(public), TEMPLATE(private), CK_ULONG *made, CK_ULONG *made_private),        \
    (session, mechanism, public, public_count, private, private_count, made, made_private), MAKING_A_PAIR)            \
  X(PASSED, C_WrapKey, (S, CK_MECHANISM *mechanism, CK_ULONG key, CK_ULONG wrapped, ROOM(out)),                       \
    (session, mechanism, key, wrapped, out, out_length), IN_SESSION, .object = &key, .other = &wrapped,               \
    .stale = CKR_WRAPPING_KEY_HANDLE_INVALID)                                                                         \
  X(PASSED, C_UnwrapKey, (S, CK_MECHANISM *mechanism, CK_ULONG key, BYTES(in), TEMPLATE(wanted), CK_ULONG *made),     \
    (session, mechanism, key, in, in_length, wanted, wanted_count, made), IN_SESSION, .object = &key,                 \
    .stale = CKR_UNWRAPPING_KEY_HANDLE_INVALID, .made = {made}, .keeps = is_token_object(wanted, wanted_count))       \
  X(PASSED, C_DeriveKey, (S, CK_MECHANISM *mechanism, CK_ULONG key, TEMPLATE(wanted), CK_ULONG *made),                \
    (session, mechanism, key, wanted, wanted_count, made), WITH_KEY, .made = {made},                                  \
    .keeps = is_token_object(wanted, wanted_count))                                                                   \
  X(PASSED, C_SeedRandom, (S, BYTES(in)), (session, in, in_length), IN_SESSION)                                       \
  X(PASSED, C_GenerateRandom, (S, BYTES(out)), (session, out, out_length), IN_SESSION)                                \
  X(PASSED, C_GetFunctionStatus, (S), (session), IN_SESSION)                                                          \
  X(PASSED, C_CancelFunction, (S), (session), IN_SESSION)                                                             \
  X(PASSED, C_WaitForSlotEvent, (CK_ULONG flags, CK_ULONG *slot, void *reserved), (flags, slot, reserved), THE_MODULE)

struct function_list {
  CK_VERSION version;
#define MEMBER(WRITTEN, NAME, PARAMETERS, ...) CK_RV(*NAME) PARAMETERS;
  CRYPTOKI(MEMBER)
};

enum function {
#define NUMBER(WRITTEN, NAME, ...) NUMBER_OF_##NAME,
  CRYPTOKI(NUMBER) FUNCTIONS
};

static const char *const function_names[FUNCTIONS] = {
#define TEXT(WRITTEN, NAME, ...) #NAME,
    CRYPTOKI(TEXT)};

#endif
