/* loop.c - a libuv loop and its thread, with a mailbox of jobs and a coarse tick. */
#include "net/net_int.h"
#include "sys/clock.h"

#include <stdio.h>
#include <uv.h>

#define TICK_MS 100

typedef struct Job {
    void (*fn)(void *ctx);
    void *ctx;
} Job;

struct Loop {
    uv_loop_t uv;
    uv_async_t async;
    uv_timer_t timer;
    Thread *thread;
    char name[16];
    Mutex lock;
    VEC(Job) jobs; /* under lock */
    VEC(Job) running;
    LoopTick ticks; /* list head; own thread only */
    bool stopping;  /* own thread only */
    atomic_size_t open;
};

static void on_async(uv_async_t *async) {
    Loop *l = async->data;
    mutex_lock(&l->lock);
    vec_reserve(&l->running, l->jobs.n);
    if (l->jobs.n) memcpy(l->running.v, l->jobs.v, l->jobs.n * sizeof(Job));
    l->running.n = l->jobs.n;
    vec_clear(&l->jobs);
    mutex_unlock(&l->lock);
    for (size_t i = 0; i < l->running.n; i++) l->running.v[i].fn(l->running.v[i].ctx);
    vec_clear(&l->running);
    if (l->stopping) {
        uv_close((uv_handle_t *)&l->async, NULL);
        uv_close((uv_handle_t *)&l->timer, NULL);
    }
}

static void on_timer(uv_timer_t *timer) {
    Loop *l = timer->data;
    int64_t now_ns = clock_mono_ns();
    for (LoopTick *t = l->ticks.next, *next; t != &l->ticks; t = next) {
        next = t->next;
        t->fn(t, now_ns);
    }
}

Loop *loop_create(const char *name) {
    Loop *l = NEW(Loop);
    snprintf(l->name, sizeof(l->name), "%.15s", name);
    mutex_init(&l->lock);
    l->ticks.next = l->ticks.prev = &l->ticks;
    int r = uv_loop_init(&l->uv);
    ASSERT(r == 0);
    r = uv_async_init(&l->uv, &l->async, on_async);
    ASSERT(r == 0);
    r = uv_timer_init(&l->uv, &l->timer);
    ASSERT(r == 0);
    l->async.data = l->timer.data = l;
    return l;
}

static void loop_main(void *ctx) {
    Loop *l = ctx;
    uv_run(&l->uv, UV_RUN_DEFAULT);
}

void loop_start(Loop *l) { l->thread = thread_start(l->name, loop_main, l); }

struct uv_loop_s *loop_uv(Loop *l) {
    return &l->uv;
}

void loop_post(Loop *l, void (*fn)(void *ctx), void *ctx) {
    mutex_lock(&l->lock);
    vec_push(&l->jobs, (Job){fn, ctx});
    mutex_unlock(&l->lock);
    uv_async_send(&l->async);
}

void loop_tick_add(Loop *l, LoopTick *t) {
    ASSERT(t->fn && !t->next);
    if (l->ticks.next == &l->ticks) uv_timer_start(&l->timer, on_timer, TICK_MS, TICK_MS);
    t->prev = l->ticks.prev;
    t->next = &l->ticks;
    t->prev->next = t;
    t->next->prev = t;
}

void loop_tick_remove(Loop *l, LoopTick *t) {
    if (!t->next) return;
    t->prev->next = t->next;
    t->next->prev = t->prev;
    t->next = t->prev = NULL;
    if (l->ticks.next == &l->ticks) uv_timer_stop(&l->timer);
}

size_t loop_open_count(const Loop *l) { return atomic_load(&l->open); }
void loop_open_add(Loop *l, int delta) { atomic_fetch_add(&l->open, (size_t)delta); }

static void mark_stopping(void *ctx) {
    Loop *l = ctx;
    l->stopping = true;
}

void loop_stop(Loop *l) {
    loop_post(l, mark_stopping, l);
    if (!l->thread) loop_main(l);
    thread_join(l->thread);
    l->thread = NULL;
}

Loop *loop_free(Loop *l) {
    if (!l) return NULL;
    int r = uv_loop_close(&l->uv);
    ASSERT(r == 0);
    mutex_done(&l->lock);
    vec_done(&l->jobs);
    vec_done(&l->running);
    mem_free(l);
    return NULL;
}
