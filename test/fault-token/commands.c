/* Reads the command file, decides which rules apply, and keeps the counters. */
#define _GNU_SOURCE
#include "commands.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { TABLES = 16, LINE_BYTES = 256 };
enum { ALL_FUNCTIONS = FUNCTIONS };
static const uint64_t ms = 1000000;
static const uint64_t poll_ns = 2000000;
static const char *const action_names[] = {"return", "lose", "hang", "slow", "abort", "segv"};

static char commands_path[PATH_BYTES];
static struct shared unshared;
struct shared *shared = &unshared;

static struct commands table[TABLES];
static struct commands *_Atomic current = &table[0];
static _Atomic uint64_t looked_at;
static pthread_mutex_t reading = PTHREAD_MUTEX_INITIALIZER;

/* ---- the command file ---- */

static uint64_t nanoseconds(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (uint64_t)now.tv_sec * 1000 * ms + (uint64_t)now.tv_nsec;
}

static bool parse_condition(struct rule *rule, char **rest) {
  const char *word = strtok_r(NULL, " \t\n", rest);
  if (word == NULL) return false;
  if (strcmp(word, "main") == 0) return rule->only_main = true;
  if (strcmp(word, "elsewhere") == 0) return rule->only_elsewhere = true;
  const char *number = strtok_r(NULL, " \t\n", rest);
  const unsigned long value = number == NULL ? 0 : strtoul(number, NULL, 0);
  if (strcmp(word, "next") == 0) rule->next = value;
  else if (strcmp(word, "every") == 0) rule->every = value;
  else if (strcmp(word, "skip") == 0) rule->skip = value;
  else if (strcmp(word, "from") == 0) rule->from = value * ms;
  else if (strcmp(word, "until") == 0) rule->until = value * ms;
  else fprintf(stderr, "fault-token: no such condition: %s\n", word);
  return true;
}

static bool parse_rule(struct commands *commands, const char *name, char **rest) {
  const char *action = strtok_r(NULL, " \t\n", rest);
  if (action == NULL || commands->rules == RULES) return false;
  struct rule rule = {.function = strcmp(name, "*") == 0 ? ALL_FUNCTIONS : FUNCTIONS + 1, .action = SEGV + 1};
  for (unsigned each = 0; each < FUNCTIONS; each++)
    if (strcmp(name, function_names[each]) == 0) rule.function = each;
  for (int each = RETURN; each <= SEGV; each++)
    if (strcmp(action, action_names[each]) == 0) rule.action = (enum action)each;
  if (rule.function > ALL_FUNCTIONS || rule.action > SEGV) return false;
  if (rule.action < ABORT) {
    const char *argument = strtok_r(NULL, " \t\n", rest);
    if (argument == NULL) return false;
    rule.argument = strtoul(argument, NULL, 0);
  }
  while (parse_condition(&rule, rest)) continue;
  const uint64_t bit = (uint64_t)1 << commands->rules;
  for (unsigned each = 0; each < FUNCTIONS; each++) {
    const bool spared =
        each == NUMBER_OF_C_Initialize || each == NUMBER_OF_C_Finalize || each == NUMBER_OF_C_GetFunctionList;
    if (rule.function == each || (rule.function == ALL_FUNCTIONS && !spared)) commands->concern[each] |= bit;
  }
  commands->rule[commands->rules++] = rule;
  return true;
}

static void parse_line(struct commands *commands, char *line) {
  char *rest;
  const char *word = strtok_r(line, " \t\n", &rest);
  if (word == NULL || word[0] == '#') return;
  if (strcmp(word, "gone") == 0) commands->gone = true;
  else if (strcmp(word, "hidden") == 0) commands->hidden = true;
  else if (strcmp(word, "empty") == 0) commands->empty = true;
  else if (strcmp(word, "reinitialise") == 0) commands->reinitialise = true;
  else if (strcmp(word, "full") == 0) commands->full = true;
  else if (strcmp(word, "no-ec") == 0) commands->no_ec = true;
  else if (strcmp(word, "own-iv") == 0) commands->own_iv = true;
  else if (strcmp(word, "epoch") == 0) commands->epoch = strtoul(rest, NULL, 0);
  else if (strcmp(word, "handles") == 0) commands->handles = strtoul(rest, NULL, 0);
  else if (!parse_rule(commands, word, &rest)) fprintf(stderr, "fault-token: not understood: %s ...\n", word);
}

/* A number for what a file holds now: it is written by renaming, so each content is another file. */
static uint32_t version_of(const struct stat *file) {
  uint64_t hash = (uint64_t)file->st_ino * 0x9e3779b97f4a7c15u;
  hash = (hash ^ (uint64_t)file->st_mtim.tv_nsec) * 0x9e3779b97f4a7c15u;
  hash = (hash ^ (uint64_t)file->st_mtim.tv_sec ^ (uint64_t)file->st_size) * 0x9e3779b97f4a7c15u;
  return (uint32_t)(hash >> 32) | 1;
}

static void read_commands(void) {
  struct stat file = {0};
  const struct commands *known = atomic_load(&current);
  const bool exists = stat(commands_path, &file) == 0;
  if ((exists ? version_of(&file) : 0) == known->version) return;
  /* who still looks at the table that is overwritten has looked at it for 15 changes */
  static size_t next;
  next = (next + 1) % TABLES;
  struct commands *fresh = &table[next];
  memset(fresh, 0, sizeof *fresh);
  /* what has happened to the token stays so when the file is gone */
  fresh->epoch = known->epoch;
  fresh->handles = known->handles;
  FILE *stream = exists ? fopen(commands_path, "re") : NULL;
  if (stream != NULL && fstat(fileno(stream), &file) == 0) {
    fresh->version = version_of(&file);
    fresh->written_at = (uint64_t)file.st_mtim.tv_sec * 1000 * ms + (uint64_t)file.st_mtim.tv_nsec;
    char line[LINE_BYTES];
    while (fgets(line, sizeof line, stream) != NULL) parse_line(fresh, line);
  }
  if (stream != NULL) fclose(stream);
  atomic_store(&current, fresh);
}

const struct commands *commands_now(void) {
  const uint64_t now = nanoseconds(CLOCK_MONOTONIC_COARSE);
  if (atomic_load_explicit(&looked_at, memory_order_relaxed) != now && pthread_mutex_trylock(&reading) == 0) {
    atomic_store_explicit(&looked_at, now, memory_order_relaxed);
    read_commands();
    pthread_mutex_unlock(&reading);
  }
  return atomic_load_explicit(&current, memory_order_acquire);
}

/* ---- faults ---- */

static void pause_for(uint64_t duration) {
  const struct timespec wait = {(time_t)(duration / (1000 * ms)), (long)(duration % (1000 * ms))};
  nanosleep(&wait, NULL);
}

/* A core of the process would hold secrets. */
static void end_process(int signal_number) {
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

/* Which call this is of those that the rule was asked about, from 0. */
static unsigned long place_of_call(const struct commands *commands, size_t index) {
  const uint64_t none = (uint64_t)commands->version << 32;
  uint64_t stored = atomic_load(&shared->asked[index]), seen;
  do {
    seen = stored >> 32 == commands->version ? stored : none;
  } while (!atomic_compare_exchange_weak(&shared->asked[index], &stored, seen + 1));
  return (unsigned long)(seen - none);
}

static bool applies(const struct commands *commands, size_t index, bool is_main) {
  const struct rule *rule = &commands->rule[index];
  if ((rule->only_main && !is_main) || (rule->only_elsewhere && is_main)) return false;
  if (rule->from != 0 || rule->until != 0) {
    const uint64_t age = nanoseconds(CLOCK_REALTIME) - commands->written_at;
    if (age < rule->from || (rule->until != 0 && age >= rule->until)) return false;
  }
  if (rule->next == 0 && rule->every == 0 && rule->skip == 0) return true;
  const unsigned long place = place_of_call(commands, index);
  if (place < rule->skip || (rule->next != 0 && place >= rule->skip + rule->next)) return false;
  return rule->every == 0 || (place - rule->skip) % rule->every == rule->every - 1;
}

static void hang(uint32_t version, uint64_t duration) {
  const uint64_t end = nanoseconds(CLOCK_MONOTONIC) + duration;
  while (nanoseconds(CLOCK_MONOTONIC) < end && commands_now()->version == version) pause_for(poll_ns);
}

bool obey_rules(enum function function, bool in_main_thread, CK_RV *answer, CK_RV *instead) {
  const struct commands *commands = commands_now();
  /* the table may be overwritten while this waits */
  const uint32_t version = commands->version;
  uint64_t left = commands->concern[function];
  for (size_t index = 0; left != 0; index++, left >>= 1) {
    if ((left & 1) == 0 || !applies(commands, index, in_main_thread)) continue;
    atomic_fetch_add(&shared->counter[function].faults, 1);
    const struct rule rule = commands->rule[index];
    if (rule.action == RETURN) {
      *answer = rule.argument;
      return false;
    }
    if (rule.action == LOSE) *instead = rule.argument;
    if (rule.action == SLOW) pause_for(rule.argument * 1000);
    if (rule.action == ABORT) end_process(SIGABRT);
    if (rule.action == SEGV) end_process(SIGSEGV);
    if (rule.action == HANG) {
      hang(version, rule.argument * ms);
      return true;
    }
  }
  return true;
}

/* ---- counters ---- */

void use_command_file(const char *given) {
  snprintf(commands_path, sizeof commands_path, "%s", given);
  char path[PATH_BYTES + 8];
  snprintf(path, sizeof path, "%s.calls", commands_path);
  const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file >= 0 && ftruncate(file, sizeof(struct shared)) == 0) {
    void *mapped = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (mapped != MAP_FAILED) shared = mapped;
  }
  if (file >= 0) close(file);
  for (size_t each = 0; each < FUNCTIONS; each++)
    strncpy(shared->counter[each].name, function_names[each], sizeof shared->counter[each].name - 1);
}
