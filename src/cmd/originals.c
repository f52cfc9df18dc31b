/* originals.c - command lines of Prometheus and Alertmanager, as their units and compose files have them, start this
 * server. */
#include "cmd/originals.h"

#include "base/diag.h"
#include "cmd/command.h"
#include "cmd/server_int.h"
#include "cmd/version.h"

#include <stdio.h>

#define FLAGS_MAX 256

typedef struct Line {
    const Original *o;
    Arena *arena;
    ConfigFlag *flags;
    size_t n, max;
    Buf *notes;
    const char *refused;
    bool has_config;
} Line;

static bool has_name(const OriginalFlag *f, Str name) {
    Str pattern = str_cstr(f->name);
    if (pattern.p[pattern.n - 1] != '*') return str_eq(pattern, name);
    return str_starts_with(name, str_slice(pattern, 0, pattern.n - 1));
}

static const OriginalFlag *find(const Original *o, Str name) {
    for (size_t i = 0; i < o->n_flags; i++)
        if (has_name(&o->flags[i], name)) return &o->flags[i];
    return NULL;
}

#define refuse(l, ...) ((void)((l)->refused = arena_printf((l)->arena, __VA_ARGS__).p))

static void set(Line *l, Str key, Str value) {
    bool takes_value;
    ASSERT(config_is_flag(key, &takes_value));
    if (l->n == l->max)
        refuse(l, "more than %zu options", l->max);
    else
        l->flags[l->n++] = (ConfigFlag){key, value};
    l->has_config |= str_eq(key, str_cstr(l->o->config_key));
}

/* Prometheus' "512MB" are 512 MiB. */
static Str binary_size(Line *l, Str value) {
    bool plain = value.n > 1 && value.p[value.n - 1] == 'B' && strchr("KMGTPE", value.p[value.n - 2]);
    return plain ? arena_printf(l->arena, "%.*siB", (int)value.n - 1, value.p) : value;
}

static void set_feature(Line *l, Str name) {
    for (size_t i = 0; i < l->o->n_features; i++) {
        const OriginalFeature *f = &l->o->features[i];
        if (!str_eq(str_cstr(f->name), name)) continue;
        if (f->key) set(l, str_cstr(f->key), str_cstr(f->value));
        if (f->what) buf_printf(l->notes, "--enable-feature=%s has no effect here: %s\n", f->name, f->what);
        return;
    }
    buf_printf(l->notes, "--enable-feature=%" STR_FMT " is not known here\n", STR_ARG(name));
}

/* Members of a cluster speak HTTP here, not memberlist. */
static void set_peer(Line *l, Str value) {
    if (str_starts_with(value, STR("http://")) || str_starts_with(value, STR("https://"))) {
        set(l, STR("cluster.peer"), value);
        return;
    }
    size_t colon = str_rfind_char(value, ':');
    Str host = colon == SIZE_MAX ? value : str_slice(value, 0, colon);
    buf_printf(l->notes,
        "--cluster.peer=%" STR_FMT
        " has no effect: servers exchange over HTTP and share a secret. Until then each notifies by itself; "
        "give --cluster.peer=http://%" STR_FMT
        ":9093 and alerting.peer_secret (MEERKAT_ALERTING_PEER_SECRET) on all of them\n",
        STR_ARG(value), STR_ARG(host));
}

static void use(Line *l, const OriginalFlag *f, Str name, Str value) {
    Str rest = value, part;
    switch (f->use) {
    case ORIGINAL_KEY: set(l, str_cstr(f->what), value); break;
    case ORIGINAL_SIZE: set(l, str_cstr(f->what), binary_size(l, value)); break;
    case ORIGINAL_SAME: break;
    case ORIGINAL_FIXED:
        if (!str_eq(value, str_cstr(f->what)))
            buf_printf(l->notes, "--%" STR_FMT " is always %s here\n", STR_ARG(name), f->what);
        break;
    case ORIGINAL_NONE: buf_printf(l->notes, "--%" STR_FMT " has no effect here: %s\n", STR_ARG(name), f->what); break;
    case ORIGINAL_REFUSE:
        if (value.n && !str_eq_lit(value, "false")) refuse(l, "--%" STR_FMT ": %s", STR_ARG(name), f->what);
        break;
    case ORIGINAL_PEER: set_peer(l, value); break;
    case ORIGINAL_FEATURE:
        while (rest.n && str_split_next(&rest, ',', &part)) set_feature(l, str_trim(part));
        break;
    }
}

static void unknown(Line *l, Str name) {
    Str names[128];
    size_t n = 0;
    for (size_t i = 0; i < l->o->n_flags && n < ARRAY_LEN(names); i++) names[n++] = str_cstr(l->o->flags[i].name);
    Str near = diag_suggest(name, names, n);
    if (near.n)
        refuse(l, "unknown long flag '--%" STR_FMT "'; did you mean '--%" STR_FMT "'?", STR_ARG(name), STR_ARG(near));
    else
        refuse(l, "unknown long flag '--%" STR_FMT "'", STR_ARG(name));
}

/* One flag at argv[*i]: the original's, or else one of `meerkat serve`. */
static void take(Line *l, int argc, char **argv, int *i) {
    const char *arg = argv[*i];
    if (strncmp(arg, "--", 2) != 0 || !arg[2]) {
        refuse(l, "unexpected %s", arg);
        return;
    }
    Str name = str_of(arg + 2, strcspn(arg + 2, "=")), value = STR_NULL;
    const OriginalFlag *f = find(l->o, name);
    bool takes_value = f && !f->is_bool, off = false, given = arg[2 + name.n] == '=';
    if (!f && str_starts_with(name, STR("no-")) && (f = find(l->o, str_skip(name, 3))) && f->is_bool) off = true;
    if (f && !off && !f->is_bool && str_starts_with(name, STR("no-"))) f = NULL;
    if (!f && !config_is_flag(name, &takes_value)) {
        unknown(l, name);
        return;
    }
    if (given)
        value = str_cstr(arg + 3 + name.n);
    else if (takes_value && ++*i == argc)
        refuse(l, "expected argument for flag '--%" STR_FMT "'", STR_ARG(name));
    else
        value = takes_value ? str_cstr(argv[*i]) : off ? STR("false") : STR("true");
    if (l->refused) return;
    if (f)
        use(l, f, off ? str_skip(name, 3) : name, value);
    else
        set(l, name, value);
}

const char *original_translate(
    const Original *o, int argc, char **argv, Arena *arena, ConfigFlag *flags, size_t *n, size_t max, Buf *notes) {
    Line l = {.o = o, .arena = arena, .flags = flags, .max = max, .notes = notes};
    for (size_t i = 0; i < o->n_defaults; i++) set(&l, o->defaults[i].name, o->defaults[i].value);
    for (int i = 0; i < argc && !l.refused; i++) take(&l, argc, argv, &i);
    if (!l.refused && !l.has_config) set(&l, str_cstr(o->config_key), str_cstr(o->config));
    *n = l.n;
    return l.refused;
}

static void put_help(const Original *o) {
    static const char *const uses[] = {"serve's --", "serve's --", "accepted; nothing to set here",
        "accepted; it is always ",
        "no effect: ", "refused: ", "http://HOST:9093 of another server, with alerting.peer_secret",
        "comma separated, may be given several times"};
    printf("Starts the server by the command line of %s, with its port alone (and the UI's, on 127.0.0.1).\n"
           "Options of `meerkat serve` are taken as well.\n\n",
        o->name);
    for (size_t i = 0; i < o->n_flags; i++) {
        const OriginalFlag *f = &o->flags[i];
        printf("  --%s%s  ", f->name, f->is_bool ? "" : "=VALUE");
        printf("%s%s", uses[f->use], f->what ? f->what : "");
        putchar('\n');
    }
}

static int run(const Original *o, int argc, char **argv) {
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--version") == 0) {
            printf("%s, version %s (meerkat %s)\n", o->name, o->version, MEERKAT_VERSION);
            return 0;
        }
        if (strncmp(argv[i], "--help", 6) == 0 || strcmp(argv[i], "-h") == 0) {
            put_help(o);
            return 0;
        }
    }
    ConfigFlag flags[FLAGS_MAX];
    size_t n;
    Buf notes = {0};
    Arena *arena = arena_create(ARENA_UNLIMITED);
    const char *refused = original_translate(o, argc, argv, arena, flags, &n, FLAGS_MAX, &notes);
    Str rest = buf_str(&notes), line;
    while (rest.n && str_split_next(&rest, '\n', &line))
        if (line.n) fprintf(stderr, "%s: %.*s\n", o->name, (int)line.n, line.p);
    int code = refused ? 1 : serve_with(NULL, flags, n);
    if (refused) fprintf(stderr, "%s: error: %s\n", o->name, refused);
    buf_done(&notes);
    arena_free(arena);
    return code;
}

int cmd_prometheus(int argc, char **argv) { return run(&original_prometheus, argc, argv); }
int cmd_alertmanager(int argc, char **argv) { return run(&original_alertmanager, argc, argv); }
