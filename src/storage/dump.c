/* dump.c - log segments and parts as text or JSON. */
#include "storage/dump.h"

#include "base/json.h"
#include "storage/part_int.h"
#include "storage/wal.h"
#include "storage/wide_read_int.h"

#include <inttypes.h>

#define SAMPLE_BYTES 48
#define FLUSH_BYTES ((size_t)64 << 10)

typedef struct Dump {
    DumpFormat format;
    DumpSink sink;
    void *ctx;
    Buf out;
    DumpResult result;
    bool stopped;
} Dump;

static void flush(Dump *d) {
    if (!d->stopped && d->out.n > 0 && !d->sink(d->ctx, buf_str(&d->out))) d->stopped = true;
    buf_clear(&d->out);
}

static void end_line(Dump *d) {
    buf_put_char(&d->out, '\n');
    if (d->out.n >= FLUSH_BYTES) flush(d);
}

/* Printable ASCII as it is, the rest as \xNN: safe for any terminal. */
static void put_sample(Buf *b, Str payload) {
    size_t n = MIN(payload.n, SAMPLE_BYTES);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)payload.p[i];
        if (c >= 0x20 && c < 0x7f && c != '\\' && c != '"')
            buf_put_char(b, (char)c);
        else
            buf_printf(b, "\\x%02x", c);
    }
    if (payload.n > n) buf_put_lit(b, "...");
}

static void json_sample(JsonWriter *w, Str payload) {
    Buf sample = {0};
    put_sample(&sample, payload);
    json_key_lit(w, "sample");
    json_str(w, buf_str(&sample));
    buf_done(&sample);
}

static void json_text(JsonWriter *w, Str key, Str value) {
    json_key(w, key);
    json_str(w, value);
}

static void json_number(JsonWriter *w, Str key, uint64_t value) {
    json_key(w, key);
    json_u64(w, value);
}

/* --- the log --- */

static void frame_json(Dump *d, const char *file, uint64_t offset, uint8_t type, Str payload, const char *problem) {
    JsonWriter w = json_writer(&d->out);
    json_begin_object(&w);
    json_text(&w, STR("file"), str_cstr(file));
    json_number(&w, STR("offset"), offset);
    json_text(&w, STR("verdict"), problem ? str_cstr(problem) : STR("ok"));
    if (!problem) {
        json_number(&w, STR("type"), type);
        json_number(&w, STR("bytes"), payload.n);
        json_sample(&w, payload);
    }
    json_end_object(&w);
}

static void dump_frame(void *ctx, const char *file, uint64_t offset, uint8_t type, Str payload, const char *problem) {
    Dump *d = ctx;
    if (problem)
        d->result.bad++;
    else
        d->result.good++;
    if (d->stopped) return;
    if (d->format == DUMP_JSON) {
        frame_json(d, file, offset, type, payload, problem);
    } else if (problem) {
        buf_printf(&d->out, "%s  %10" PRIu64 "  BAD  %s", file, offset, problem);
    } else {
        buf_printf(&d->out, "%s  %10" PRIu64 "  ok   type %3u  %9zu bytes  \"", file, offset, type, payload.n);
        put_sample(&d->out, payload);
        buf_put_char(&d->out, '"');
    }
    end_line(d);
}

static ErrCode finish(Dump *d, ErrCode rc, DumpResult *ret) {
    flush(d);
    buf_done(&d->out);
    *ret = d->result;
    return rc;
}

ErrCode dump_wal(Fs *fs, const char *dir, DumpFormat format, DumpSink sink, void *ctx, DumpResult *ret, Err *reterr) {
    Dump d = {.format = format, .sink = sink, .ctx = ctx};
    ErrCode rc = wal_dump(fs, dir, dump_frame, &d, reterr);
    return finish(&d, rc, ret);
}

/* --- parts --- */

static void block_line(Dump *d, const Part *part, const char *what, Str field, const BlockRef *ref) {
    Arena *arena = arena_create((size_t)PART_BLOCK_BYTES_MAX + 4096);
    Str raw;
    Err err = {0};
    ErrCode rc = part_block(part, ref, arena, &raw, &err);
    if (rc == OK)
        d->result.good++;
    else
        d->result.bad++;
    if (d->format == DUMP_JSON) {
        JsonWriter w = json_writer(&d->out);
        json_begin_object(&w);
        json_text(&w, STR("block"), str_cstr(what));
        if (field.n) json_text(&w, STR("field"), field);
        json_number(&w, STR("offset"), ref->offset);
        json_number(&w, STR("stored_bytes"), ref->stored_bytes);
        json_number(&w, STR("raw_bytes"), ref->raw_bytes);
        json_number(&w, STR("codec"), ref->codec);
        json_text(&w, STR("verdict"), rc == OK ? STR("ok") : str_cstr(err.msg));
        json_end_object(&w);
    } else {
        buf_printf(&d->out, "  %10" PRIu64 "  %-3s  %9" PRIu32 " of %9" PRIu32 " bytes  %-6s  ", ref->offset,
            rc == OK ? "ok" : "BAD", ref->stored_bytes, ref->raw_bytes, what);
        put_sample(&d->out, field);
        if (rc != OK) buf_printf(&d->out, "  %s", err.msg);
    }
    end_line(d);
    arena_free(arena);
}

static void event_block_line(Dump *d, size_t block, const WideBlockInfo *info, size_t fields) {
    if (d->format == DUMP_JSON) {
        JsonWriter w = json_writer(&d->out);
        json_begin_object(&w);
        json_number(&w, STR("event_block"), block);
        json_number(&w, STR("rows"), info->rows);
        json_number(&w, STR("fields"), fields);
        json_key_lit(&w, "min_t");
        json_i64(&w, info->min_t);
        json_key_lit(&w, "max_t");
        json_i64(&w, info->max_t);
        json_number(&w, STR("min_group"), info->min_group);
        json_number(&w, STR("max_group"), info->max_group);
        json_end_object(&w);
    } else {
        buf_printf(&d->out,
            "event block %zu: %" PRIu32 " rows, %zu fields, t %" PRId64 "..%" PRId64 ", group %" PRIu64 "..%" PRIu64,
            block, info->rows, fields, info->min_t, info->max_t, info->min_group, info->max_group);
    }
    end_line(d);
}

static void constant_line(Dump *d, Str field) {
    if (d->format == DUMP_JSON) {
        JsonWriter w = json_writer(&d->out);
        json_begin_object(&w);
        json_text(&w, STR("constant"), field);
        json_end_object(&w);
    } else {
        buf_put_lit(&d->out, "              constant in the index           ");
        put_sample(&d->out, field);
    }
    end_line(d);
}

static void dump_event_block(Dump *d, const WidePart *p, size_t block) {
    const WideBlockEntry *b = &p->blocks[block];
    event_block_line(d, block, &b->info, b->n_fields);
    block_line(d, p->part, "times", STR_NULL, &b->times);
    block_line(d, p->part, "groups", STR_NULL, &b->groups);
    Cursor c = cursor_of(b->fields);
    for (size_t i = 0; i < b->n_fields && !d->stopped; i++) {
        WideFieldEntry e;
        if (!wide_next_field(p, &c, &e)) {
            d->result.bad++;
            buf_put_str(
                &d->out, d->format == DUMP_JSON ? STR("{\"verdict\":\"bad index entry\"}") : STR("  BAD  index entry"));
            end_line(d);
            return;
        }
        Str name = p->names[e.name];
        if (e.flags & WIDE_FIELD_CONST)
            constant_line(d, name);
        else
            block_line(d, p->part, e.flags & WIDE_FIELD_OVERFLOW ? "shared" : "column", name, &e.column);
        if (e.flags & WIDE_FIELD_TOKENS) block_line(d, p->part, "tokens", name, &e.tokens);
        if (e.flags & WIDE_FIELD_EXACT) block_line(d, p->part, "exact", name, &e.exact);
    }
}

static void part_line(Dump *d, const Part *part, const char *kind) {
    Str footer = part_footer(part);
    if (d->format == DUMP_JSON) {
        JsonWriter w = json_writer(&d->out);
        json_begin_object(&w);
        json_text(&w, STR("part"), str_cstr(part_path(part)));
        json_text(&w, STR("kind"), str_cstr(kind));
        json_number(&w, STR("bytes"), part_size_bytes(part));
        json_number(&w, STR("footer_bytes"), footer.n);
        json_sample(&w, footer);
        json_end_object(&w);
    } else {
        buf_printf(&d->out, "%s: %s, %" PRIu64 " bytes, footer of %zu bytes, trailer and footer ok", part_path(part),
            kind, part_size_bytes(part), footer.n);
    }
    end_line(d);
}

ErrCode dump_part(Fs *fs, const char *path, DumpFormat format, DumpSink sink, void *ctx, DumpResult *ret, Err *reterr) {
    Dump d = {.format = format, .sink = sink, .ctx = ctx};
    Part *part;
    ErrCode rc = part_open(fs, path, &part, reterr);
    if (rc != OK) return finish(&d, rc, ret);
    WidePart *wide = NULL;
    bool events = wide_part_open(part, &wide, NULL) == OK;
    part_line(&d, part, events ? "wide events" : "of a store of its own");
    for (size_t i = 0; events && i < wide_part_block_count(wide) && !d.stopped; i++) dump_event_block(&d, wide, i);
    wide_part_close(wide);
    part_close(part);
    return finish(&d, OK, ret);
}
