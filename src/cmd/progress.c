#include "cmd/progress.h"

#include "sys/clock.h"
#include "sys/signals.h"
#include "sys/thread.h"

#include <stdio.h>
#include <unistd.h>

#define DRAW_EVERY_NS 100000000
#define BAR 30

static int64_t drawn_ns;
static bool visible;

void progress_show(const char *what, uint64_t done, uint64_t total) {
    int64_t now = clock_mono_ns();
    if (!isatty(STDERR_FILENO) || (now - drawn_ns < DRAW_EVERY_NS && done < total)) return;
    drawn_ns = now;
    char bar[BAR + 1];
    double part = total ? MIN((double)done / (double)total, 1.0) : 0;
    for (int i = 0; i < BAR; i++) bar[i] = (double)i < part * BAR ? '#' : '.';
    bar[BAR] = 0;
    fprintf(stderr, "\r\033[K[%s] %3.0f %%  %.40s", bar, part * 100, what);
    fflush(stderr);
    visible = true;
}

void progress_clear(void) {
    if (visible) fputs("\r\033[K", stderr);
    visible = false;
}

static _Atomic bool stop, done;
static Thread *watcher;

static void watch(void *ctx) {
    (void)ctx;
    while (!done) {
        if (signals_wait(200) != SIGNAL_STOP) continue;
        if (stop) _exit(130);
        stop = true;
    }
}

const _Atomic bool *progress_watch_signals(void) {
    done = false;
    watcher = thread_start("signals", watch, NULL);
    return &stop;
}

void progress_unwatch_signals(void) {
    done = true;
    thread_join(watcher);
    watcher = NULL;
}
