#include "codec/yaml.h"

#include "base/map.h"

#include <stdarg.h>
#include <stdio.h>
#include <yaml.h>

#define NODES_MIN 100000 /* of the budget: a document without aliases has fewer nodes than bytes */
#define DEPTH_MAX 64
#define ERRORS_MAX 50
#define SMALL_MAPPING 16 /* up to here duplicates are looked for by eye, above with a map */

typedef struct Loader {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one, owned */
    Str text;
    bool ascii;               /* columns of the library, in characters, are bytes */
    size_t at_index, at_byte; /* a character's index and its offset: the conversion goes forwards */
    Arena *arena;
    DiagList *diags;
    size_t line, line_start; /* of the last place, and where that line begins */
    bool line_known;
    Map *anchors;
    size_t nodes, nodes_max, errors;
    ErrCode code; /* the first error's */
} Loader;

static void __attribute__((format(printf, 6, 7)))
fail(Loader *l, ErrCode code, const YamlNode *where, const char *hint, int len, const char *fmt, ...) {
    va_list args;
    char msg[256];
    va_start(args, fmt);
    vsnprintf(msg, sizeof msg, fmt, args);
    va_end(args);
    if (!l->code) l->code = code;
    if (l->errors++ < ERRORS_MAX) diag_add(l->diags, DIAG_ERROR, where->line, where->col, MAX(len, 1), hint, "%s", msg);
}

static inline bool is_rune_start(char c) { return ((unsigned char)c & 0xc0) != 0x80; }

static size_t skip_runes(Str s, size_t byte, size_t n) {
    while (n > 0 && byte < s.n) {
        for (byte++; byte < s.n && !is_rune_start(s.p[byte]);) byte++;
        n--;
    }
    return byte;
}

static size_t byte_of(Loader *l, size_t index) {
    if (l->ascii) return MIN(index, l->text.n);
    if (index < l->at_index) l->at_index = l->at_byte = 0;
    l->at_byte = skip_runes(l->text, l->at_byte, index - l->at_index);
    l->at_index = index;
    return l->at_byte;
}

/* Line, byte column and length of what lies between two marks. */
static void set_place(Loader *l, YamlNode *node, const yaml_mark_t *from, const yaml_mark_t *to) {
    size_t start = byte_of(l, from->index), line_start = start;
    if (l->line_known && l->line == from->line) { /* a line may hold all of the document */
        line_start = l->line_start;
    } else {
        for (size_t n = from->column; n > 0 && line_start > 0; n--)
            while (line_start > 0 && !is_rune_start(l->text.p[--line_start])) continue;
        l->line_known = true;
        l->line = from->line;
        l->line_start = line_start;
    }
    size_t end =
        from->line == to->line && to->index > from->index ? skip_runes(l->text, start, to->index - from->index) : start;
    if (to->line > from->line)
        while (end < l->text.n && l->text.p[end] != '\n') end++;
    node->line = (int)from->line + 1;
    node->col = (int)(start - line_start) + 1;
    node->len = (int)MAX(end - start, (size_t)1);
}

static void fail_parser(Loader *l) {
    yaml_parser_t *p = &l->parser;
    YamlNode where = {0};
    const char *problem = p->problem ? p->problem : "malformed text";
    if (p->error == YAML_READER_ERROR) {
        diag_locate(l->text, MIN(p->problem_offset, l->text.n), &where.line, &where.col);
        fail(l, ERR_INVALID, &where, NULL, 1, "%s", problem);
        return;
    }
    set_place(l, &where, &p->problem_mark, &p->problem_mark);
    size_t at = byte_of(l, p->problem_mark.index);
    const char *hint = at < l->text.n && l->text.p[at] == '\t' ? "indent with spaces: YAML allows no tabs there" : NULL;
    if (p->context)
        fail(l, ERR_INVALID, &where, hint, 1, "%s %s", problem, p->context);
    else
        fail(l, ERR_INVALID, &where, hint, 1, "%s", problem);
}

/* Replaces the current event by the next one; false after an error of the library. */
static bool next_event(Loader *l) {
    yaml_event_delete(&l->event);
    if (yaml_parser_parse(&l->parser, &l->event)) return true;
    memset(&l->event, 0, sizeof l->event);
    if (l->parser.error == YAML_MEMORY_ERROR) {
        if (!l->code) l->code = ERR_TOO_LARGE;
        return false;
    }
    fail_parser(l);
    return false;
}

static YamlNode *new_node(Loader *l, YamlKind kind) {
    YamlNode *node = l->nodes < l->nodes_max ? ARENA_NEW(l->arena, YamlNode) : NULL;
    l->nodes++;
    if (node) {
        node->kind = kind;
        set_place(l, node, &l->event.start_mark, &l->event.end_mark);
        return node;
    }
    YamlNode where = {0};
    set_place(l, &where, &l->event.start_mark, &l->event.end_mark);
    fail(l, ERR_TOO_LARGE, &where, NULL, 1, "the document has more than %zu nodes with its aliases resolved",
        l->nodes_max);
    return NULL;
}

static Str copy_text(Loader *l, const void *p, size_t n) {
    Str s = arena_copy(l->arena, str_of(p, n));
    if (!s.p && !l->code) l->code = ERR_TOO_LARGE;
    return s;
}

/* Remembers node under its anchor; a later anchor of the same name replaces it, as the specification has it. */
static void keep_anchor(Loader *l, Str name, YamlNode *node) {
    if (name.n > 0) map_set_ptr(l->anchors, name, node);
}

static Str event_anchor(Loader *l, const yaml_char_t *anchor) {
    return anchor ? copy_text(l, anchor, strlen((const char *)anchor)) : STR_NULL;
}

static void check_tag(Loader *l, const yaml_char_t *tag, YamlNode *node) {
    static const Str known[] = {STR_INIT("str"), STR_INIT("int"), STR_INIT("float"), STR_INIT("bool"), STR_INIT("null"),
        STR_INIT("map"), STR_INIT("seq"), STR_INIT("timestamp")};
    Str t = str_cstr((const char *)tag), prefix = STR("tag:yaml.org,2002:");
    if (t.n == 0) return;
    bool core = str_starts_with(t, prefix);
    if (core && str_eq_lit(str_skip(t, prefix.n), "str")) node->quoted = true;
    for (size_t i = 0; core && i < ARRAY_LEN(known); i++)
        if (str_eq(str_skip(t, prefix.n), known[i])) return;
    if (str_eq_lit(t, "!"))
        node->quoted = true;
    else
        diag_add(l->diags, DIAG_WARNING, node->line, node->col, 1, NULL, "tag %" STR_FMT " is ignored", STR_ARG(t));
}

static bool is_null_text(Str s) {
    static const Str nulls[] = {STR_INIT(""), STR_INIT("~"), STR_INIT("null"), STR_INIT("Null"), STR_INIT("NULL")};
    for (size_t i = 0; i < ARRAY_LEN(nulls); i++)
        if (str_eq(s, nulls[i])) return true;
    return false;
}

static YamlNode *load_scalar(Loader *l) {
    YamlNode *node = new_node(l, YAML_SCALAR);
    if (!node) return NULL;
    Str anchor = event_anchor(l, l->event.data.scalar.anchor);
    node->text = copy_text(l, l->event.data.scalar.value, l->event.data.scalar.length);
    if (!node->text.p) return NULL;
    node->quoted = l->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    check_tag(l, l->event.data.scalar.tag, node);
    if (!node->quoted && is_null_text(node->text)) node->kind = YAML_NULL;
    keep_anchor(l, anchor, node);
    return node;
}

static bool too_deep(Loader *l, const YamlNode *where, int depth) {
    if (depth < DEPTH_MAX) return false;
    fail(l, ERR_TOO_LARGE, where, NULL, 1, "nesting is deeper than %d levels", DEPTH_MAX);
    return true;
}

/* A copy of its own, so that nobody changes two places at once. The budget of nodes pays for it. */
static YamlNode *copy_node(Loader *l, const YamlNode *from, int depth) {
    YamlNode *to = new_node(l, from->kind);
    if (!to || too_deep(l, to, depth)) return NULL;
    *to = *from;
    to->next = to->first = to->key = NULL;
    if (from->key && !(to->key = copy_node(l, from->key, depth))) return NULL;
    YamlNode **tail = &to->first;
    for (const YamlNode *child = from->first; child; child = child->next) {
        if (!(*tail = copy_node(l, child, depth + 1))) return NULL;
        tail = &(*tail)->next;
    }
    return to;
}

static YamlNode *load_alias(Loader *l, int depth) {
    YamlNode where = {0};
    set_place(l, &where, &l->event.start_mark, &l->event.end_mark);
    Str name = str_cstr((const char *)l->event.data.alias.anchor);
    const YamlNode *target = map_get_ptr(l->anchors, name);
    if (!target) {
        fail(l, ERR_INVALID, &where, NULL, where.len, "unknown anchor *%" STR_FMT, STR_ARG(name));
        return NULL;
    }
    YamlNode *node = copy_node(l, target, depth);
    if (!node) return NULL;
    node->key = NULL;
    node->line = where.line, node->col = where.col, node->len = where.len;
    return node;
}

static YamlNode *load_node(Loader *l, int depth);

static YamlNode *load_sequence(Loader *l, int depth) {
    YamlNode *node = new_node(l, YAML_SEQUENCE);
    if (!node || too_deep(l, node, depth)) return NULL;
    node->len = 1;
    Str anchor = event_anchor(l, l->event.data.sequence_start.anchor);
    check_tag(l, l->event.data.sequence_start.tag, node);
    for (YamlNode **tail = &node->first; next_event(l); tail = &(*tail)->next, node->n++) {
        if (l->event.type == YAML_SEQUENCE_END_EVENT) {
            keep_anchor(l, anchor, node);
            return node;
        }
        if (!(*tail = load_node(l, depth + 1))) return NULL;
    }
    return NULL;
}

/* Members seen so far, for duplicates: the list itself, and a map once it is long. */
typedef struct Members {
    YamlNode *mapping, **tail;
    Map *seen;
} Members;

static YamlNode *find_member(Members *m, Str key) {
    if (m->seen) return map_get_ptr(m->seen, key);
    return yaml_get(m->mapping, key);
}

static void add_member(Members *m, YamlNode *value) {
    *m->tail = value;
    m->tail = &value->next;
    value->next = NULL;
    m->mapping->n++;
    if (!m->seen && m->mapping->n > SMALL_MAPPING) {
        m->seen = map_create(MAP_BORROW_KEYS);
        for (YamlNode *it = m->mapping->first; it; it = it->next) map_set_ptr(m->seen, it->key->text, it);
    } else if (m->seen)
        map_set_ptr(m->seen, value->key->text, value);
}

/* Members of a merged mapping that the mapping does not have itself. */
static void merge_mapping(Loader *l, Members *m, YamlNode *from) {
    if (from->kind != YAML_MAPPING) {
        fail(l, ERR_INVALID, from, NULL, from->len, "<< takes a mapping or a list of mappings");
        return;
    }
    for (YamlNode *it = from->first, *next; it; it = next) {
        next = it->next;
        if (!find_member(m, it->key->text)) add_member(m, it);
    }
}

static void merge_value(Loader *l, Members *m, YamlNode *value) {
    if (value->kind != YAML_SEQUENCE) {
        merge_mapping(l, m, value);
        return;
    }
    for (YamlNode *it = value->first; it; it = it->next) merge_mapping(l, m, it);
}

/* One "key: value"; merges are kept back in *merge, since a mapping's own members win wherever they stand. */
static bool load_member(Loader *l, Members *m, YamlNode **merge, int depth) {
    YamlNode *key = load_node(l, depth + 1);
    if (!key) return false;
    if (key->kind > YAML_SCALAR) {
        fail(l, ERR_INVALID, key, NULL, 1, "a key must be a plain value");
        return false;
    }
    if (!next_event(l)) return false;
    YamlNode *value = load_node(l, depth + 1), *before;
    if (!value) return false;
    value->key = key;
    if (!key->quoted && str_eq_lit(key->text, "<<")) {
        value->next = *merge;
        *merge = value;
    } else if ((before = find_member(m, key->text))) {
        fail(l, ERR_INVALID, key, NULL, key->len, "duplicate key \"%" STR_FMT "\", first used in line %d",
            STR_ARG(key->text), before->key->line);
    } else
        add_member(m, value);
    return true;
}

static bool load_members(Loader *l, Members *m, int depth) {
    YamlNode *merge = NULL;
    while (next_event(l)) {
        if (l->event.type == YAML_MAPPING_END_EVENT) {
            if (merge && merge->next)
                fail(l, ERR_INVALID, merge->key, "use one << with a list", 2, "duplicate key \"<<\"");
            else if (merge)
                merge_value(l, m, merge);
            return true;
        }
        if (!load_member(l, m, &merge, depth)) return false;
    }
    return false;
}

static YamlNode *load_mapping(Loader *l, int depth) {
    YamlNode *node = new_node(l, YAML_MAPPING);
    if (!node || too_deep(l, node, depth)) return NULL;
    node->len = 1;
    Str anchor = event_anchor(l, l->event.data.mapping_start.anchor);
    check_tag(l, l->event.data.mapping_start.tag, node);
    Members m = {.mapping = node, .tail = &node->first};
    bool ok = load_members(l, &m, depth);
    map_free(m.seen);
    if (ok) keep_anchor(l, anchor, node);
    return ok ? node : NULL;
}

/* The node that begins with the current event; NULL after an error that ends the reading. */
static YamlNode *load_node(Loader *l, int depth) {
    switch (l->event.type) {
    case YAML_SCALAR_EVENT: return load_scalar(l);
    case YAML_ALIAS_EVENT: return load_alias(l, depth);
    case YAML_SEQUENCE_START_EVENT: return load_sequence(l, depth);
    case YAML_MAPPING_START_EVENT: return load_mapping(l, depth);
    default: UNREACHABLE();
    }
}

/* The next document, NULL at the end of the stream or after an error. */
static YamlNode *load_document(Loader *l) {
    while (next_event(l) && l->event.type != YAML_STREAM_END_EVENT) {
        if (l->event.type != YAML_DOCUMENT_START_EVENT) continue;
        map_clear(l->anchors);
        if (!next_event(l)) return NULL;
        YamlNode *root = load_node(l, 0);
        return root && next_event(l) ? root : NULL; /* its DOCUMENT-END */
    }
    return NULL;
}

static YamlNode *load_documents(Loader *l, bool all) {
    YamlNode *first = load_document(l);
    if (!first && !l->code) {
        if ((first = ARENA_NEW(l->arena, YamlNode)))
            *first = (YamlNode){.line = 1, .col = 1, .len = 1};
        else
            l->code = ERR_TOO_LARGE;
        return first;
    }
    YamlNode *last = first, *more;
    while (!l->code && (more = load_document(l))) {
        if (!all) {
            diag_add(l->diags, DIAG_WARNING, more->line, more->col, 1, NULL, "only the first document is read");
            break;
        }
        last = last->next = more;
    }
    return first;
}

static ErrCode load(Str text, Arena *arena, bool all, YamlNode **ret, DiagList *diags) {
    Loader l = {.arena = arena, .diags = diags, .ascii = true};
    *ret = NULL;
    if (str_starts_with(text, STR("\xef\xbb\xbf"))) text = str_skip(text, 3);
    l.text = text;
    l.nodes_max = MAX(text.n, (size_t)NODES_MIN);
    for (size_t i = 0; i < text.n && l.ascii; i++) l.ascii = (unsigned char)text.p[i] < 0x80;
    if (!yaml_parser_initialize(&l.parser)) return ERR_TOO_LARGE;
    l.anchors = map_create(MAP_BORROW_KEYS);
    yaml_parser_set_encoding(&l.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&l.parser, (const unsigned char *)(text.n ? text.p : ""), text.n);
    YamlNode *root = load_documents(&l, all);
    if (l.code == ERR_TOO_LARGE && l.errors == 0)
        diag_add(diags, DIAG_ERROR, 0, 0, 1, NULL, "the document does not fit in memory");
    yaml_event_delete(&l.event);
    yaml_parser_delete(&l.parser);
    map_free(l.anchors);
    if (!l.code) *ret = root;
    return l.code;
}

ErrCode yaml_parse(Str text, Arena *arena, YamlNode **ret, DiagList *diags) {
    return load(text, arena, false, ret, diags);
}

ErrCode yaml_parse_all(Str text, Arena *arena, YamlNode **ret_first, DiagList *diags) {
    return load(text, arena, true, ret_first, diags);
}

YamlNode *yaml_get(const YamlNode *mapping, Str key) {
    if (!mapping || mapping->kind != YAML_MAPPING) return NULL;
    for (YamlNode *it = mapping->first; it; it = it->next)
        if (str_eq(it->key->text, key)) return it;
    return NULL;
}

bool yaml_is_null(const YamlNode *n) {
    return !n || n->kind == YAML_NULL || (n->kind == YAML_SCALAR && !n->quoted && is_null_text(n->text));
}

bool yaml_bool(const YamlNode *n, bool *ret) {
    static const Str yes[] = {STR_INIT("true"), STR_INIT("yes"), STR_INIT("on"), STR_INIT("y")};
    static const Str no[] = {STR_INIT("false"), STR_INIT("no"), STR_INIT("off"), STR_INIT("n")};
    if (!n || n->kind != YAML_SCALAR || n->quoted || n->text.n == 0) return false;
    /* all small, all capital, or with a capital at the beginning */
    bool small_rest = true, capital = n->text.p[0] < 'a';
    for (size_t i = 1; i < n->text.n; i++) small_rest &= n->text.p[i] >= 'a';
    for (size_t i = 1; i < n->text.n; i++)
        if (!small_rest && (!capital || n->text.p[i] >= 'a')) return false;
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        bool is_yes = str_eq_nocase(n->text, yes[i]);
        if (!is_yes && !str_eq_nocase(n->text, no[i])) continue;
        *ret = is_yes;
        return true;
    }
    return false;
}
