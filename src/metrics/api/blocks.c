/* blocks.c - /status/tsdb/blocks: the parts on disk in the form of Prometheus' block metadata. */
#include "metrics/api/api_int.h"

/* A ULID: 48 bits of time in ms, then the part's number; base 32 after Crockford, 26 characters. */
static Str ulid_of(const MetricsPartInfo *p, char out[26]) {
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint64_t time = p->max_t_ms > 0 ? (uint64_t)p->max_t_ms & ((UINT64_C(1) << 48) - 1) : 0, id = p->id;
    for (int i = 25; i >= 10; i--, id >>= 5) out[i] = digits[id & 31];
    for (int i = 9; i >= 0; i--, time >>= 5) out[i] = digits[time & 31];
    return str_of(out, 26);
}

static void put_block(JsonWriter *w, const MetricsPartInfo *p) {
    char ulid[26];
    json_begin_object(w);
    json_key_lit(w, "ulid");
    json_str(w, ulid_of(p, ulid));
    json_key_lit(w, "minTime");
    json_i64(w, p->min_t_ms);
    json_key_lit(w, "maxTime"); /* exclusive */
    json_i64(w, p->max_t_ms + 1);
    json_key_lit(w, "stats");
    json_begin_object(w);
    json_pair_u64(w, "numSamples", p->samples);
    json_pair_u64(w, "numSeries", p->series);
    json_pair_u64(w, "numChunks", p->series); /* at least: long series have more */
    json_pair_u64(w, "sizeBytes", p->size_bytes);
    json_end_object(w);
    json_key_lit(w, "compaction");
    json_begin_object(w);
    json_pair_u64(w, "level", (uint64_t)p->level + 1);
    json_key_lit(w, "sources");
    json_begin_array(w);
    json_str(w, ulid_of(p, ulid));
    json_end_array(w);
    json_end_object(w);
    json_pair_u64(w, "version", 1);
    json_end_object(w);
}

bool api_blocks(ApiCall *c) {
    MetricsStore *store = c->api->opts.store;
    MetricsPartInfo *v = NULL;
    size_t n = 0;
    if (store->ops->parts && !store->ops->parts(store, c->req->arena, &v, &n))
        return api_fail(c, API_EXECUTION, "query needs more memory than it may use");
    json_begin_object(&c->w);
    json_key_lit(&c->w, "blocks");
    json_begin_array(&c->w);
    for (size_t i = 0; i < n; i++) put_block(&c->w, &v[i]);
    json_end_array(&c->w);
    json_end_object(&c->w);
    return true;
}
