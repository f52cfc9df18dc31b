/* amtool_routes.c - `meerkat alert routes show|test` and `meerkat check alertmanager`. */
#include "cmd/amtool_int.h"

#include "alert/alertmanager.h"
#include "alert/amconfig.h"
#include "alert/amlabel.h"

#include "sys/fs.h"

#include <stdio.h>
#include <unistd.h>

#define FILE_MAX ((size_t)16 << 20)

static void print_diags(const DiagList *diags) {
    Buf out = {0};
    diag_render(diags, &out, isatty(STDERR_FILENO) != 0);
    fwrite(out.p ? out.p : "", 1, out.n, stderr);
    buf_done(&out);
}

/* From --config.file, or what the server runs with. */
static AmConfig *load(Amtool *a) {
    Str text = STR_NULL;
    Str name = a->config_file ? str_cstr(a->config_file) : STR("the server's configuration");
    if (a->config_file) {
        if (!amtool_read_file(a, a->config_file, FILE_MAX, &text)) return NULL;
        if (a->has_url) fprintf(stderr, "Warning: --config.file flag overrides the --alertmanager.url.\n");
    } else {
        const JsonValue *root = amtool_fetch(a, "GET", STR("/api/v2/status"), STR_NULL);
        if (!root) return NULL;
        text = json_get_str(json_get(root, STR("config")), STR("original"));
    }
    AmConfig *c = NULL;
    DiagList diags;
    diag_init(&diags, name, text);
    if (amconfig_parse_routes(name, text, &c, &diags)) {
        const Diag *first = NULL;
        vec_foreach(Diag, d, &diags.items) first = !first && d->level == DIAG_ERROR ? d : first;
        if (amtool_is_amtool() && first)
            amtool_error("%s", first->msg);
        else
            print_diags(&diags);
    }
    diag_done(&diags);
    return c;
}

/* --- trees as amtool draws them --- */

static void put_slug(Buf *b, const AmRoute *r, bool with_continue, bool with_receiver) {
    if (r->matchers.n)
        amlabel_put_matchers(b, r->matchers);
    else
        buf_put_lit(b, "default-route");
    if (r->go_on && with_continue) buf_put_lit(b, "  continue: true");
    if (with_receiver) buf_printf(b, "  receiver: %.*s", (int)r->receiver->name.n, r->receiver->name.p);
}

typedef struct Tree {
    Buf out, prefix;
    Labels labels;
    bool matching; /* only what matches labels */
} Tree;

/* Children to be drawn of a matching tree: all that match, up to one that does not continue. */
static size_t children_of(const Tree *t, const AmRoute *r, const AmRoute **out) {
    size_t n = 0;
    for (size_t i = 0; i < r->n_routes; i++) {
        if (t->matching && !matchers_match(r->routes[i]->matchers, t->labels)) continue;
        out[n++] = r->routes[i];
        if (t->matching && !r->routes[i]->go_on) break;
    }
    return n;
}

static void put_branch(Tree *t, const AmRoute *r, bool last) {
    buf_put_str(&t->out, buf_str(&t->prefix));
    buf_put_str(&t->out, last ? STR("└── ") : STR("├── "));
    const AmRoute **children = mem_alloc_array(r->n_routes + 1, sizeof *children);
    size_t n = children_of(t, r, children), before = t->prefix.n;
    put_slug(&t->out, r, !t->matching, !t->matching || !n);
    buf_put_char(&t->out, '\n');
    buf_put_str(&t->prefix, last ? STR("    ") : STR("│   "));
    for (size_t i = 0; i < n; i++) put_branch(t, children[i], i + 1 == n);
    t->prefix.n = before;
    mem_free(children);
}

static void print_tree(const char *title, const AmRoute *root, const Labels *labels) {
    Tree t = {.matching = labels != NULL};
    if (labels) t.labels = *labels;
    put_branch(&t, root, true);
    printf("%s\n.\n%s\n", title, buf_cstr(&t.out));
    if (labels) putchar('\n');
    buf_done(&t.out);
    buf_done(&t.prefix);
}

static int test_routes(Amtool *a, const AmConfig *c) {
    Label v[256];
    size_t n = 0;
    for (size_t i = 1; i < a->n_args && n < ARRAY_LEN(v); i++) {
        const Matcher *m;
        Err err = {0};
        if (ammatch_parse_one(str_cstr(a->args[i]), AM_MATCH_FALLBACK, a->arena, &m, &err))
            return amtool_error("Failed to parse labels: %s", err.msg);
        if (m->type != MATCH_EQ) return amtool_error("Labels must be specified as key=value pairs");
        v[n++] = (Label){m->name, m->value};
    }
    Err err = {0};
    if (labels_normalize(v, &n, &err)) return amtool_error("%s", err.msg);
    Labels l = {v, n};
    if (a->tree) print_tree("Matching routes:", c->root, &l);
    const AmRoute *routes[AM_ROUTES_MAX];
    size_t found = amroute_match(c->root, l, routes, ARRAY_LEN(routes));
    Buf names = {0};
    for (size_t i = 0; i < found; i++)
        buf_printf(&names, "%s%.*s", i ? "," : "", (int)routes[i]->receiver->name.n, routes[i]->receiver->name.p);
    printf("%s\n", buf_cstr(&names));
    bool wrong = a->verify && *a->verify && strcmp(a->verify, buf_cstr(&names)) != 0;
    if (wrong) printf("WARNING: Expected receivers did not match resolved receivers.\n");
    buf_done(&names);
    return wrong ? 1 : 0;
}

int amtool_routes(Amtool *a) {
    bool test = a->n_args > 0 && strcmp(a->args[0], "test") == 0;
    if (!test && a->n_args > 0 && strcmp(a->args[0], "show") != 0)
        return command_usage("alert routes wants show or test, not \"%s\"", a->args[0]);
    AmConfig *c = load(a);
    if (!c) return 1;
    int code = 0;
    if (test)
        code = test_routes(a, c);
    else
        print_tree("Routing tree:", c->root, NULL);
    amconfig_unref(c);
    return code;
}

/* --- check --- */

static bool check_one(const char *file) {
    Buf text = {0};
    Err err = {0};
    printf("Checking '%s'", file);
    if (fs_read_file(fs_real(), file, FILE_MAX, &text, &err)) {
        printf("  FAILED: %s\n\n", err.msg);
        buf_done(&text);
        return false;
    }
    DiagList diags;
    diag_init(&diags, str_cstr(file), buf_str(&text));
    AlertmanagerSummary s;
    ErrCode rc = alertmanager_check(str_cstr(file), buf_str(&text), &s, &diags);
    const Diag *first = NULL;
    vec_foreach(Diag, d, &diags.items) first = !first && d->level == DIAG_ERROR ? d : first;
    if (rc)
        printf("  FAILED: %s\n", first ? first->msg : "the file cannot be used");
    else
        printf("  SUCCESS\n");
    fflush(stdout);
    print_diags(&diags);
    if (!rc) {
        printf("Found:\n - global config\n - route\n - %zu inhibit rules\n - %zu receivers\n - %zu templates\n",
            s.inhibit_rules, s.receivers, s.templates);
        if (s.templates) printf("  SUCCESS\n");
    }
    printf("\n");
    diag_done(&diags);
    buf_done(&text);
    return rc == OK;
}

int cmd_check_alertmanager(int argc, char **argv) {
    size_t failed = 0;
    if (argc == 0 && isatty(STDIN_FILENO))
        return command_usage("check alertmanager takes files, or one on standard input");
    for (int i = 0; i < argc; i++) {
        if (argv[i][0] == '-') return command_usage("check alertmanager takes files, not \"%s\"", argv[i]);
    }
    if (argc == 0) failed += !check_one("/dev/stdin");
    for (int i = 0; i < argc; i++) failed += !check_one(argv[i]);
    return failed ? amtool_error("failed to validate %zu file(s)", failed) : 0;
}
