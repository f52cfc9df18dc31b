/* sd.h - service discovery: sources that know targets, shared by all jobs that ask for the same thing.
 *
 * A source runs on a thread of its own from the first job that wants it to the last; a reload that does not change its
 * section does not disturb it. What it found last stays in force while it fails. Labels are those that Prometheus
 * documents for each kind. */
#ifndef MEERKAT_METRICS_SD_SD_H
#define MEERKAT_METRICS_SD_SD_H

#include "metrics/config/prom_config.h"

/* A moment's targets: each a label set with __address__, sorted by name. Immutable, shared. */
typedef struct SdTargets {
    _Atomic uint32_t refs;
    uint64_t version; /* another one for every set there ever was */
    Arena *arena;
    const Labels *v;
    size_t n;
} SdTargets;
void sd_targets_unref(SdTargets *t); /* NULL is fine */

typedef struct SdManager SdManager;
typedef struct SdSource SdSource;

typedef struct SdManagerOptions {
    const char *user_agent;  /* NULL: "Meerkat" */
    const char *dns_servers; /* "10.0.0.1,10.0.0.2:5353"; NULL: those of the system */
    /* A source has new targets (or a new error). On the source's thread: must not block, nor call back here. */
    void (*changed)(void *ctx);
    void *ctx;
} SdManagerOptions;

SdManager *sd_manager_create(const SdManagerOptions *opts);
SdManager *sd_manager_free(SdManager *m); /* all sources must have been released; NULL is fine */

/* The source for a section, begun when nobody has it yet. owner keeps c alive; a reference is taken. */
SdSource *sd_source_acquire(SdManager *m, const PromSdConfig *c, PromConfig *owner);
/* The last one who lets go stops it, which may wait for a request to be cancelled. NULL is fine. */
void sd_source_release(SdSource *s);
/* Newest targets (the caller's reference), NULL while nothing is known. */
SdTargets *sd_source_targets(SdSource *s);

typedef struct SdState {
    SdKind kind;
    size_t targets;
    bool known;         /* an answer has come */
    int64_t last_ok_ms; /* 0: never */
    uint64_t failures;
    char error[256]; /* of the newest attempt; empty: it went well */
} SdState;
void sd_source_state(SdSource *s, SdState *ret);
const char *sd_kind_name(SdKind kind); /* "file", "kubernetes", ... */

/* What stands in a section of static targets, in a file of target groups; for checks. Label sets with __address__, in
 * the arena. Errors of a file carry its line. */
ATTR_MUST bool sd_static_targets(const PromSdConfig *c, Arena *arena, const Labels **ret, size_t *ret_n);
ErrCode sd_file_targets(Str name, Arena *arena, const Labels **ret, size_t *ret_n, Err *reterr);

#endif
