#include "self/crash.h"

#include "self/log_ring.h"

#include <elf.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define CRASH_STACK_BYTES (64u << 10)
#define CRASH_FRAMES 64

/* Filled before anything can crash and only read in the handler. */
static char crash_version[64], crash_dir[900], build_id[64];
static char panic_text[512];
static volatile sig_atomic_t crashing;

static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};

/* Only async-signal-safe calls from here on: write, open, backtrace_symbols_fd (libgcc is loaded beforehand). */
static void say(int fd, const char *text) {
    size_t n = strlen(text);
    while (n > 0) {
        ssize_t done = write(fd, text, n);
        if (done <= 0) return;
        text += done;
        n -= (size_t)done;
    }
}

static void say_number(int fd, unsigned long long v) {
    char digits[24], *p = digits + sizeof digits;
    *--p = 0;
    do {
        *--p = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    say(fd, p);
}

static const char *signal_name(int sig) {
    switch (sig) {
    case SIGSEGV: return "SIGSEGV (bad memory access)";
    case SIGBUS: return "SIGBUS (bad memory access, or a mapped file was truncated)";
    case SIGILL: return "SIGILL";
    case SIGFPE: return "SIGFPE";
    case SIGABRT: return "SIGABRT";
    }
    return "signal";
}

static void report(int fd, int sig, void *const *frames, int n) {
    say(fd, "\n=== MEERKAT CRASH REPORT ===\nversion: ");
    say(fd, crash_version);
    say(fd, "\nbuild id: ");
    say(fd, build_id[0] ? build_id : "unknown");
    say(fd, "\nwhat: ");
    say(fd, panic_text[0] ? panic_text : signal_name(sig));
    say(fd, "\npid: ");
    say_number(fd, (unsigned long long)getpid());
    say(fd, "\nbacktrace:\n");
    backtrace_symbols_fd(frames, n, fd);
    say(fd, "last log records:\n");
    log_ring_write(fd);
    say(fd, "=== END OF REPORT: please send it with what you were doing ===\n");
}

static int open_report_file(void) {
    char path[1024], *p = path;
    if (crash_dir[0] == 0) return -1;
    size_t n = strlen(crash_dir);
    memcpy(p, crash_dir, n);
    p += n;
    memcpy(p, "/crash-", 7);
    p += 7;
    unsigned long long now = (unsigned long long)time(NULL);
    for (unsigned long long div = 1000000000ULL; div > 0; div /= 10) *p++ = (char)('0' + now / div % 10);
    memcpy(p, ".txt", 5);
    return open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

static void on_fatal(int sig) {
    if (!crashing) {
        crashing = 1;
        void *frames[CRASH_FRAMES];
        int n = backtrace(frames, CRASH_FRAMES);
        report(STDERR_FILENO, sig, frames, n);
        int fd = open_report_file();
        if (fd >= 0) {
            report(fd, sig, frames, n);
            close(fd);
        }
    }
    signal(sig, SIG_DFL);
    raise(sig);
}

static void on_panic(const char *file, int line, const char *func, const char *what) {
    snprintf(panic_text, sizeof panic_text, "%s:%d: %s: assertion failed: %s", file, line, func, what);
}

static int find_build_id(struct dl_phdr_info *info, size_t size, void *ctx) {
    (void)size;
    (void)ctx;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type != PT_NOTE) continue;
        uintptr_t at = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr, end = at + info->dlpi_phdr[i].p_memsz;
        while (at + sizeof(ElfW(Nhdr)) <= end) {
            const ElfW(Nhdr) *note = (const void *)at;
            const unsigned char *name = (const unsigned char *)(note + 1), *desc = name + ((note->n_namesz + 3u) & ~3u);
            if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && memcmp(name, "GNU", 4) == 0) {
                for (size_t j = 0; j < note->n_descsz && j * 2 + 2 < sizeof build_id; j++)
                    snprintf(build_id + j * 2, 3, "%02x", desc[j]);
                return 1;
            }
            at = (uintptr_t)desc + ((note->n_descsz + 3u) & ~3u);
        }
    }
    return 1; /* the first object is the program itself */
}

void crash_install(const char *version) {
    snprintf(crash_version, sizeof crash_version, "%s", version);
    dl_iterate_phdr(find_build_id, NULL);
    void *warm[1];
    (void)backtrace(warm, 1); /* loads libgcc now, not in the handler */
    base_set_panic_hook(on_panic);
    void *stack = mmap(NULL, CRASH_STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack != MAP_FAILED) {
        stack_t alt = {.ss_sp = stack, .ss_size = CRASH_STACK_BYTES};
        sigaltstack(&alt, NULL); /* for the main thread's stack overflow; other threads use their own stack */
    }
    struct sigaction act = {.sa_handler = on_fatal, .sa_flags = SA_ONSTACK | SA_NODEFER};
    for (size_t i = 0; i < ARRAY_LEN(fatal_signals); i++) sigaction(fatal_signals[i], &act, NULL);
}

void crash_set_dir(const char *dir) { snprintf(crash_dir, sizeof crash_dir, "%s", dir); }
const char *crash_build_id(void) { return build_id; }
