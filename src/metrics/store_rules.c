/* store_rules.c - retention and downsampling by selector: what stays of a series, and which parts want rewriting. */
#include "metrics/store_int.h"
#include "sys/clock.h"

#define CHECK_EVERY_MS (INT64_C(5) * 60 * 1000)
#define TRIM_STEP_MS (INT64_C(3600) * 1000) /* a part is trimmed when at least this much of a selector has expired */
#define RULES_MAX 64                        /* of each kind */

/* --- the table --- */
static ErrCode fill(StoreRules *r, const MetricsRules *from, Err *reterr) {
    MetricsKeepRule *keep = ARENA_ARRAY(r->arena, MetricsKeepRule, from->n_keep);
    MetricsDownsampleRule *thin = ARENA_ARRAY(r->arena, MetricsDownsampleRule, from->n_downsample);
    ASSERT(keep && thin);
    ErrCode code = OK;
    for (size_t i = 0; i < from->n_keep && code == OK; i++) {
        keep[i] = from->keep[i];
        code = matchers_copy(r->arena, from->keep[i].matchers, &keep[i].matchers, reterr);
    }
    for (size_t i = 0; i < from->n_downsample && code == OK; i++) {
        ASSERT(from->downsample[i].resolution_ms > 0);
        thin[i] = from->downsample[i];
        code = matchers_copy(r->arena, from->downsample[i].matchers, &thin[i].matchers, reterr);
    }
    r->r = (MetricsRules){keep, from->n_keep, thin, from->n_downsample};
    return code;
}

ErrCode rules_create(const MetricsRules *from, StoreRules **ret, Err *reterr) {
    if (from->n_keep > RULES_MAX || from->n_downsample > RULES_MAX)
        return err_set(reterr, ERR_TOO_LARGE, "more than %d retention or downsampling rules", RULES_MAX);
    StoreRules *r = NEW(StoreRules);
    atomic_init(&r->refs, 1);
    r->arena = arena_create(ARENA_UNLIMITED);
    ErrCode code = fill(r, from, reterr);
    if (code != OK) {
        rules_unref(r);
        return code;
    }
    *ret = r;
    return OK;
}

StoreRules *rules_ref(StoreRules *r) {
    atomic_fetch_add(&r->refs, 1);
    return r;
}

void rules_unref(StoreRules *r) {
    if (!r || atomic_fetch_sub(&r->refs, 1) != 1) return;
    arena_free(r->arena);
    mem_free(r);
}

StoreRules *store_rules(EmbeddedStore *s) {
    mutex_lock(&s->view_lock);
    StoreRules *r = rules_ref(s->rules);
    mutex_unlock(&s->view_lock);
    return r;
}

ErrCode store_set_rules(MetricsStore *base, const MetricsRules *rules, Err *reterr) {
    EmbeddedStore *s = CONTAINER_OF(base, EmbeddedStore, base);
    StoreRules *fresh;
    ErrCode code = rules_create(rules, &fresh, reterr);
    if (code != OK) return code;
    mutex_lock(&s->view_lock);
    StoreRules *old = s->rules;
    s->rules = fresh;
    mutex_unlock(&s->view_lock);
    s->rules_changed = true; /* a merge may be running for a while: nobody waits for it here */
    rules_unref(old);
    store_wake(s, false, true);
    return OK;
}

/* --- what they say of a series --- */
int64_t rules_keep_max(const StoreRules *r, int64_t retention_ms) {
    int64_t max = retention_ms;
    for (size_t i = 0; i < r->r.n_keep; i++) max = MAX(max, r->r.keep[i].keep_ms);
    return max;
}

int64_t rules_keep(const StoreRules *r, Labels labels, int64_t retention_ms) {
    for (size_t i = 0; i < r->r.n_keep; i++) {
        if (matchers_match(r->r.keep[i].matchers, labels)) return r->r.keep[i].keep_ms;
    }
    return retention_ms;
}

static bool is_counter(Labels labels) {
    static const Str ends[] = {STR_INIT("_total"), STR_INIT("_count"), STR_INIT("_sum"), STR_INIT("_bucket")};
    Str name = labels_get(labels, LABEL_NAME_METRIC);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        if (str_ends_with(name, ends[i])) return true;
    }
    return false;
}

static int64_t interval_of(int64_t t, int64_t len) {
    int64_t q = t / len;
    return t % len < 0 ? q - 1 : q;
}

/* The value before b->v[i] that is no stale marker; that of i itself when there is none. */
static double value_before(const SampleBuf *b, size_t i) {
    for (size_t k = i; k-- > 0;) {
        if (!is_stale_nan(b->v[k])) return b->v[k];
    }
    return b->v[i];
}

/* Whether b->v[i] or its neighbour is the first one since a start: a reset that its value may not show. */
static bool beside_start(const SampleBuf *b, size_t i) {
    if (!b->has_starts) return false;
    return (i > 0 && b->start[i - 1] != b->start[i]) || (i + 1 < b->n && b->start[i + 1] != b->start[i]);
}

/* From the newest to the oldest: a sample stays when the one after it lies in another interval, and on both sides of a
 * reset: without the one after it, two climbs to the same height would look like none. Stale markers do not count as
 * values. The kept ones gather at the end, no further than where they were, and are moved to the front. */
static void thin_floats(SampleBuf *b, int64_t cutoff, int64_t len, bool counter) {
    size_t out = b->n;
    double next_v = 0;
    bool has_next = false;
    int64_t next_interval = INT64_MAX;
    for (size_t i = b->n; i-- > 0;) {
        int64_t t = b->t[i], interval = interval_of(t, len);
        double v = b->v[i];
        bool stale = is_stale_nan(v);
        bool stays = t >= cutoff || interval != next_interval;
        /* The first one of the part: what stands before it in another part may be higher. */
        if (counter && !stale)
            stays = stays || i == 0 || (has_next && next_v < v) || value_before(b, i) > v || beside_start(b, i);
        if (!stale) {
            next_v = v;
            has_next = true;
        }
        next_interval = interval;
        if (!stays) continue;
        sample_buf_move(b, --out, i); /* out never falls below i: what is still to be looked at stays */
    }
    b->n -= out;
    memmove(b->t, b->t + out, b->n * sizeof *b->t);
    memmove(b->v, b->v + out, b->n * sizeof *b->v);
    if (b->has_starts) memmove(b->start, b->start + out, b->n * sizeof *b->start);
}

static bool is_reset(Arena *scratch, Str older, Str newer) {
    Histogram a, b;
    size_t used;
    arena_reset(scratch);
    if (!histogram_decode(older, scratch, &a, &used) || !histogram_decode(newer, scratch, &b, &used)) return true;
    return a.reset != HISTOGRAM_RESET_GAUGE && !histogram_is_stale(&a) && !histogram_is_stale(&b) && b.count < a.count;
}

static void thin_histograms(HistogramRefs *h, int64_t cutoff, int64_t len) {
    Arena *scratch = arena_create(ARENA_UNLIMITED);
    size_t n = 0;
    bool after_reset = false;
    for (size_t i = 0; i < h->n; i++) {
        HistogramRef x = h->v[i];
        bool stays =
            x.t >= cutoff || i == 0 || i + 1 == h->n || interval_of(x.t, len) != interval_of(h->v[i + 1].t, len);
        bool before_reset = i + 1 < h->n && x.t < cutoff &&
                            (x.start != h->v[i + 1].start || is_reset(scratch, x.bytes, h->v[i + 1].bytes));
        if (stays || before_reset || after_reset) h->v[n++] = x;
        after_reset = before_reset;
    }
    h->n = n;
    arena_free(scratch);
}

void rules_thin(const StoreRules *r, Labels labels, int64_t now_ms, SampleBuf *b, HistogramRefs *h) {
    for (size_t i = 0; i < r->r.n_downsample; i++) {
        const MetricsDownsampleRule *d = &r->r.downsample[i];
        /* Whole intervals only: a later pass must not find half of one thinned. */
        int64_t cutoff = interval_of(now_ms - d->after_ms, d->resolution_ms) * d->resolution_ms;
        bool floats = b->n && b->t[0] < cutoff, histograms = h->n && h->v[0].t < cutoff;
        if ((!floats && !histograms) || !matchers_match(d->matchers, labels)) continue;
        if (floats) thin_floats(b, cutoff, d->resolution_ms, is_counter(labels));
        if (histograms) thin_histograms(h, cutoff, d->resolution_ms);
    }
}

/* --- which part wants rewriting --- */
typedef struct Blocks {
    uint64_t n;
    int64_t min_t, max_t;
} Blocks;

static bool count_block(void *ctx, const MBlock *b) {
    Blocks *x = ctx;
    x->n += b->n;
    x->min_t = MIN(x->min_t, b->min_t);
    x->max_t = MAX(x->max_t, b->max_t);
    return true;
}

/* Whether a series of the set has samples before t. */
static bool any_before(const MPart *p, const roaring_bitmap_t *set, int64_t t) {
    roaring_uint32_iterator_t it;
    for (roaring_init_iterator(set, &it); it.has_value; roaring_advance_uint32_iterator(&it)) {
        if (mpart_overlaps(p, it.current_value, INT64_MIN, t)) return true;
    }
    return false;
}

/* Whether a series of the set has more samples than one per interval. */
static bool any_dense(const MPart *p, const roaring_bitmap_t *set, int64_t len) {
    roaring_uint32_iterator_t it;
    for (roaring_init_iterator(set, &it); it.has_value; roaring_advance_uint32_iterator(&it)) {
        Blocks b = {0, INT64_MAX, INT64_MIN};
        if (mpart_blocks(p, it.current_value, count_block, &b, NULL) != OK) continue;
        if (b.n > 3 && b.n > (uint64_t)((b.max_t - b.min_t) / len) + 3) return true; /* first and last, and one each */
    }
    return false;
}

/* The series a rule is for are those its selector finds and no earlier one; what is left has the store's retention. */
static bool keep_is_due(EmbeddedStore *s, const StoreRules *r, const PartRef *ref, int64_t now) {
    MPart *p = ref->obj;
    PostingIndex index = mpart_postings(p);
    roaring_bitmap_t *left = roaring_bitmap_from_range(0, mpart_series_count(p), 1);
    bool due = false;
    for (size_t i = 0; i <= r->r.n_keep && !due && !roaring_bitmap_is_empty(left); i++) {
        int64_t keep = i < r->r.n_keep ? r->r.keep[i].keep_ms : s->opts.retention_ms;
        roaring_bitmap_t *mine = NULL;
        if (i < r->r.n_keep && postings_match(&index, r->r.keep[i].matchers, NULL, &mine, NULL) != OK) break;
        if (mine)
            roaring_bitmap_and_inplace(mine, left);
        else
            mine = roaring_bitmap_copy(left);
        int64_t cutoff = now - keep, step = MAX(keep / 10, TRIM_STEP_MS);
        if (ref->info.max_t < cutoff)
            due = !roaring_bitmap_is_empty(mine);
        else if (ref->info.min_t < cutoff - step)
            due = any_before(p, mine, cutoff - step);
        roaring_bitmap_andnot_inplace(left, mine);
        roaring_bitmap_free(mine);
    }
    roaring_bitmap_free(left);
    return due;
}

/* How many downsampling rules have the whole part in their time. */
static size_t thin_ripe(const StoreRules *r, const PartInfo *p, int64_t now) {
    size_t n = 0;
    for (size_t i = 0; i < r->r.n_downsample; i++) {
        n += p->max_t < now - r->r.downsample[i].after_ms - r->r.downsample[i].resolution_ms;
    }
    return n;
}

static bool thin_is_due(const StoreRules *r, const PartRef *ref, int64_t now) {
    MPart *p = ref->obj;
    PostingIndex index = mpart_postings(p);
    bool due = false;
    for (size_t i = 0; i < r->r.n_downsample && !due; i++) {
        const MetricsDownsampleRule *d = &r->r.downsample[i];
        roaring_bitmap_t *mine;
        if (ref->info.max_t >= now - d->after_ms - d->resolution_ms) continue;
        if (postings_match(&index, d->matchers, NULL, &mine, NULL) != OK) continue;
        due = any_dense(p, mine, d->resolution_ms);
        roaring_bitmap_free(mine);
    }
    return due;
}

/* rules_checked holds when to look again (ms) << 8 | how many downsampling rules were ripe at the last look: kept
 * samples before resets may look dense for ever, so density is asked for only when another rule has become ripe. */
static bool is_due(EmbeddedStore *s, const StoreRules *r, const PartRef *ref, int64_t now) {
    uint64_t *seen = u64map_get(s->rules_checked, ref->info.id);
    size_t ripe = thin_ripe(r, &ref->info, now), before = seen ? *seen & 0xff : 0;
    if (seen && (int64_t)(*seen >> 8) > now) return false;
    *u64map_put(s->rules_checked, ref->info.id, NULL) = (uint64_t)(now + CHECK_EVERY_MS) << 8 | ripe;
    if (mpart_load(ref->obj, NULL) != OK) return false; /* damage is reported elsewhere */
    return (r->r.n_keep && keep_is_due(s, r, ref, now)) || (ripe > before && thin_is_due(r, ref, now));
}

void rules_rewritten(EmbeddedStore *s, uint64_t old_id, uint64_t new_id) {
    uint64_t *seen = u64map_get(s->rules_checked, old_id);
    if (!seen) return;
    uint64_t when = *seen; /* the slot moves when the map grows */
    *u64map_put(s->rules_checked, new_id, NULL) = when;
}

bool rules_pick(EmbeddedStore *s, int64_t now, uint64_t *ret_id) {
    if (atomic_exchange(&s->rules_changed, false)) u64map_clear(s->rules_checked);
    StoreRules *r = store_rules(s);
    bool found = false;
    PartSnapshot snap;
    partset_snapshot(s->parts, &snap);
    if (u64map_count(s->rules_checked) > 2 * snap.n + 64) u64map_clear(s->rules_checked); /* ids of parts long gone */
    for (size_t i = 0; i < snap.n && !found && r->r.n_keep + r->r.n_downsample > 0; i++) {
        found = is_due(s, r, &snap.v[i], now);
        *ret_id = snap.v[i].info.id;
    }
    partset_release(s->parts, &snap);
    rules_unref(r);
    return found;
}
