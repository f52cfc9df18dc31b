/* promtool_help.c - promtool's help texts, from the table of commands. */
#include "cmd/promtool_args.h"

#define WIDTH 80

/* Words of a text from a column on, broken before WIDTH. */
static void put_wrapped(Buf *out, const char *text, size_t indent) {
    Str rest = str_cstr(text), word;
    size_t at = indent;
    while (str_split_next(&rest, ' ', &word)) {
        if (at > indent && at + 1 + word.n > WIDTH) {
            buf_put_char(out, '\n');
            for (at = 0; at < indent; at++) buf_put_char(out, ' ');
        } else if (at > indent) {
            buf_put_char(out, ' ');
            at++;
        }
        buf_put_str(out, word);
        at += word.n;
    }
    buf_put_char(out, '\n');
}

static void put_flag_name(Buf *out, const PtFlag *f) {
    bool again = f->kind == PT_LIST || f->kind == PT_PAIRS;
    if (f->brief)
        buf_printf(out, "  -%c, ", f->brief);
    else
        buf_put_lit(out, "      ");
    buf_printf(out, "--%s%s", f->kind == PT_SWITCH ? "[no-]" : "", f->name);
    if (f->kind != PT_SWITCH) buf_printf(out, "=%s", f->value ? f->value : f->fallback ? f->fallback : "TEXT");
    if (again) buf_put_lit(out, " ...");
}

static void put_flags(Buf *out, const PtFlag *v, size_t n) {
    enum { COLUMN = 34 };
    for (size_t i = 0; i < n; i++) {
        size_t start = out->n;
        put_flag_name(out, &v[i]);
        if (out->n - start + 2 > COLUMN) {
            buf_put_char(out, '\n');
            start = out->n;
        }
        while (out->n - start < COLUMN) buf_put_char(out, ' ');
        put_wrapped(out, v[i].help, COLUMN);
    }
}

static bool within(Str words, Str group) {
    return str_starts_with(words, group) && (group.n == 0 || words.n == group.n || words.p[group.n] == ' ');
}

static void put_group_flags(const PtTable *t, Buf *out, Str words) {
    for (size_t i = 0; i < t->n_groups; i++)
        if (within(words, str_cstr(t->groups[i].words))) put_flags(out, t->groups[i].flags, t->groups[i].n_flags);
}

static void put_usage(Buf *out, const PtCommand *c) {
    buf_printf(out, "%s [<flags>]", c->words);
    for (size_t i = 0; i < c->n_flags; i++)
        if (c->flags[i].required) buf_printf(out, " --%s=%s", c->flags[i].name, c->flags[i].value);
    for (size_t i = 0; i < c->n_args; i++) {
        const PtArg *a = &c->args[i];
        buf_printf(out, a->required ? " <%s>%s" : " [<%s>%s]", a->name, a->many ? "..." : "");
    }
    buf_put_char(out, '\n');
}

static void put_command(const PtTable *t, Buf *out, const PtCommand *c) {
    buf_put_lit(out, "usage: promtool ");
    put_usage(out, c);
    buf_put_char(out, '\n');
    put_wrapped(out, c->help, 0);
    buf_put_lit(out, "\nFlags:\n");
    put_group_flags(t, out, str_cstr(c->words));
    put_flags(out, c->flags, c->n_flags);
}

static void put_summaries(const PtTable *t, Buf *out, Str words, bool all) {
    buf_put_lit(out, "\nCommands:\n");
    for (size_t i = 0; i < t->n_commands; i++) {
        const PtCommand *c = &t->commands[i];
        if (!within(str_cstr(c->words), words)) continue;
        if (!all) {
            buf_printf(out, "  %-36s  ", c->words);
            put_wrapped(out, c->help, 40);
            continue;
        }
        put_usage(out, c);
        buf_put_lit(out, "    ");
        put_wrapped(out, c->help, 4);
        put_flags(out, c->flags, c->n_flags);
        buf_put_char(out, '\n');
    }
}

void pt_put_help(const PtTable *t, const PtLine *l, Buf *out) {
    Str words = buf_str(&l->words);
    if (l->command) {
        put_command(t, out, l->command);
        return;
    }
    buf_printf(out, "usage: promtool%s%.*s [<flags>] <command> [<args> ...]\n\n", words.n ? " " : "", (int)words.n,
        words.p ? words.p : "");
    const char *help = t->groups[0].help;
    for (size_t i = 0; i < t->n_groups; i++)
        if (words.n && str_eq(str_cstr(t->groups[i].words), words)) help = t->groups[i].help;
    put_wrapped(out, help, 0);
    buf_put_lit(out, "\nFlags:\n");
    put_group_flags(t, out, words);
    put_summaries(t, out, words, l->help_all);
    if (!l->help_all)
        buf_put_lit(out, "\n`promtool COMMAND --help` explains one, `promtool --help-long` all of them.\n");
}
