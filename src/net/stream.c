/* stream.c - pulled bodies: the waker between a source and the engine that waits for it. */
#include "net/net_int.h"

struct HttpWaker {
    atomic_uint refs;
    Mutex lock;
    Exchange *x; /* NULL when the answer has ended */
    bool armed;  /* the engine waits */
    bool woken;  /* woken while it did not wait */
};

HttpWaker *http_response_waker(HttpResponse *res) {
    Exchange *x = res->impl;
    if (!x->waker) {
        x->waker = NEW(HttpWaker);
        atomic_init(&x->waker->refs, 1);
        mutex_init(&x->waker->lock);
        x->waker->x = x;
    }
    atomic_fetch_add(&x->waker->refs, 1);
    return x->waker;
}

HttpWaker *http_waker_unref(HttpWaker *w) {
    if (!w || atomic_fetch_sub(&w->refs, 1) != 1) return NULL;
    mutex_done(&w->lock);
    mem_free(w);
    return NULL;
}

void http_waker_wake(HttpWaker *w) {
    mutex_lock(&w->lock);
    bool resume = w->x && w->armed;
    w->woken = !resume;
    w->armed = false;
    if (resume) w->x->resume_stream(w->x);
    mutex_unlock(&w->lock);
}

void exchange_waker_detach(Exchange *x) {
    HttpWaker *w = x->waker;
    if (!w) return;
    mutex_lock(&w->lock);
    w->x = NULL;
    mutex_unlock(&w->lock);
    x->waker = http_waker_unref(w);
}

HttpWaker *exchange_waker_ref(Exchange *x) {
    ASSERT(x->waker);
    atomic_fetch_add(&x->waker->refs, 1);
    return x->waker;
}

Exchange *waker_exchange(HttpWaker *w) {
    mutex_lock(&w->lock);
    Exchange *x = w->x;
    mutex_unlock(&w->lock);
    return x;
}

ptrdiff_t exchange_pull(Exchange *x, char *buf, size_t max, void (*suspend)(Exchange *x)) {
    ASSERT(x->res.stream_fn && max > 0);
    for (;;) {
        ptrdiff_t n = atomic_load(&x->gone) ? HTTP_BODY_ERROR : x->res.stream_fn(x->res.stream_ctx, buf, max);
        ASSERT(n <= (ptrdiff_t)max);
        if (n > 0) x->bytes_out += (size_t)n;
        if (n != HTTP_BODY_WAIT) return n < 0 ? HTTP_BODY_ERROR : n;
        HttpWaker *w = x->waker;
        if (!w) return HTTP_BODY_ERROR; /* nobody could ever wake it */
        mutex_lock(&w->lock);
        bool again = w->woken;
        w->woken = false;
        w->armed = !again;
        if (!again && suspend) suspend(x);
        mutex_unlock(&w->lock);
        if (!again) return HTTP_BODY_WAIT;
    }
}
