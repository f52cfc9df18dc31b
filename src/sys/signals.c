#include "sys/signals.h"

#include <signal.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

static void fill(sigset_t *set) {
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGUSR1);
}

void signals_block(void) {
    sigset_t set;
    fill(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

SignalEvent signals_wait(int64_t timeout_ms) {
    sigset_t set;
    fill(&set);
    struct timespec timeout = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000};
    int sig = timeout_ms < 0 ? sigwaitinfo(&set, NULL) : sigtimedwait(&set, NULL, &timeout);
    switch (sig) {
    case SIGINT:
    case SIGTERM: return SIGNAL_STOP;
    case SIGHUP: return SIGNAL_RELOAD;
    case SIGUSR1: return SIGNAL_DUMP;
    default: return SIGNAL_NONE; /* timed out, or another signal's handler ran */
    }
}

void signals_raise(SignalEvent e) {
    static const int numbers[] = {[SIGNAL_STOP] = SIGTERM, [SIGNAL_RELOAD] = SIGHUP, [SIGNAL_DUMP] = SIGUSR1};
    if (e != SIGNAL_NONE) (void)kill(getpid(), numbers[e]);
}
