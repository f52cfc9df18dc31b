/* yaml.h - YAML documents as a tree whose nodes know their line and column.
 *
 * libyaml's events become nodes in an arena. Anchors, aliases and `<<` merges are resolved, with a budget of 100,000
 * nodes (of a larger text: as many as it has bytes) and depth 64 against alias bombs. Duplicate keys are errors with
 * their place. */
#ifndef MEERKAT_CODEC_YAML_H
#define MEERKAT_CODEC_YAML_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/str.h"

typedef enum YamlKind { YAML_NULL, YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING } YamlKind;
typedef struct YamlNode YamlNode;
struct YamlNode {
    YamlKind kind;
    bool quoted;        /* SCALAR written in quotes or as a block: always a string */
    int line, col, len; /* 1-based; len of the token on its line */
    Str text;           /* SCALAR */
    size_t n;           /* items or members */
    YamlNode *first, *next;
    YamlNode *key; /* when a member of a mapping: its key node (its own place) */
};

/* The first document; an empty one gives a YAML_NULL node; more than one is a warning. Problems go into diags, the code
 * is the first one's (ERR_INVALID, or ERR_TOO_LARGE for a limit); *ret is NULL then. Aliases and merges are copies of
 * their own: an alias has the alias' place, what is inside it the places of the original. */
ErrCode yaml_parse(Str text, Arena *arena, YamlNode **ret, DiagList *diags);
/* All documents of a stream (Kubernetes-style files); linked by next. */
ErrCode yaml_parse_all(Str text, Arena *arena, YamlNode **ret_first, DiagList *diags);
YamlNode *yaml_get(const YamlNode *mapping, Str key);
bool yaml_is_null(const YamlNode *n); /* NULL, null, ~, empty; n == NULL counts */
bool yaml_bool(
    const YamlNode *n, bool *ret); /* true/false (YAML 1.2 core) and yes/no/on/off as Prometheus takes them */
/* Of root and what follows it by next; keys stay as they are. Other things in braces (${1}) are left alone.
 * Replaces ${VAR}, ${VAR:-default} and ${env:VAR} in every scalar; $$ is a $. lookup gives NULL for unset
 * variables, which is a diagnostic unless there is a default. */
void yaml_expand_env(
    YamlNode *root, Arena *arena, const char *(*lookup)(void *ctx, Str name), void *ctx, DiagList *diags);

#endif
