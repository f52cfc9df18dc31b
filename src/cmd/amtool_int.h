/* amtool_int.h - what `meerkat alert`, `meerkat silence` and `meerkat check alertmanager` share; private to cmd.
 *
 * Verbs, flags and output are amtool's, so that fingers and scripts need not learn anything. */
#ifndef MEERKAT_CMD_AMTOOL_INT_H
#define MEERKAT_CMD_AMTOOL_INT_H

#include "base/json.h"
#include "base/vec.h"
#include "cmd/command.h"
#include "net/client.h"

#define AMTOOL_ARGS_MAX 1024

typedef struct Amtool {
    const char *url, *output, *timeout, *config_file;
    bool inhibited, silenced, active, unprocessed, expired, quiet, force, tree, json, resolved, verbose, no_version_check, version_check;
    const char *receiver, *created_by, *id, *within, *author, *duration, *start, *end, *comment, *generator_url, *workers, *verify,
        *owner, *limit, *kind, *require_comment, *date_format, *features, *http_config, *token;
    const char *annotations[64];
    size_t n_annotations;
    const char *args[AMTOOL_ARGS_MAX];
    size_t n_args;
    Arena *arena;
    HttpClient *client;
    Buf url_buf;
} Amtool;

typedef struct AmVerb {
    const char *name;
    int (*run)(Amtool *a);
} AmVerb;
/* The verb that argv begins with, or the first of them. kind: "alert" or "silence". The exit code. */
int amtool_run(const AmVerb *verbs, size_t n, const char *kind, int argc, char **argv);
/* Reads flags and amtool's own configuration file; argv begins after the verb. 0, or the exit code. */
int amtool_parse(Amtool *a, int argc, char **argv);
void amtool_done(Amtool *a);
/* Status of the answer (its body in out), or -1 after a message. */
int amtool_call(Amtool *a, const char *method, Str path, Str body, Buf *out);
/* As amtool_call; anything but 2xx is printed as an error. NULL then. */
JsonValue *amtool_fetch(Amtool *a, const char *method, Str path, Str body);
/* The first bare word stands for alertname="word". */
void amtool_first_matcher(Amtool *a);
/* name=value pairs; false after a message. */
bool amtool_pairs(Amtool *a, const char *const *v, size_t n, const char *what, JsonWriter *w);
int amtool_routes(Amtool *a);
int amtool_error(const char *fmt, ...) ATTR_PRINTF(1, 2); /* prints, gives 1 */
/* Now, or an RFC 3339 time; false after a message. */
bool amtool_time(const char *text, int64_t fallback_ns, int64_t *ret_ns);
Str amtool_date(Amtool *a, Str rfc3339); /* "2006-01-02 15:04:05 UTC" */
void amtool_put_param(Buf *url, const char *name, Str value);

/* A table of cells with two blanks between columns. */
typedef struct AmTable {
    VEC(Str) cells; /* row by row, from the arena */
    size_t columns;
} AmTable;
void amtable_add(AmTable *t, Str cell);
void amtable_print(AmTable *t); /* frees it */

#endif
