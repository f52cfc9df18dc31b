/* promtool_args.c - reading promtool's command lines by the table. */
#include "cmd/promtool_args.h"

#include "base/num.h"
#include "base/timefmt.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

const char *pt_program = "promtool";

int pt_error(const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "%s: error: ", pt_program);
    vfprintf(stderr, fmt, ap);
    fputs(", try --help\n", stderr);
    va_end(ap);
    return 1;
}

void pt_done(PtLine *l) {
    vec_done(&l->given);
    vec_done(&l->args);
    buf_done(&l->words);
}

/* --- words --- */

/* Whether `words` begins with whole words `start`. */
static bool begins(const char *words, Str start) {
    return strncmp(words, start.p ? start.p : "", start.n) == 0 &&
           (start.n == 0 || words[start.n] == 0 || words[start.n] == ' ');
}

static const PtCommand *find_command(const PtTable *t, Str words) {
    for (size_t i = 0; i < t->n_commands; i++)
        if (str_eq(str_cstr(t->commands[i].words), words)) return &t->commands[i];
    return NULL;
}

/* A word that leads further; false: it was said that it does not. */
static bool take_word(PtLine *l, const char *word) {
    size_t before = l->words.n;
    if (before) buf_put_char(&l->words, ' ');
    buf_put_str(&l->words, str_cstr(word));
    l->command = find_command(l->table, buf_str(&l->words));
    for (size_t i = 0; i < l->table->n_commands; i++)
        if (begins(l->table->commands[i].words, buf_str(&l->words))) return true;
    l->words.n = before;
    pt_error("expected command but got \"%s\"", word);
    return false;
}

/* --- flags --- */

static const PtFlag *flag_of(const PtFlag *v, size_t n, Str name, char brief) {
    for (size_t i = 0; i < n; i++)
        if (brief ? v[i].brief == brief : str_eq(str_cstr(v[i].name), name)) return &v[i];
    return NULL;
}

/* By its name or its letter, among those that the words so far have. */
static const PtFlag *find_flag(const PtLine *l, Str name, char brief) {
    const PtFlag *f = l->command ? flag_of(l->command->flags, l->command->n_flags, name, brief) : NULL;
    for (size_t i = 0; !f && i < l->table->n_groups; i++) {
        const PtGroup *g = &l->table->groups[i];
        Str words = buf_str(&l->words), group = str_cstr(g->words);
        bool applies =
            group.n == 0 || (str_starts_with(words, group) && (words.n == group.n || words.p[group.n] == ' '));
        if (applies) f = flag_of(g->flags, g->n_flags, name, brief);
    }
    return f;
}

static int keep(PtLine *l, const PtFlag *f, const char *text) {
    bool again = f->kind == PT_LIST || f->kind == PT_PAIRS;
    for (size_t i = 0; !again && i < l->given.n; i++)
        if (l->given.v[i].flag == f) return pt_error("flag '%s' cannot be repeated", f->name);
    vec_push(&l->given, (PtGiven){f, text});
    return 0;
}

static int take_long(PtLine *l, int argc, char **argv, int *i) {
    const char *arg = argv[*i] + 2, *eq = strchr(arg, '=');
    Str name = eq ? str_of(arg, (size_t)(eq - arg)) : str_cstr(arg);
    const PtFlag *f = find_flag(l, name, 0);
    bool no = !f && str_starts_with(name, STR("no-"));
    if (no) f = find_flag(l, str_skip(name, 3), 0);
    if (!f || (no && f->kind != PT_SWITCH)) return pt_error("unknown long flag '--%.*s'", (int)name.n, name.p);
    if (f->kind == PT_SWITCH) return eq ? pt_error("unexpected %s", eq + 1) : keep(l, f, no ? "false" : "true");
    if (eq) return keep(l, f, eq + 1);
    bool next = *i + 1 < argc && !(argv[*i + 1][0] == '-' && argv[*i + 1][1]);
    if (!next) return pt_error("expected argument for flag '--%s'", f->name);
    return keep(l, f, argv[++*i]);
}

/* -r, -o json, -ojson, several switches in one. */
static int take_brief(PtLine *l, int argc, char **argv, int *i) {
    for (const char *p = argv[*i] + 1; *p; p++) {
        const PtFlag *f = find_flag(l, STR_NULL, *p);
        int code = 0;
        if (!f) return pt_error("unknown short flag '-%c'", *p);
        if (f->kind != PT_SWITCH) {
            if (p[1]) return keep(l, f, p + 1);
            if (*i + 1 == argc) return pt_error("expected argument for flag '-%c'", *p);
            return keep(l, f, argv[++*i]);
        }
        if ((code = keep(l, f, "true")) != 0) return code;
    }
    return 0;
}

/* --- values --- */

static int check_file(const char *path) {
    struct stat st;
    if (stat(path, &st) != 0) return pt_error("path '%s' does not exist", path);
    return S_ISDIR(st.st_mode) ? pt_error("'%s' is a directory", path) : 0;
}

static int check_enum(const PtFlag *f, const char *text) {
    Str rest = str_cstr(f->choices), one;
    while (str_split_next(&rest, ',', &one))
        if (str_eq(one, str_cstr(text))) return 0;
    return pt_error("enum value must be one of %s, got '%s'", f->choices, text);
}

static int check_value(PtKind kind, const PtFlag *f, const char *text) {
    int64_t n;
    switch (kind) {
    case PT_PAIRS: return strchr(text, '=') ? 0 : pt_error("expected KEY=VALUE got '%s'", text);
    case PT_DURATION:
        return duration_parse_go(str_cstr(text), &n) ? 0 : pt_error("time: invalid duration \"%s\"", text);
    case PT_INT:
        return num_parse_i64(str_cstr(text), &n) ? 0
                                                 : pt_error("strconv.ParseInt: parsing \"%s\": invalid syntax", text);
    case PT_ENUM: return check_enum(f, text);
    case PT_FILE: return check_file(text);
    case PT_URL: return *text == ':' ? pt_error("invalid URL: parse \"%s\": missing protocol scheme", text) : 0;
    default: return 0;
    }
}

/* Arguments beyond the last one that takes many belong to it. */
static const PtArg *arg_at(const PtCommand *c, size_t i) {
    if (i < c->n_args) return &c->args[i];
    return c->n_args && c->args[c->n_args - 1].many ? &c->args[c->n_args - 1] : NULL;
}

static int check_values(const PtLine *l) {
    int code = 0;
    for (size_t i = 0; i < l->given.n && code == 0; i++)
        code = check_value(l->given.v[i].flag->kind, l->given.v[i].flag, l->given.v[i].text);
    for (size_t i = 0; i < l->args.n && code == 0; i++)
        code = check_value(arg_at(l->command, i)->kind, NULL, l->args.v[i]);
    return code;
}

static int check_required(const PtLine *l) {
    Buf missing = {0};
    const PtCommand *c = l->command;
    for (size_t i = 0; i < c->n_flags; i++) {
        if (c->flags[i].required && !pt_given(l, c->flags[i].name))
            buf_printf(&missing, "%s'--%s'", missing.n ? ", " : "", c->flags[i].name);
    }
    int code = missing.n ? pt_error("required flag(s) %s not provided", buf_cstr(&missing)) : 0;
    buf_done(&missing);
    if (code == 0 && l->args.n < c->n_args && c->args[l->args.n].required)
        code = pt_error("required argument '%s' not provided", c->args[l->args.n].name);
    return code;
}

/* --- the line --- */

static int take_argument(PtLine *l, const char *arg) {
    if (!l->command) {
        if (!l->words.n && !l->help && strcmp(arg, "help") == 0) return l->help = true, 0;
        return take_word(l, arg) ? 0 : 1;
    }
    if (l->help) return 0;
    if (!arg_at(l->command, l->args.n)) return pt_error("unexpected %s", arg);
    vec_push(&l->args, arg);
    return 0;
}

/* Flags that are answered before anything else is looked at. */
static bool asks(PtLine *l, const char *arg) {
    if (strcmp(arg, "--help-long") == 0 || strcmp(arg, "--help-man") == 0) return l->help = l->help_all = true;
    if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) return l->help = true;
    if (strcmp(arg, "--version") == 0) return l->version = true;
    return false;
}

int pt_parse(const PtTable *table, int argc, char **argv, PtLine *ret) {
    bool flags = true;
    int code = 0;
    *ret = (PtLine){.table = table};
    for (int i = 0; i < argc && code == 0; i++) {
        const char *arg = argv[i];
        if (flags && strcmp(arg, "--") == 0)
            flags = false;
        else if (flags && asks(ret, arg))
            continue;
        else if (flags && arg[0] == '-' && arg[1] == '-')
            code = take_long(ret, argc, argv, &i);
        else if (flags && arg[0] == '-' && arg[1])
            code = take_brief(ret, argc, argv, &i);
        else
            code = take_argument(ret, arg);
    }
    if (code || ret->help || ret->version) return code;
    if (!ret->words.n) return ret->help = true, 0;
    if (!ret->command) return pt_error("must select a subcommand of '%s'", buf_cstr(&ret->words));
    code = check_values(ret);
    return code ? code : check_required(ret);
}

/* --- what was given --- */

/* The flag of the command or of one of its groups. */
static const PtFlag *named(const PtLine *l, const char *name) {
    const PtFlag *f = find_flag(l, str_cstr(name), 0);
    ASSERT(f);
    return f;
}

const char *pt_item(const PtLine *l, const char *name, size_t it) {
    const PtFlag *f = named(l, name);
    size_t n = 0;
    for (size_t i = 0; i < l->given.n; i++)
        if (l->given.v[i].flag == f && n++ == it) return l->given.v[i].text;
    return n == 0 && it == 0 ? f->fallback : NULL;
}

const char *pt_text(const PtLine *l, const char *name) { return pt_item(l, name, 0); }

bool pt_given(const PtLine *l, const char *name) {
    const PtFlag *f = named(l, name);
    for (size_t i = 0; i < l->given.n; i++)
        if (l->given.v[i].flag == f) return true;
    return false;
}

bool pt_switch(const PtLine *l, const char *name) {
    const char *text = pt_text(l, name);
    return text && strcmp(text, "true") == 0;
}

int64_t pt_int(const PtLine *l, const char *name) {
    int64_t v = 0;
    const char *text = pt_text(l, name);
    return text && num_parse_i64(str_cstr(text), &v) ? v : 0;
}

int64_t pt_duration_ns(const PtLine *l, const char *name) {
    int64_t v = 0;
    const char *text = pt_text(l, name);
    return text && duration_parse_go(str_cstr(text), &v) ? v : 0;
}

const char *pt_arg(const PtLine *l, size_t i) {
    if (i < l->args.n) return l->args.v[i];
    return i < l->command->n_args ? l->command->args[i].fallback : NULL;
}
