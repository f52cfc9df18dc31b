/* promtool_args.h - command lines as promtool takes them; private to cmd.
 *
 * Commands and flags stand in one table (promtool_table.c); reading, checking and help are made from it. What is wrong
 * is said in the words of kingpin, the library that promtool uses: "promtool: error: ..., try --help" and exit code 1.
 */
#ifndef MEERKAT_CMD_PROMTOOL_ARGS_H
#define MEERKAT_CMD_PROMTOOL_ARGS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/vec.h"

#define PT_WORDS_MAX 3

typedef enum PtKind {
    PT_SWITCH, /* --name, --no-name */
    PT_TEXT,
    PT_LIST,     /* may come again */
    PT_PAIRS,    /* NAME=VALUE, may come again */
    PT_DURATION, /* of Go: 1h30m, 1.5s */
    PT_INT,
    PT_ENUM, /* one of choices, between commas */
    PT_FILE, /* must be there, and be no directory */
    PT_URL
} PtKind;

typedef struct PtFlag {
    const char *name;
    PtKind kind;
    const char *value; /* "DURATION" of "--timeout=DURATION"; NULL: the fallback is shown */
    const char *help;
    const char *fallback; /* NULL: none; a required flag has none either */
    const char *choices;  /* of PT_ENUM */
    char brief;           /* 'o' of -o; 0: none */
    bool required;
} PtFlag;

typedef struct PtArg {
    const char *name;
    PtKind kind; /* PT_TEXT, PT_FILE, PT_URL */
    const char *fallback;
    bool required, many;
} PtArg;

/* Flags that all commands below some words have: "query", "tsdb create-blocks-from". */
typedef struct PtGroup {
    const char *words;
    const char *help;
    const PtFlag *flags;
    size_t n_flags;
} PtGroup;

typedef struct PtLine PtLine;
typedef struct PtCommand {
    const char *words; /* "check config" */
    int (*run)(const PtLine *l);
    const char *help;
    const PtFlag *flags;
    size_t n_flags;
    const PtArg *args;
    size_t n_args;
    bool experimental;
} PtCommand;

typedef struct PtTable {
    const PtCommand *commands;
    size_t n_commands;
    const PtGroup *groups; /* the first one, without words, is of all */
    size_t n_groups;
} PtTable;

typedef struct PtGiven {
    const PtFlag *flag;
    const char *text; /* of PT_SWITCH: "true", "false" */
} PtGiven;

/* A command line that is as it should be. */
struct PtLine {
    const PtTable *table;
    const PtCommand *command;
    VEC(PtGiven) given;
    VEC(const char *) args;
    bool help, help_all, version; /* asked for; command is then what help is wanted of, or NULL */
    const char *of;               /* with help: the words so far, "check" */
    Buf words;
};

extern const char *pt_program; /* "promtool": whose errors they are */
/* "promtool: error: ..., try --help"; gives 1. */
int pt_error(const char *fmt, ...) ATTR_PRINTF(1, 2);
/* Reads and checks. 0, or the exit code when it has said what is wrong. In any case: pt_done. */
int pt_parse(const PtTable *table, int argc, char **argv, PtLine *ret);
void pt_done(PtLine *l);

/* Values, or what the table has for them. The name must be one of the command. */
bool pt_switch(const PtLine *l, const char *name);
const char *pt_text(const PtLine *l, const char *name); /* NULL: not given, and no fallback */
int64_t pt_int(const PtLine *l, const char *name);
int64_t pt_duration_ns(const PtLine *l, const char *name);
/* The it-th value of a flag that may come again; NULL: no more. The fallback when none is given. */
const char *pt_item(const PtLine *l, const char *name, size_t it);
bool pt_given(const PtLine *l, const char *name);
const char *pt_arg(const PtLine *l, size_t i); /* NULL: there is none */

/* What may come at the place of the last of the arguments, a line each (promtool_complete.c). */
void pt_complete(const PtTable *t, int argc, char **argv);
void pt_put_completion_script(bool zsh);

/* Help of one command, of a group, of everything. */
void pt_put_help(const PtTable *t, const PtLine *l, Buf *out);

#endif
