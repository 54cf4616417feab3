/*
 * What the command file says (its grammar is in fault-token.c), and what all processes count together.
 */
#ifndef COMMANDS_H
#define COMMANDS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cryptoki.h"

enum { RULES = 64, PATH_BYTES = 4096 };

enum action { RETURN, LOSE, HANG, SLOW, ABORT, SEGV };

struct rule {
  unsigned function;
  enum action action;
  unsigned long argument;
  unsigned long next, every, skip;
  /* Nanoseconds after the file was written; 0 for no bound. */
  uint64_t from, until;
  bool only_main, only_elsewhere;
};

struct commands {
  /* Differs for each content of the file; 0 for none. */
  uint32_t version;
  /* Nanoseconds since the epoch. */
  uint64_t written_at;
  CK_ULONG epoch, handles;
  bool gone, hidden, empty, reinitialise, full, no_ec, own_iv;
  size_t rules;
  struct rule rule[RULES];
  /* Bit i of concern[f]: rule i is about function f. */
  uint64_t concern[FUNCTIONS];
};

/* The file beside the commands, mapped by all processes; test/service/fault-token.ts reads its counters. */
struct shared {
  struct counter {
    char name[32];
    _Atomic uint64_t calls, faults;
  } counter[FUNCTIONS];
  /* Per rule: how often it was asked, in the lower half, under the version of the commands in the upper. */
  _Atomic uint64_t asked[RULES];
};

extern struct shared *shared;

/* Names the command file, and maps the counters beside it. */
void use_command_file(const char *path);

/* The commands that hold now. The file is looked at once per tick of the kernel's coarse clock (some milliseconds). */
const struct commands *commands_now(void);

/* Does what the rules say of a function. @returns false when it is not to be called but to answer `answer` */
bool obey_rules(enum function function, bool in_main_thread, CK_RV *answer, CK_RV *instead);

#endif
