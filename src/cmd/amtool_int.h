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
#define AMTOOL_REPEATS_MAX 64 /* of one flag */

typedef struct Amtool {
    const char *url, *output, *timeout, *config_file;
    bool inhibited, silenced, active, unprocessed, expired, quiet, force, tree, json, resolved, verbose,
        no_version_check, version_check;
    const char *receiver, *created_by, *id, *within, *author, *duration, *start, *end, *comment, *generator_url,
        *workers, *verify, *owner, *limit, *kind, *require_comment, *date_format, *features, *http_config, *token,
        *template_text, *template_type, *template_data;
    const char *annotations[AMTOOL_REPEATS_MAX], *globs[AMTOOL_REPEATS_MAX];
    size_t n_annotations, n_globs;
    const char *args[AMTOOL_ARGS_MAX];
    size_t n_args;
    Arena *arena;
    HttpClient *client;
    struct PromHttp *http;
    int64_t deadline_ns; /* of the whole command, by the monotonic clock */
    bool has_url;        /* given, not the default */
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
/* Whether the next argument is this flag's value. */
bool amtool_takes_value(const char *arg);
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
Str amtool_date(Amtool *a, Str rfc3339); /* by --date.format: "2006-01-02 15:04:05 UTC" */
int amtool_template(Amtool *a);
void amtool_print_json(Str text);
const char *amtool_user(Amtool *a); /* whose process this is */
bool amtool_is_amtool(void);
/* Wrong usage: command_usage, or in amtool's manner when it is called so. The exit code. */
int amtool_usage(const char *fmt, ...) ATTR_PRINTF(1, 2);
/* false after a message in the words of Go, of Prometheus. */
bool amtool_go_duration(const char *text, int64_t *ret_ns);
bool amtool_prom_duration(const char *text, int64_t *ret_ms);
/* A file a flag or argument names: read into the arena. false after a message. */
bool amtool_read_file(Amtool *a, const char *path, size_t max, Str *ret);
extern const char *amtool_program; /* whose errors these are: "meerkat", "amtool" */
void amtool_put_param(Buf *url, const char *name, Str value);

/* A table of cells with two blanks between columns; a tab or the end of a line inside a cell ends it, as in the
 * original. */
typedef struct AmTable {
    VEC(Str) cells; /* row by row, from the arena */
    size_t columns;
} AmTable;
void amtable_add(AmTable *t, Str cell);
void amtable_print(Amtool *a, AmTable *t);   /* frees it */
void amtool_print_tabs(Amtool *a, Str text); /* lines with tabs after their cells */

#endif
