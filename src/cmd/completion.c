/* completion.c - `meerkat completion bash|zsh|fish`, made from the table of commands. */
#include "cmd/command.h"

#include "base/buf.h"
#include "cmd/config.h"

#define OPTIONS_MAX 64

static void put_options(const Command *c, Buf *out) {
    Str options[OPTIONS_MAX];
    size_t n = command_options(c, options, OPTIONS_MAX);
    if (c->run == cmd_serve) {
        buf_put_lit(out, "--config ");
        config_put_flags(out);
    }
    for (size_t i = 0; i < n; i++) {
        buf_put_str(out, options[i]);
        buf_put_char(out, ' ');
    }
    buf_put_lit(out, "--help");
}

/* First words, each once. */
static void put_first_words(Buf *out) {
    Str last = STR_NULL;
    for (size_t i = 0; i < command_table_n; i++) {
        Str word = str_of(command_table[i].name, strcspn(command_table[i].name, " "));
        if (!str_eq(word, last)) buf_printf(out, "%.*s ", (int)word.n, word.p);
        last = word;
    }
    buf_put_lit(out, "--help --version");
}

/* Whether the name has words behind those of the group. */
static bool is_below(Str name, Str group) {
    return str_starts_with(name, group) && name.n > group.n && name.p[group.n] == ' ';
}

static void put_next_words(Buf *out, Str group) {
    Str last = STR_NULL;
    for (size_t i = 0; i < command_table_n; i++) {
        Str name = str_cstr(command_table[i].name), word;
        if (!is_below(name, group)) continue;
        Str rest = str_skip(name, group.n + 1);
        if (str_split_next(&rest, ' ', &word) && !str_eq(word, last)) buf_printf(out, "%" STR_FMT " ", STR_ARG(word));
        last = word;
    }
}

/* A case for each word, or two, that several commands begin with; they stand together in the table. */
static void put_group_cases(Buf *out, int words) {
    Str last = STR_NULL;
    for (size_t i = 0; i < command_table_n; i++) {
        Str name = str_cstr(command_table[i].name), rest = name, word;
        for (int k = 0; k < words && rest.n; k++) (void)str_split_next(&rest, ' ', &word);
        if (rest.n == 0 || !rest.p) continue;
        Str group = str_slice(name, 0, name.n - rest.n - 1);
        if (str_eq(group, last)) continue;
        last = group;
        buf_printf(out, "    \"%" STR_FMT "\") words=\"", STR_ARG(group));
        put_next_words(out, group);
        buf_put_lit(out, "--help\" ;;\n");
    }
}

/* One function for both shells: zsh has bashcompinit. */
static void put_bash(Buf *out) {
    buf_put_lit(out, "_meerkat() {\n  local cur=${COMP_WORDS[COMP_CWORD]} one=${COMP_WORDS[1]} two=${COMP_WORDS[2]} "
                     "three=${COMP_WORDS[3]} words=\n  [ \"$COMP_CWORD\" -gt 3 ] || three=\n"
                     "  [ \"$COMP_CWORD\" -gt 2 ] || two=\n  [ \"$COMP_CWORD\" -gt 1 ] || one=\n"
                     "  case \"$one${two:+ $two}${three:+ $three}\" in\n    \"\") words=\"");
    put_first_words(out);
    buf_put_lit(out, "\" ;;\n");
    buf_put_lit(out, "    promtool|\"promtool \"*) words=\"$(\"${COMP_WORDS[0]}\" promtool --completion-bash "
                     "\"${COMP_WORDS[@]:2:$((COMP_CWORD - 1))}\")\" ;;\n");
    for (size_t i = 0; i < command_table_n; i++) {
        const Command *c = &command_table[i];
        if (c->run == cmd_promtool) continue;
        buf_printf(out, "    \"%s\"|\"%s \"*) words=\"", c->name, c->name);
        put_options(c, out);
        buf_put_lit(out, "\" ;;\n");
    }
    put_group_cases(out, 1);
    put_group_cases(out, 2);
    buf_put_lit(out, "  esac\n  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                     "  case \"$cur\" in -*) ;; *) [ -z \"$one\" ] || COMPREPLY+=($(compgen -f -- \"$cur\")) ;; esac\n"
                     "}\ncomplete -o filenames -F _meerkat meerkat\n");
}

static void put_zsh(Buf *out) {
    buf_put_lit(out, "#compdef meerkat\nautoload -U +X bashcompinit && bashcompinit\n");
    put_bash(out);
}

static void put_fish_options(Buf *out, const Command *c, const char *condition) {
    Buf options = {0};
    put_options(c, &options);
    Str rest = buf_str(&options), option;
    while (rest.p && str_split_next(&rest, ' ', &option)) {
        if (str_starts_with(option, STR("--")))
            buf_printf(out, "complete -c meerkat -n '%s' -l '%.*s'\n", condition, (int)option.n - 2, option.p + 2);
        else if (option.n == 2)
            buf_printf(out, "complete -c meerkat -n '%s' -s '%c'\n", condition, option.p[1]);
    }
    buf_done(&options);
}

static void put_fish(Buf *out) {
    Str last = STR_NULL;
    for (size_t i = 0; i < command_table_n; i++) {
        const Command *c = &command_table[i];
        Str name = str_cstr(c->name), first = str_of(c->name, strcspn(c->name, " "));
        char condition[160];
        if (!str_eq(first, last))
            buf_printf(out, "complete -c meerkat -n __fish_use_subcommand -a '%.*s' -d '%s'\n", (int)first.n, first.p,
                first.n == name.n ? c->summary : "");
        last = first;
        snprintf(condition, sizeof condition, "__fish_seen_subcommand_from %.*s", (int)first.n, first.p);
        if (first.n < name.n) {
            const char *second = c->name + first.n + 1;
            buf_printf(out, "complete -c meerkat -n '%s' -a '%s' -d '%s'\n", condition, second, c->summary);
            snprintf(condition, sizeof condition,
                "__fish_seen_subcommand_from %.*s; and __fish_seen_subcommand_from %s", (int)first.n, first.p, second);
        }
        put_fish_options(out, c, condition);
    }
}

int cmd_completion(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*put)(Buf *out);
    } shells[] = {{"bash", put_bash}, {"zsh", put_zsh}, {"fish", put_fish}};
    for (size_t i = 0; argc == 1 && i < ARRAY_LEN(shells); i++) {
        if (strcmp(argv[0], shells[i].name) != 0) continue;
        Buf out = {0};
        shells[i].put(&out);
        fwrite(out.p, 1, out.n, stdout);
        buf_done(&out);
        return 0;
    }
    if (argc == 1 && argv[0][0] == '-') return command_unknown_option("completion", argv[0]);
    return command_usage("completion wants the name of a shell: bash, zsh or fish");
}
