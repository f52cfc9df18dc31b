/* remote_int.h - inside of remote write out. */
#ifndef MEERKAT_METRICS_REMOTE_REMOTE_INT_H
#define MEERKAT_METRICS_REMOTE_REMOTE_INT_H

#include "metrics/prom_http.h"
#include "metrics/remote/message.h"
#include "metrics/remote/remote_out.h"
#include "metrics/remote/remote_record.h"
#include "metrics/remote/spool.h"
#include "sys/thread.h"

/* --- checkpoint.c --- */
typedef struct Checkpoint {
    SpoolPos acked;   /* everything before it is done with */
    SpoolPos sending; /* requests under way reach to here; 0: none. After a crash the same ones are made again */
    uint64_t shards;  /* how many of them at once */
} Checkpoint;
typedef struct CheckpointFile {
    File *file;
    uint64_t seq;
    int64_t synced_ns;
} CheckpointFile;
/* `first` is what a new file says. */
ErrCode checkpoint_open(Fs *fs, const char *path, SpoolPos first, CheckpointFile *c, Checkpoint *ret, Err *reterr);
ErrCode checkpoint_write(CheckpointFile *c, const Checkpoint *value, Err *reterr);
void checkpoint_close(CheckpointFile *c);

/* --- counters --- */
typedef enum DropReason { DROP_TOO_OLD, DROP_RELABEL, DROP_CUSTOM_BUCKETS, DROP_QUEUE_FULL, DROP_REASONS } DropReason;

typedef struct RemoteCount {
    uint64_t samples, histograms, exemplars;
} RemoteCount;

#define SEND_BUCKETS 13
typedef struct RemoteStats {
    RemoteCount sent, failed, retried, dropped[DROP_REASONS], pending;
    uint64_t metadata, metadata_failed, bytes, metadata_bytes, requests;
    uint64_t buckets[SEND_BUCKETS + 1]; /* of request durations, not cumulative */
    double seconds;
    int64_t highest_ms; /* sample sent */
    uint64_t shards, shards_desired;
} RemoteStats;
extern const double remote_send_bounds[SEND_BUCKETS];

/* --- endpoint.c: one receiver --- */
typedef struct Endpoint {
    struct RemoteOut *out;
    char id[33];
    PromConfig *config; /* reference; what follows points into it */
    const PromRemoteWrite *write;
    HttpClient *client;
    PromHttp *http;
    Thread *thread;
    CheckpointFile file;
    Checkpoint mark;        /* the thread's */
    _Atomic SpoolPos acked; /* the same for others */
    _Atomic bool stop;      /* at once */
    _Atomic bool drain;     /* when nothing is left to send, or a request fails */
    _Atomic bool ended;     /* the thread is done */
    Mutex mutex;            /* stats, answers of requests */
    Cond answered;
    RemoteStats stats;
    const char **headers; /* of samples' requests, NULL-terminated; in `arena` */
    Arena *arena;
    Arena *metadata_arena; /* what is known of metrics, for version 2 */
    Map *metadata;         /* metric -> MetricMetadata */
    int64_t metadata_read_ns, metadata_due_ns;
    uint64_t full_shards;                                      /* how many shards a round may use now */
    int64_t said_failing_ns, said_refused_ns, said_dropped_ns; /* when the log was told last; 0: never */
    uint64_t unsaid_dropped;                                   /* samples since then */
} Endpoint;

/* Reads the checkpoint and starts the thread. */
ErrCode endpoint_start(struct RemoteOut *o, PromConfig *config, const PromRemoteWrite *write, const char *id,
    SpoolPos first, Endpoint **ret, Err *reterr);
void endpoint_stop(Endpoint *e); /* ends requests that are under way; joins and frees */

/* --- round.c: what is sent together --- */
typedef struct RoundItem {
    RemoteSeries series; /* at most max_samples_per_send samples and histograms */
    int64_t newest_ms;
} RoundItem;

typedef enum ShardState { SHARD_READY, SHARD_FLYING, SHARD_WAITING, SHARD_DONE } ShardState;
typedef struct Shard {
    Endpoint *endpoint;
    VEC(RoundItem) items;
    size_t at; /* next item */
    ShardState state;
    Buf body; /* of the request that is made or repeated */
    RemoteCount count;
    int64_t newest_ms, due_ns, backoff_ms;
    unsigned attempt;
    /* the answer, guarded by the endpoint's mutex */
    bool answered;
    ErrCode code;
    int status;
    int64_t retry_after_s, duration_ns;
    char error[256];
} Shard;

typedef struct Round {
    Endpoint *endpoint;
    Arena *arena;
    VEC(RoundItem) items;
    Shard *shards;
    size_t n_shards;
    uint64_t samples; /* and histograms */
    SpoolPos end;
    bool full;     /* there may be more */
    bool trouble;  /* a request had to be repeated */
    bool repeated; /* the requests of before a crash, which the receiver may have taken then */
} Round;

/* Reads records until the round is full, the deadline after the first one is over, or `until` (not 0) is reached. */
void round_collect(Round *r, SpoolReader *reader, SpoolPos until);
/* Sends everything; returns when all of it is sent or given up. false: stopped before that. */
bool round_send(Round *r);
void round_done(Round *r);
/* Metadata of all metrics in requests of their own (version 1). */
void endpoint_send_metadata(Endpoint *e);
/* Of a series of that name; NULL: unknown. Valid until the next round. */
const MetricMetadata *endpoint_metadata(Endpoint *e, Str metric);
void endpoint_refresh_metadata(Endpoint *e);
bool endpoint_is_too_far_behind(Endpoint *e);

struct RemoteOut {
    RemoteOutOptions opts;
    char dir[FS_PATH_MAX];
    Spool *spool;
    Mutex apply_mutex;
    Mutex mutex; /* endpoints */
    VEC(Endpoint *) endpoints;
    _Atomic unsigned active; /* endpoints: without any, nothing is queued */
    _Atomic uint64_t queue_bytes;
    _Atomic uint64_t samples_in, histograms_in, exemplars_in, append_failures;
    _Atomic int64_t highest_ms;
};
void remote_out_trim(RemoteOut *o); /* of the queue what all endpoints are done with */

#endif
