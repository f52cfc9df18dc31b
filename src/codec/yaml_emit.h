/* yaml_emit.h - writes YAML in the manner of Go's yaml.v2: block style, two blanks of indentation, sequences as far
 * left as their key, quotes only where a text would be read as something else, long texts folded at 80 columns. */
#ifndef MEERKAT_CODEC_YAML_EMIT_H
#define MEERKAT_CODEC_YAML_EMIT_H

#include "base/buf.h"
#include "base/str.h"

typedef struct YamlEmitter YamlEmitter;

/* One document into out; begins with a mapping or a sequence. */
YamlEmitter *yaml_emitter_create(Buf *out);
YamlEmitter *yaml_emitter_free(YamlEmitter *e); /* ends the document; NULL is fine */
void yaml_emit_begin_mapping(YamlEmitter *e);
void yaml_emit_end_mapping(YamlEmitter *e);
void yaml_emit_begin_sequence(YamlEmitter *e, bool flow);
void yaml_emit_end_sequence(YamlEmitter *e);
void yaml_emit_text(YamlEmitter *e, Str s);  /* a string: a key or a value */
void yaml_emit_plain(YamlEmitter *e, Str s); /* a number, a boolean, null: as it stands */
/* Whether yaml.v2 reads s, unquoted, as a string. */
bool yaml_reads_as_text(Str s);
/* The order in which yaml.v2 writes a map's keys: letters after other characters, numbers by value. As strcmp. */
int yaml_key_cmp(Str a, Str b);

#endif
