/* rule_yaml.c - groups of rules as YAML text. */
#include "alert/rule_file.h"

#include "base/timefmt.h"

static void put_indent(Buf *out, unsigned n) {
    for (unsigned i = 0; i < n; i++) buf_put_char(out, ' ');
}

static bool is_plain(Str s) {
    if (s.n == 0 || s.n > 200) return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!(word || (i > 0 && ((c >= '0' && c <= '9') || c == '-' || c == '.' || c == '/')))) return false;
    }
    static const Str words[] = {STR_INIT("true"), STR_INIT("false"), STR_INIT("yes"), STR_INIT("no"), STR_INIT("on"),
        STR_INIT("off"), STR_INIT("null"), STR_INIT("y"), STR_INIT("n")};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_eq_nocase(s, words[i])) return false;
    return true;
}

/* A literal block keeps text of several lines readable; it cannot hold trailing blanks or control characters. */
static bool fits_block(Str s) {
    if (s.n == 0 || str_find_char(s, '\n') == SIZE_MAX || s.p[0] == ' ' || s.p[0] == '\n' || s.p[s.n - 1] == '\n')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c < 0x20 && c != '\n') || c == 0x7f || c >= 0x80) return false;
    }
    return true;
}

static void put_double_quoted(Buf *out, Str s) {
    buf_put_char(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c == '\n')
            buf_put_lit(out, "\\n");
        else if (c < 0x20 || c == 0x7f)
            buf_printf(out, "\\x%02x", c);
        else
            buf_put_char(out, (char)c);
    }
    buf_put_char(out, '"');
}

static void put_scalar(Buf *out, Str s, unsigned indent) {
    if (is_plain(s)) {
        buf_put_str(out, s);
    } else if (fits_block(s)) {
        buf_put_lit(out, "|-");
        Str rest = s, line;
        while (str_split_next(&rest, '\n', &line)) {
            buf_put_char(out, '\n');
            if (line.n) put_indent(out, indent + 2);
            buf_put_str(out, line);
        }
    } else {
        put_double_quoted(out, s);
    }
    buf_put_char(out, '\n');
}

static void put_member(Buf *out, unsigned indent, const char *key, Str value) {
    put_indent(out, indent);
    buf_printf(out, "%s: ", key);
    put_scalar(out, value, indent);
}

static void put_time(Buf *out, unsigned indent, const char *key, int64_t ms) {
    put_indent(out, indent);
    buf_printf(out, "%s: ", key);
    duration_put_prom(out, ms);
    buf_put_char(out, '\n');
}

static void put_labels(Buf *out, unsigned indent, const char *key, Labels l, Labels without) {
    bool any = false;
    for (size_t i = 0; i < l.n; i++) {
        Str outer = labels_get(without, l.v[i].name);
        if (outer.p && str_eq(outer, l.v[i].value)) continue; /* the group says it */
        if (!any) {
            put_indent(out, indent);
            buf_printf(out, "%s:\n", key);
            any = true;
        }
        put_indent(out, indent + 2);
        if (is_plain(l.v[i].name))
            buf_put_str(out, l.v[i].name);
        else
            put_double_quoted(out, l.v[i].name);
        buf_put_lit(out, ": ");
        put_scalar(out, l.v[i].value, indent + 2);
    }
}

static void put_rule(Buf *out, const RuleGroupDef *g, const RuleDef *r, unsigned indent) {
    put_indent(out, indent);
    buf_printf(out, "- %s: ", r->alerting ? "alert" : "record");
    put_scalar(out, r->name, indent + 2);
    put_member(out, indent + 2, "expr", r->expr);
    if (r->for_ms) put_time(out, indent + 2, "for", r->for_ms);
    if (r->keep_firing_for_ms) put_time(out, indent + 2, "keep_firing_for", r->keep_firing_for_ms);
    if (!str_eq(r->datasource, g->datasource))
        put_member(out, indent + 2, "datasource", r->datasource.n ? r->datasource : STR("prometheus"));
    if (r->range_ms && r->range_ms != g->range_ms) put_time(out, indent + 2, "range", r->range_ms);
    put_labels(out, indent + 2, "labels", r->labels, g->labels);
    put_labels(out, indent + 2, "annotations", r->annotations, (Labels){0});
}

void rule_group_put_yaml(Buf *out, const RuleGroupDef *g, unsigned indent) {
    put_indent(out, indent);
    buf_put_lit(out, "name: ");
    put_scalar(out, g->name, indent);
    if (g->interval_ms) put_time(out, indent, "interval", g->interval_ms);
    if (g->query_offset_ms >= 0) put_time(out, indent, "query_offset", g->query_offset_ms);
    if (g->limit) {
        put_indent(out, indent);
        buf_printf(out, "limit: %lld\n", (long long)g->limit);
    }
    if (g->datasource.n) put_member(out, indent, "datasource", g->datasource);
    if (g->range_ms) put_time(out, indent, "range", g->range_ms);
    put_labels(out, indent, "labels", g->labels, (Labels){0});
    put_indent(out, indent);
    buf_put_str(out, g->n_rules ? STR("rules:\n") : STR("rules: []\n"));
    for (size_t i = 0; i < g->n_rules; i++) put_rule(out, g, &g->rules[i], indent);
}
