/* store_side_file.c - SIDE: exemplars and metadata on disk, written whole at a flush.
 *
 * Magic "MKSIDE2\0", then pieces: length u32, CRC-32C u32 of the payload, payload. The last one is empty. A payload
 * holds whole entries: kind u8; of a metric type u8, name, help, unit; of an exemplar the labels of its series and its
 * own (length first), value, time. Damage costs its piece: what is lost are help texts and exemplars, so it is counted
 * and never keeps a store from opening. */
#include "base/cursor.h"
#include "base/log.h"
#include "codec/crc.h"
#include "metrics/record.h"
#include "metrics/store_int.h"

static const char magic[8] = "MKSIDE2";

#define PIECE_BYTES ((size_t)64 << 10)
#define PIECE_HEAD_BYTES 8
#define ENTRY_BYTES_MAX 32 /* of an entry, besides its strings and labels */
#define SIDE_BYTES_MAX                                                                                                 \
    (METADATA_BYTES_MAX + EXEMPLAR_BYTES_MAX + (size_t)ENTRY_BYTES_MAX * 2 * EXEMPLARS_MAX + ((size_t)1 << 20))

enum { ENTRY_METADATA = 1, ENTRY_EXEMPLAR = 2 };

/* --- writing --- */
static void end_piece(Buf *out, size_t *start, size_t least) {
    size_t n = out->n - *start - PIECE_HEAD_BYTES;
    if (n < least) return;
    Buf head = {0};
    buf_put_u32le(&head, (uint32_t)n);
    buf_put_u32le(&head, crc32c(0, out->p + *start + PIECE_HEAD_BYTES, n));
    memcpy(out->p + *start, head.p, PIECE_HEAD_BYTES);
    buf_done(&head);
    *start = out->n;
    buf_put_u64le(out, 0); /* the next one's head, and the last one as it is */
}

static void put_metadata(Buf *out, const MetricMetadata *m) {
    buf_put_char(out, ENTRY_METADATA);
    buf_put_char(out, (char)m->type);
    buf_put_lenstr(out, m->metric);
    buf_put_lenstr(out, m->help);
    buf_put_lenstr(out, m->unit);
}

static void put_exemplar(Buf *out, const StoredExemplar *x) {
    buf_put_char(out, ENTRY_EXEMPLAR);
    buf_put_lenstr(out, str_of(x->bytes, x->n));
    buf_put(out, &x->value, 8);
    buf_put_svarint(out, x->t_ms);
}

static void encode(SideData *d, Buf *out) {
    buf_put(out, magic, sizeof magic);
    size_t start = out->n;
    buf_put_u64le(out, 0);
    vec_foreach(MetricMetadata, m, &d->entries) {
        put_metadata(out, m);
        end_piece(out, &start, PIECE_BYTES);
    }
    for (size_t i = 0; i < d->n_exemplars; i++) {
        put_exemplar(out, side_exemplar_at(d, i));
        end_piece(out, &start, PIECE_BYTES);
    }
    end_piece(out, &start, 1);
}

ErrCode side_save(EmbeddedStore *s, Err *reterr) {
    char path[FS_PATH_MAX];
    fs_path_join(path, s->dir, "SIDE");
    Buf out = {0};
    mutex_lock(&s->side.lock);
    bool dirty = s->side.dirty;
    if (dirty) encode(&s->side, &out);
    s->side.dirty = false;
    mutex_unlock(&s->side.lock);
    ErrCode code = dirty ? fs_write_file_atomic(s->fs, path, buf_str(&out), reterr) : OK;
    if (code != OK) {
        mutex_lock(&s->side.lock);
        s->side.dirty = true;
        mutex_unlock(&s->side.lock);
    }
    buf_done(&out);
    return code;
}

/* --- reading --- */
static bool read_metadata(SideData *d, Cursor *c) {
    uint8_t type = cursor_u8(c);
    MetricMetadata m = {.type = (MetricType)type};
    m.metric = cursor_lenstr(c);
    m.help = cursor_lenstr(c);
    m.unit = cursor_lenstr(c);
    if (c->bad || type > METRIC_STATESET) return false;
    side_add_metadata(d, &m);
    return true;
}

static bool read_exemplar(SideData *d, Cursor *c, Arena *scratch) {
    Cursor labels = cursor_of(cursor_lenstr(c));
    uint64_t bits = cursor_u64le(c);
    Exemplar e = {.t_ms = cursor_svarint(c)};
    Labels series;
    memcpy(&e.value, &bits, 8);
    arena_reset(scratch);
    if (c->bad || !labels_decode(&labels, scratch, &series) || !labels_decode(&labels, scratch, &e.labels) ||
        cursor_left(&labels))
        return false;
    side_add_exemplar(d, series, &e);
    return true;
}

static bool read_piece(SideData *d, Str piece, Arena *scratch) {
    Cursor c = cursor_of(piece);
    while (cursor_left(&c)) {
        uint8_t kind = cursor_u8(&c);
        bool good = kind == ENTRY_METADATA   ? read_metadata(d, &c)
                    : kind == ENTRY_EXEMPLAR ? read_exemplar(d, &c, scratch)
                                             : false;
        if (!good) return false;
    }
    return true;
}

/* How many pieces are damaged or missing, as far as that can be known. */
static uint64_t decode(SideData *d, Str all) {
    Arena *scratch = arena_create(ARENA_UNLIMITED);
    Cursor c = cursor_of(all);
    uint64_t damaged = 0;
    bool ended = false;
    if (!str_eq(cursor_bytes(&c, sizeof magic), str_of(magic, sizeof magic))) c.bad = true;
    while (!c.bad && !ended) {
        uint32_t n = cursor_u32le(&c), crc = cursor_u32le(&c);
        Str piece = cursor_bytes(&c, n);
        ended = !c.bad && n == 0 && crc == 0;
        if (!c.bad && !ended && (crc32c(0, piece.p, n) != crc || !read_piece(d, piece, scratch))) damaged++;
    }
    arena_free(scratch);
    return damaged + !ended;
}

ErrCode side_load(EmbeddedStore *s, Err *reterr) {
    char path[FS_PATH_MAX];
    fs_path_join(path, s->dir, "SIDE");
    if (!s->fs->ops->exists(s->fs, path)) return OK;
    Buf in = {0};
    ErrCode code = fs_read_file(s->fs, path, SIDE_BYTES_MAX, &in, reterr);
    bool too_large = code == ERR_TOO_LARGE; /* none of ours */
    uint64_t damaged = code == OK ? decode(&s->side, buf_str(&in)) : too_large;
    if (damaged) log_error("metrics: a file is damaged, help texts and exemplars in it are lost", "file", path, NULL);
    s->corrupt_blocks += damaged;
    s->side.dirty = damaged > 0; /* the next flush makes it good */
    buf_done(&in);
    return too_large ? OK : code;
}
