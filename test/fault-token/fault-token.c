/*
 * A PKCS#11 module that passes every call on to another module, and fails where it is told to: for tests of what a
 * program does when its token fails. It keeps nothing of what passes through it.
 *
 * Settings, as lines NAME=VALUE of the file fault-token.conf beside this library, else from the environment:
 *   FAULT_TOKEN_MODULE    path of the module that does the work
 *   FAULT_TOKEN_COMMANDS  path of the file that says what fails; no file: nothing. Beside it, as .calls, is kept how
 *                         often each function was called, by all processes together (struct shared)
 *   SOFTHSM2_CONF         put into the environment when it stands in the file: what SoftHSM2 reads
 *
 * The commands are read again when the file changes; give it its content at once, by renaming. All processes see it
 * within some milliseconds. A line each:
 *   FUNCTION ACTION [CONDITIONS]    FUNCTION is a name, or * for all but C_Initialize, C_Finalize, C_GetFunctionList
 *     return CODE       answers with the CK_RV instead of doing it
 *     lose CODE         does it, and answers with the CK_RV all the same
 *     hang MS           waits so long, or until the command is withdrawn; then does it
 *     slow US           waits so many microseconds, then does it
 *     abort, segv       ends the process
 *   CONDITIONS          next N (so many times), every N, skip N (not the first N times); counted over all processes
 *                       from MS, until MS: that long after the file was written
 *                       main, elsewhere: only in the thread that called C_Initialize, or only in others
 *   gone                the token is pulled out: nothing but C_Initialize, C_Finalize and lists of slots works
 *   hidden              no slot shows a token; sessions go on
 *   empty               C_FindObjects finds nothing, and says that this is all right
 *   epoch N             where N has grown, the token was away: sessions, object handles and the login are no good
 *   reinitialise        after that nothing works until C_Finalize and C_Initialize
 *   handles N           where N has grown, object handles are no good; those found from then on are
 *   full                nothing that stays in the token can be made: CKR_DEVICE_MEMORY
 *   no-ec               no key pairs on elliptic curves are made: CKR_MECHANISM_INVALID
 *   own-iv              C_EncryptInit with CKM_AES_GCM overwrites the caller's IV with one of its own
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "commands.h"
#include "cryptoki.h"

enum { SLOTS = 64 };
/* A handle that is given out has in its upper bits the number of the token's state that it is good in. */
enum { TAG_SHIFT = 40 };
static const CK_ULONG tag_mask = 0xffff;
static const CK_ULONG handle_mask = ((CK_ULONG)1 << TAG_SHIFT) - 1;

/* One call on its way through. */
struct call {
  enum function function;
  enum { THE_MODULE, THE_TOKEN, THE_SESSION } about;
  CK_ULONG *session, *object, *other;
  /* What is answered when the object's handle is no good. */
  CK_RV stale;
  /* Handles that the module gives, and how many: one each when made_count is NULL. */
  CK_ULONG *made[2], *made_count;
  /* True when it makes something that stays in the token. */
  bool keeps;
  CK_RV answer;
  /* What is answered in place of the module's own answer; CKR_OK for nothing. */
  CK_RV instead;
  CK_ULONG epoch;
};

static struct function_list *real;
static pthread_t main_thread;

/* Held for reading while a call is in the module, for writing while sessions are taken away under it. */
static pthread_rwlock_t in_module = PTHREAD_RWLOCK_INITIALIZER;
static _Atomic CK_ULONG sessions_epoch, initialised_epoch;

/* ---- what every call goes through ---- */

static void count_fault(enum function function) { atomic_fetch_add(&shared->counter[function].faults, 1); }

static bool is_main_thread(void) { return pthread_equal(pthread_self(), main_thread) != 0; }

static CK_ULONG object_tag(const struct commands *commands) { return (commands->epoch + commands->handles) & tag_mask; }

/* Takes the tag off a handle that was given out. @returns false when it is no good any more */
static bool untag(CK_ULONG *handle, CK_ULONG tag) {
  if (handle == NULL || *handle == 0) return true;
  if (*handle >> TAG_SHIFT != tag) return false;
  *handle &= handle_mask;
  return true;
}

static void tag(CK_ULONG *handle, CK_ULONG tag) {
  if (handle != NULL && *handle != 0) *handle |= tag << TAG_SHIFT;
}

/* What the token's state makes of a call; CKR_OK for nothing. */
static CK_RV refusal(struct call *call, const struct commands *commands) {
  if (call->about == THE_MODULE) return CKR_OK;
  if (commands->gone) return call->about == THE_TOKEN ? CKR_TOKEN_NOT_PRESENT : CKR_DEVICE_REMOVED;
  if (commands->hidden && call->function == NUMBER_OF_C_GetTokenInfo) return CKR_TOKEN_NOT_PRESENT;
  if (commands->reinitialise && initialised_epoch != commands->epoch && call->about == THE_TOKEN)
    return CKR_DEVICE_ERROR;
  /* sessions from before an absence are none, whatever they say */
  const CK_ULONG epoch = commands->epoch & tag_mask;
  if (!untag(call->session, epoch)) return CKR_SESSION_HANDLE_INVALID;
  if (!untag(call->object, object_tag(commands)) || !untag(call->other, object_tag(commands))) return call->stale;
  if (commands->full && call->keeps) return CKR_DEVICE_MEMORY;
  return CKR_OK;
}

/* Before a call. @returns false when call->answer is to be given instead of making it */
static bool enter(struct call *call) {
  atomic_fetch_add_explicit(&shared->counter[call->function].calls, 1, memory_order_relaxed);
  const struct commands *commands = commands_now();
  if (commands->concern[call->function] != 0) {
    if (!obey_rules(call->function, is_main_thread(), &call->answer, &call->instead)) return false;
    commands = commands_now();
  }
  call->answer = refusal(call, commands);
  if (call->answer != CKR_OK) {
    count_fault(call->function);
    return false;
  }
  call->epoch = commands->epoch;
  pthread_rwlock_rdlock(&in_module);
  return true;
}

/* After a call. @returns what the caller is told */
static CK_RV leave(struct call *call) {
  pthread_rwlock_unlock(&in_module);
  const struct commands *commands = commands_now();
  /* who pulls the token out gets no answers from it either */
  if (call->about == THE_SESSION && (commands->gone || commands->epoch != call->epoch)) return CKR_DEVICE_REMOVED;
  if (call->instead != CKR_OK) return call->instead;
  if (call->answer != CKR_OK) return call->answer;
  if (commands->empty && call->function == NUMBER_OF_C_FindObjects && *call->made_count > 0) {
    *call->made_count = 0;
    count_fault(call->function);
  }
  if (call->function == NUMBER_OF_C_OpenSession) tag(call->made[0], call->epoch & tag_mask);
  else if (call->made_count != NULL)
    for (CK_ULONG each = 0; each < *call->made_count; each++) tag(&call->made[0][each], object_tag(commands));
  else
    for (size_t each = 0; each < 2; each++) tag(call->made[each], object_tag(commands));
  return CKR_OK;
}

static bool is_token_object(const CK_ATTRIBUTE *wanted, CK_ULONG count) {
  for (CK_ULONG each = 0; each < count; each++)
    if (wanted[each].type == CKA_TOKEN && wanted[each].length == 1) return *(const CK_BYTE *)wanted[each].value != 0;
  return false;
}

/* ---- the functions ---- */

#define CALL(NAME, ...) struct call call = {.function = NUMBER_OF_##NAME, .about = __VA_ARGS__}
#define FUNCTION_PASSED(NAME, PARAMETERS, ARGUMENTS, ...) \
  static CK_RV fault_##NAME PARAMETERS {                  \
    CALL(NAME, __VA_ARGS__);                              \
    if (!enter(&call)) return call.answer;                \
    call.answer = real->NAME ARGUMENTS;                   \
    return leave(&call);                                  \
  }
#define FUNCTION_OWN(NAME, PARAMETERS, ...) static CK_RV fault_##NAME PARAMETERS;
#define FUNCTION(WRITTEN, ...) FUNCTION_##WRITTEN(__VA_ARGS__)
CRYPTOKI(FUNCTION)

/* Before C_Initialize or C_Finalize, which are never in the module beside another call. */
static bool enter_alone(struct call *call) {
  atomic_fetch_add(&shared->counter[call->function].calls, 1);
  if (!obey_rules(call->function, is_main_thread(), &call->answer, &call->instead)) return false;
  pthread_rwlock_wrlock(&in_module);
  return true;
}

static CK_RV leave_alone(struct call *call) {
  pthread_rwlock_unlock(&in_module);
  return call->instead != CKR_OK ? call->instead : call->answer;
}

static CK_RV fault_C_Initialize(void *arguments) {
  CALL(C_Initialize, THE_MODULE);
  main_thread = pthread_self();
  if (!enter_alone(&call)) return call.answer;
  call.answer = real->C_Initialize(arguments);
  if (call.answer == CKR_OK) {
    sessions_epoch = initialised_epoch = commands_now()->epoch;
  }
  return leave_alone(&call);
}

static CK_RV fault_C_Finalize(void *reserved) {
  CALL(C_Finalize, THE_MODULE);
  if (!enter_alone(&call)) return call.answer;
  call.answer = real->C_Finalize(reserved);
  return leave_alone(&call);
}

static CK_RV fault_C_GetSlotList(CK_BYTE present, CK_ULONG *list, CK_ULONG *count) {
  CALL(C_GetSlotList, THE_MODULE);
  if (!enter(&call)) return call.answer;
  const struct commands *commands = commands_now();
  if (present && (commands->gone || commands->hidden)) {
    *count = 0;
    count_fault(call.function);
  } else call.answer = real->C_GetSlotList(present, list, count);
  return leave(&call);
}

/* Ends the sessions from before an absence of the token, and the login with them. @returns false while one is in use */
static bool end_old_sessions(CK_ULONG epoch) {
  if (sessions_epoch == epoch) return true;
  if (pthread_rwlock_trywrlock(&in_module) != 0) return false;
  CK_ULONG slots[SLOTS], count = SLOTS;
  if (real->C_GetSlotList(1, slots, &count) != CKR_OK) count = 0;
  for (CK_ULONG each = 0; each < count; each++) real->C_CloseAllSessions(slots[each]);
  sessions_epoch = epoch;
  pthread_rwlock_unlock(&in_module);
  return true;
}

static CK_RV fault_C_OpenSession(CK_ULONG slot, CK_ULONG flags, void *application, void *notify, CK_ULONG *made) {
  CALL(C_OpenSession, THE_TOKEN, .made = {made});
  if (!commands_now()->gone && !end_old_sessions(commands_now()->epoch)) return CKR_DEVICE_REMOVED;
  if (!enter(&call)) return call.answer;
  call.answer = real->C_OpenSession(slot, flags, application, notify, made);
  return leave(&call);
}

static CK_RV fault_C_EncryptInit(CK_ULONG session, CK_MECHANISM *mechanism, CK_ULONG key) {
  CALL(C_EncryptInit, WITH_KEY);
  if (!enter(&call)) return call.answer;
  if (commands_now()->own_iv && mechanism->mechanism == CKM_AES_GCM) {
    const CK_GCM_PARAMS *parameters = mechanism->parameter;
    if (getrandom(parameters->iv, parameters->iv_length, 0) < 0) abort();
    count_fault(call.function);
  }
  call.answer = real->C_EncryptInit(session, mechanism, key);
  return leave(&call);
}

static CK_RV fault_C_GenerateKeyPair(CK_ULONG session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *public,
                                     CK_ULONG public_count, CK_ATTRIBUTE *private, CK_ULONG private_count,
                                     CK_ULONG *made, CK_ULONG *made_private) {
  CALL(C_GenerateKeyPair, MAKING_A_PAIR);
  if (!enter(&call)) return call.answer;
  const bool is_ec =
      mechanism->mechanism == CKM_EC_KEY_PAIR_GEN || mechanism->mechanism == CKM_EC_EDWARDS_KEY_PAIR_GEN;
  if (commands_now()->no_ec && is_ec) {
    call.answer = CKR_MECHANISM_INVALID;
    count_fault(call.function);
  } else
    call.answer = real->C_GenerateKeyPair(session, mechanism, public, public_count, private, private_count, made,
                                          made_private);
  return leave(&call);
}

/* ---- loading ---- */

static const struct function_list functions = {
    .version = {2, 40},
#define ENTRY(WRITTEN, NAME, ...) .NAME = fault_##NAME,
    CRYPTOKI(ENTRY)};

/* A setting from the file beside this library, or from the environment. @returns NULL when there is none */
static char *setting(const char *name, char *value, size_t bytes) {
  Dl_info self;
  if (dladdr((const void *)&functions, &self) != 0) {
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s", self.dli_fname);
    char *end = strrchr(path, '/');
    snprintf(end == NULL ? path : end + 1, sizeof path - (size_t)(end == NULL ? 0 : end + 1 - path), "fault-token.conf");
    FILE *stream = fopen(path, "re");
    const size_t length = strlen(name);
    while (stream != NULL && fgets(value, (int)bytes, stream) != NULL) {
      if (strncmp(value, name, length) != 0 || value[length] != '=') continue;
      fclose(stream);
      value[strcspn(value, "\n")] = '\0';
      memmove(value, value + length + 1, strlen(value + length + 1) + 1);
      return value;
    }
    if (stream != NULL) fclose(stream);
  }
  const char *in_environment = getenv(name);
  if (in_environment == NULL) return NULL;
  snprintf(value, bytes, "%s", in_environment);
  return value;
}

static CK_RV load(void) {
  char path[PATH_BYTES];
  if (setting("SOFTHSM2_CONF", path, sizeof path) != NULL) setenv("SOFTHSM2_CONF", path, 1);
  if (setting("FAULT_TOKEN_COMMANDS", path, sizeof path) != NULL) use_command_file(path);
  void *module = setting("FAULT_TOKEN_MODULE", path, sizeof path) == NULL ? NULL : dlopen(path, RTLD_NOW | RTLD_LOCAL);
  CK_RV (*get_functions)(struct function_list **) = NULL;
  if (module != NULL) *(void **)&get_functions = dlsym(module, "C_GetFunctionList");
  if (get_functions != NULL) return get_functions(&real);
  fprintf(stderr, "fault-token: FAULT_TOKEN_MODULE names no PKCS#11 module\n");
  return CKR_GENERAL_ERROR;
}

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(struct function_list **list) {
  static pthread_mutex_t loading = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&loading);
  const CK_RV outcome = real != NULL ? CKR_OK : load();
  pthread_mutex_unlock(&loading);
  if (outcome == CKR_OK) *list = (struct function_list *)&functions;
  return outcome;
}

static CK_RV fault_C_GetFunctionList(struct function_list **list) { return C_GetFunctionList(list); }
