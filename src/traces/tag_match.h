/* tag_match.h - the tags of a search, made ready to be compared with spans. Private to room traces.
 *
 * A tag matches when any of these says so: a span attribute, a resource attribute, a scope attribute, an attribute of
 * an event or a link, an event's name (key "event"), or what a span's fields look like as Jaeger tags: error,
 * span.kind, span.status / otel.status_code, otel.status_description, otel.scope.name / scope.name, otel.scope.version
 * / scope.version, w3c.tracestate. "resource.KEY" asks the resource only. Values compare as text. */
#ifndef MEERKAT_TRACES_TAG_MATCH_H
#define MEERKAT_TRACES_TAG_MATCH_H

#include "traces/span_codec.h"
#include "traces/trace_store.h"

typedef enum TagSpecial {
    TAG_PLAIN,
    TAG_ERROR,
    TAG_KIND,
    TAG_STATUS,
    TAG_STATUS_MESSAGE,
    TAG_TRACE_STATE,
    TAG_SCOPE_NAME,
    TAG_SCOPE_VERSION,
    TAG_EVENT_NAME,
} TagSpecial;

typedef struct TagQuery {
    Str key, value;   /* borrowed */
    Str resource_key; /* key, or what follows "resource." */
    TagSpecial special;
    int want; /* ERROR: 0 or 1; KIND, STATUS: the number; -1: no such value */
    bool is_i64, is_bool, bool_value;
    int64_t i64;
    Buf bytes; /* the value read as base64, for columns of bytes; empty when it is not */
    Buf scratch;
} TagQuery;

void trace_tag_query_init(TagQuery *q, const TraceTag *tag);
void trace_tag_query_done(TagQuery *q);
bool trace_tag_matches_value(TagQuery *q, const AttrValue *v);
/* By the span's kind and status alone. */
bool trace_tag_matches_fields(const TagQuery *q, uint8_t kind, uint8_t status);
bool trace_tag_matches_texts(const TagQuery *q, Str status_message, Str trace_state);
bool trace_tag_matches_resource(TagQuery *q, Str bytes); /* encoded resource */
bool trace_tag_matches_scope(TagQuery *q, Str bytes);    /* encoded scope */
/* Attributes from a cursor that stands at their count; the cursor is used up. */
bool trace_tag_matches_attrs(TagQuery *q, Cursor *c, const Str *strings, uint32_t n_strings);
bool trace_tag_matches_events(TagQuery *q, Cursor *c, const Str *strings, uint32_t n_strings);
bool trace_tag_matches_links(TagQuery *q, Cursor *c, const Str *strings, uint32_t n_strings);

#endif
