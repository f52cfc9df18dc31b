#include "traces/red.h"

#define FIRST_OCTAVE 10 /* 1024 ns */

static uint16_t bin_of(int64_t duration_ns) {
    if (duration_ns < 1 << FIRST_OCTAVE) return 0;
    unsigned octave = 63 - (unsigned)__builtin_clzll((uint64_t)duration_ns);
    unsigned bin = 1 + (octave - FIRST_OCTAVE) * 8 + ((uint64_t)duration_ns >> (octave - 3) & 7);
    ASSERT(bin < RED_BINS);
    return (uint16_t)bin;
}

static double bin_low_s(unsigned bin) {
    if (bin == 0) return 0;
    unsigned octave = FIRST_OCTAVE + (bin - 1) / 8, part = (bin - 1) % 8;
    return (double)(UINT64_C(1) << octave) * (1 + part / 8.0) / 1e9;
}

void trace_red_table_init(RedTable *t) { *t = (RedTable){.index = u64map_create(), .last = SIZE_MAX}; }

void trace_red_table_done(RedTable *t) {
    vec_foreach(RedCell, c, &t->cells) vec_done(&c->bins);
    vec_done(&t->cells);
    u64map_free(t->index);
    *t = (RedTable){0};
}

static RedCell *cell_of(RedTable *t, uint32_t service, int32_t slot, uint8_t role) {
    if (t->last < t->cells.n) {
        RedCell *c = &t->cells.v[t->last];
        if (c->service == service && c->slot == slot && c->role == role) return c;
    }
    /* Slots fit in 31 bits: one-minute slots of an int64 time in ns need 28. */
    uint64_t key = (uint64_t)service << 32 | (uint64_t)((uint32_t)slot << 1 | role);
    bool inserted;
    uint64_t *at = u64map_put(t->index, key, &inserted);
    if (inserted) {
        *at = t->cells.n;
        vec_push(&t->cells, (RedCell){.service = service, .slot = slot, .role = role, .last_ns = INT64_MIN});
        t->memory_bytes += sizeof(RedCell) + 64;
    }
    t->last = *at;
    return &t->cells.v[*at];
}

static void add_bin(RedCell *c, uint16_t bin, uint32_t n) {
    size_t lo = 0, hi = c->bins.n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (c->bins.v[mid].bin < bin)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo < c->bins.n && c->bins.v[lo].bin == bin) {
        uint32_t room = UINT32_MAX - c->bins.v[lo].n;
        c->bins.v[lo].n += MIN(n, room);
        return;
    }
    vec_push(&c->bins, (RedBin){bin, n});
    memmove(c->bins.v + lo + 1, c->bins.v + lo, (c->bins.n - 1 - lo) * sizeof(RedBin));
    c->bins.v[lo] = (RedBin){bin, n};
}

void trace_red_table_add(
    RedTable *t, uint32_t service, int32_t slot, uint8_t role, int64_t duration_ns, int64_t end_ns, bool error) {
    RedCell *c = cell_of(t, service, slot, role);
    size_t before = c->bins.cap;
    c->requests++;
    c->errors += error;
    c->last_ns = MAX(c->last_ns, end_ns);
    add_bin(c, bin_of(duration_ns), 1);
    t->memory_bytes += (c->bins.cap - before) * sizeof(RedBin);
}

void trace_red_cell_add_bins(RedCell *to, const RedCell *from) {
    vec_foreach(const RedBin, b, &from->bins) add_bin(to, b->bin, b->n);
}

void trace_red_table_add_cell(RedTable *t, uint32_t service, int32_t slot, const RedCell *from) {
    RedCell *c = cell_of(t, service, slot, from->role);
    c->requests += from->requests;
    c->errors += from->errors;
    c->last_ns = MAX(c->last_ns, from->last_ns);
    trace_red_cell_add_bins(c, from);
}

void trace_red_table_encode(const RedTable *t, Buf *out) {
    vec_foreach(const RedCell, c, &t->cells) {
        buf_put_uvarint(out, c->service);
        buf_put_svarint(out, c->slot);
        buf_put_char(out, (char)c->role);
        buf_put_uvarint(out, c->requests);
        buf_put_uvarint(out, c->errors);
        buf_put_svarint(out, (int64_t)((uint64_t)c->last_ns - (uint64_t)c->slot * (uint64_t)RED_SLOT_NS));
        buf_put_uvarint(out, c->bins.n);
        uint16_t last = 0;
        vec_foreach(const RedBin, b, &c->bins) {
            buf_put_uvarint(out, (uint64_t)(b->bin - last));
            buf_put_uvarint(out, b->n);
            last = b->bin;
        }
    }
}

bool trace_red_cell_decode(Cursor *c, RedCell *cell) {
    if (cursor_left(c) == 0 || c->bad) return false;
    cell->service = (uint32_t)cursor_uvarint(c);
    cell->slot = (int32_t)cursor_svarint(c);
    cell->role = cursor_u8(c) & 1;
    cell->requests = cursor_uvarint(c);
    cell->errors = cursor_uvarint(c);
    cell->last_ns = (int64_t)((uint64_t)cell->slot * (uint64_t)RED_SLOT_NS + (uint64_t)cursor_svarint(c));
    uint64_t n = cursor_uvarint(c), bin = 0;
    vec_clear(&cell->bins);
    for (uint64_t i = 0; i < n && !c->bad; i++) {
        bin += cursor_uvarint(c);
        uint64_t count = cursor_uvarint(c);
        if (bin >= RED_BINS || count > UINT32_MAX) c->bad = true;
        if (!c->bad) vec_push(&cell->bins, (RedBin){(uint16_t)bin, (uint32_t)count});
    }
    return !c->bad;
}

double trace_red_cell_quantile_s(const RedCell *cell, double q) {
    uint64_t total = 0, below = 0;
    vec_foreach(const RedBin, b, &cell->bins) total += b->n;
    if (total == 0) return 0;
    double rank = q * (double)total;
    vec_foreach(const RedBin, b, &cell->bins) {
        if ((double)(below + b->n) >= rank || b + 1 == cell->bins.v + cell->bins.n) {
            double low = bin_low_s(b->bin), high = bin_low_s(b->bin + 1u);
            double within = (rank - (double)below) / (double)b->n;
            return low + (high - low) * MIN(1.0, MAX(0.0, within));
        }
        below += b->n;
    }
    UNREACHABLE();
}

/* --- calls --- */

#define CALL_SERVICES_MAX (1u << 18)

void trace_call_table_init(CallTable *t) { *t = (CallTable){.index = u64map_create()}; }

void trace_call_table_done(CallTable *t) {
    vec_done(&t->cells);
    u64map_free(t->index);
    *t = (CallTable){0};
}

void trace_call_table_add(CallTable *t, uint32_t parent, uint32_t child, int32_t slot, uint64_t calls) {
    if (parent >= CALL_SERVICES_MAX || child >= CALL_SERVICES_MAX) return;
    uint64_t key = (uint64_t)parent << 46 | (uint64_t)child << 28 | ((uint32_t)slot & 0xfffffffu);
    bool inserted;
    uint64_t *at = u64map_put(t->index, key, &inserted);
    if (inserted) {
        *at = t->cells.n;
        vec_push(&t->cells, (CallCell){parent, child, slot, 0});
    }
    t->cells.v[*at].calls += calls;
}

void trace_call_table_encode(const CallTable *t, Buf *out) {
    vec_foreach(const CallCell, c, &t->cells) {
        buf_put_uvarint(out, c->parent);
        buf_put_uvarint(out, c->child);
        buf_put_svarint(out, c->slot);
        buf_put_uvarint(out, c->calls);
    }
}

bool trace_call_cell_decode(Cursor *c, CallCell *ret) {
    if (cursor_left(c) == 0 || c->bad) return false;
    ret->parent = (uint32_t)cursor_uvarint(c);
    ret->child = (uint32_t)cursor_uvarint(c);
    ret->slot = (int32_t)cursor_svarint(c);
    ret->calls = cursor_uvarint(c);
    return !c->bad;
}
