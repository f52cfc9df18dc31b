/* store_scan_head.c - traces and spans that are not in parts yet. */
#include "traces/store_scan_int.h"

#define BATCH_ROWS 2048u

typedef struct HeadWalk {
    ScanWorker *w;
    const ScanHead *h;
    uint32_t place;
    VEC(uint32_t) chosen; /* spans waiting to become rows */
} HeadWalk;

#define FOR_CHAIN(h, t, i)                                                                                             \
    for (uint32_t i = (t)->last; i != HEAD_NONE && i >= (t)->deleted_before; i = head_span((h)->head, i)->prev_in_trace)

static ErrCode hand_out_chosen(HeadWalk *x) {
    ScanWorker *w = x->w;
    if (x->chosen.n == 0) return OK;
    scan_batch_clear(&w->batch);
    ErrCode e = OK;
    for (size_t i = 0; !e && i < x->chosen.n; i++)
        e = scan_prepare_head_row(w, x->h, head_span(x->h->head, x->chosen.v[i]));
    for (size_t i = 0; !e && i < x->chosen.n; i++)
        e = scan_put_head_row(w, x->h, head_span(x->h->head, x->chosen.v[i]));
    vec_clear(&x->chosen);
    if (e != ERR_TOO_LARGE) return e ? e : scan_hand_out(w, &w->batch.b);
    w->stats.too_large++;
    return scan_batch_begin(w, x->h->n_resources, x->h->n_scopes);
}

static ErrCode walk_whole(HeadWalk *x, const ScanHeadTrace *t) {
    const Scan *s = x->w->scan;
    uint8_t met = 0, met_in_window = 0;
    FOR_CHAIN(x->h, t, i) {
        const HeadSpan *span = head_span(x->h->head, i);
        uint8_t mask = scan_head_mask(s, x->h, span);
        met |= mask;
        if (scan_in_window(s, span->start_ns)) met_in_window |= mask;
    }
    if (!met_in_window) return OK;
    if (scan_is_elsewhere(s, t->id, x->place)) return scan_hand_out_collected(x->w, t->id);
    if (met != s->all) return OK;
    FOR_CHAIN(x->h, t, i) { vec_push(&x->chosen, i); }
    return hand_out_chosen(x);
}

static ErrCode walk_spans(HeadWalk *x, const ScanHeadTrace *t) {
    const Scan *s = x->w->scan;
    size_t before = x->chosen.n;
    FOR_CHAIN(x->h, t, i) {
        const HeadSpan *span = head_span(x->h->head, i);
        if (scan_in_window(s, span->start_ns) && scan_head_mask(s, x->h, span) == s->all) vec_push(&x->chosen, i);
    }
    if (x->chosen.n > before && scan_is_elsewhere(s, t->id, x->place) && !scan_is_huge(s, t->id)) {
        x->chosen.n = before;
        return scan_hand_out_collected(x->w, t->id);
    }
    return x->chosen.n >= BATCH_ROWS ? hand_out_chosen(x) : OK;
}

ErrCode scan_walk_head(ScanWorker *w, const ScanItem *item) {
    HeadWalk x = {.w = w, .h = &w->scan->heads[item->place - w->scan->n_parts], .place = item->place};
    ErrCode e = scan_batch_begin(w, (uint32_t)x.h->n_resources, x.h->n_scopes);
    for (uint32_t i = item->to; !e && i-- > item->from;) {
        const ScanHeadTrace *t = &x.h->traces[i];
        e = w->scan->req->whole ? walk_whole(&x, t) : walk_spans(&x, t);
        if (!e) e = scan_poll(w);
    }
    if (!e) e = hand_out_chosen(&x);
    vec_done(&x.chosen);
    return e;
}
