/* Protobuf expositions: what is visited is whole, also through the conversion of classic histograms. */
#include "metrics/scrape/promproto.h"
#include "metrics/scrape/scrape_hist.h"
#include "metrics/scrape/scrape_nhcb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ErrCode on_sample(void *ctx, const PromTextSample *s, Err *reterr) {
    Arena *arena = ctx;
    Label labels[PROMTEXT_LABELS_MAX + 1];
    size_t n;
    (void)reterr;
    if (promtext_labels(s, arena, labels, &n)) ASSERT(n == s->n_labels + 1);
    if (!s->histogram) return OK;
    Histogram h = *s->histogram;
    uint64_t buckets = 0;
    for (uint32_t i = 0; i < h.n_pos_spans; i++) buckets += h.pos_spans[i].length;
    ASSERT(buckets == h.n_pos);
    bool too_many;
    if (scrape_histogram_fit(&h, 20, 1.1, arena, &too_many, NULL) != OK || too_many) return OK;
    buckets = 0;
    for (uint32_t i = 0; i < h.n_pos; i++) buckets += h.pos[i] != 0;
    for (uint32_t i = 0; i < h.n_neg; i++) buckets += h.neg[i] != 0;
    ASSERT(buckets <= 20);
    return OK;
}

static ErrCode on_meta(void *ctx, const PromTextMeta *m, Err *reterr) {
    (void)ctx, (void)reterr;
    ASSERT(m->metric.n > 0);
    return OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Str body = str_of((const char *)data, size);
    for (unsigned mode = 0; mode < 4; mode++) {
        Arena *arena = arena_create((size_t)8 << 20);
        PromTextVisitor v = {arena, on_sample, on_meta, NULL};
        PromProtoOptions o = {mode & 1, mode & 2};
        Nhcb *n = nhcb_create(&v, &(NhcbOptions){true, true, mode == 2}, arena);
        PromTextVisitor through = nhcb_visitor(n);
        if (promproto_parse(body, &o, mode & 1 ? &v : &through, arena, NULL) == OK) (void)nhcb_finish(n, NULL);
        nhcb_free(n);
        arena_free(arena);
    }
    return 0;
}
