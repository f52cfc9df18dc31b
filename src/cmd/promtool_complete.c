/* promtool_complete.c - completion of promtool's command lines: the words that may come next, and the shells' scripts.
 */
#include "cmd/promtool_args.h"

#include <stdio.h>

/* The next word of each command below the words so far, each once: they stand together in the table. */
static void put_words(const PtLine *l, Buf *out) {
    Str so_far = buf_str(&l->words), last = STR_NULL;
    for (size_t i = 0; i < l->table->n_commands; i++) {
        Str words = str_cstr(l->table->commands[i].words);
        bool below =
            so_far.n == 0 || (str_starts_with(words, so_far) && words.n > so_far.n && words.p[so_far.n] == ' ');
        if (!below) continue;
        Str rest = str_skip(words, so_far.n ? so_far.n + 1 : 0), word;
        if (!str_split_next(&rest, ' ', &word) || str_eq(word, last)) continue;
        buf_printf(out, "%" STR_FMT "\n", STR_ARG(word));
        last = word;
    }
}

static void put_flags(const PtFlag *v, size_t n, Buf *out) {
    for (size_t i = 0; i < n; i++) buf_printf(out, "--%s\n", v[i].name);
}

static void put_all_flags(const PtLine *l, Buf *out) {
    Str words = buf_str(&l->words);
    for (size_t i = 0; i < l->table->n_groups; i++) {
        const PtGroup *g = &l->table->groups[i];
        size_t n = strlen(g->words);
        bool applies = n == 0 || (str_starts_with(words, str_cstr(g->words)) && (words.n == n || words.p[n] == ' '));
        if (applies) put_flags(g->flags, g->n_flags, out);
    }
    if (l->command) put_flags(l->command->flags, l->command->n_flags, out);
}

/* Words that lead to a command are enough; whatever else stands between them does not matter. */
static void take_words(PtLine *l, int argc, char **argv) {
    for (int i = 0; i < argc && !l->command; i++) {
        size_t before = l->words.n;
        bool leads = false;
        if (argv[i][0] == '-') continue;
        buf_printf(&l->words, "%s%s", before ? " " : "", argv[i]);
        Str words = buf_str(&l->words);
        for (size_t k = 0; k < l->table->n_commands; k++) {
            const PtCommand *c = &l->table->commands[k];
            Str name = str_cstr(c->words);
            bool whole = str_eq(name, words);
            if (whole) l->command = c;
            leads |= whole || (str_starts_with(name, words) && name.p[words.n] == ' ');
        }
        if (!leads) l->words.n = before;
    }
}

void pt_complete(const PtTable *t, int argc, char **argv) {
    PtLine l = {.table = t};
    Buf out = {0};
    const char *newest = argc ? argv[argc - 1] : "";
    take_words(&l, argc ? argc - 1 : 0, argv); /* the newest word is the one being written */
    if (newest[0] == '-')
        put_all_flags(&l, &out);
    else if (!l.command)
        put_words(&l, &out);
    fwrite(out.p ? out.p : "", 1, out.n, stdout);
    buf_done(&out);
    pt_done(&l);
}

void pt_put_completion_script(bool zsh) {
    if (zsh) fputs("#compdef promtool\nautoload -U +X bashcompinit && bashcompinit\n", stdout);
    fputs(
        "_promtool() {\n"
        "  COMPREPLY=($(compgen -W \"$(\"${COMP_WORDS[0]}\" --completion-bash \"${COMP_WORDS[@]:1:$COMP_CWORD}\")\" -- "
        "\"${COMP_WORDS[COMP_CWORD]}\"))\n"
        "}\ncomplete -o default -F _promtool promtool\n",
        stdout);
}
