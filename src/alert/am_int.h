/* am_int.h - inside of the Alertmanager. Private to alert.
 *
 * One mutex guards all state. What changes is applied in memory and appended to the journal under it; a writer thread
 * makes the journal durable in groups, and whoever promised something waits for it with the mutex released.
 * The core (am_step and what it calls) never blocks and takes the time as an argument, so that tests can run hours of
 * timers in no time. Notifications run on a pool; their results come back through am_job_done. */
#ifndef MEERKAT_ALERT_AM_INT_H
#define MEERKAT_ALERT_AM_INT_H

#include "alert/alertmanager.h"
#include "alert/amconfig.h"
#include "alert/amjournal.h"
#include "alert/ammatch_int.h"

#include "base/cursor.h"
#include "base/heap.h"
#include "base/map.h"
#include "base/timefmt.h"
#include "base/vec.h"
#include "sys/random.h"
#include "sys/thread.h"

#include <stdio.h>

#define AM_LABELS_MAX 256     /* per alert */
#define AM_TEXT_MAX (1 << 20) /* bytes of labels and annotations */
#define AM_SILENCE_MATCHERS_MAX 256
#define AM_GC_INTERVAL_NS (60 * NS_PER_S)
#define AM_ALERT_KEEP_NS (30 * 60 * NS_PER_S) /* resolved ones, as the original's gc-interval */
#define AM_NOTIFY_THREADS 128
#define AM_NOTIFY_SHARE 4 /* threads every integration can count on */
/* What fired when the process ended is given so long to be reported again. */
#define AM_RESTART_GRACE_NS (120 * NS_PER_S)
#define AM_BUSY_RETRY_NS (100 * NS_PER_MS) /* an earlier notification of the group is still under way */
#define AM_REPEAT_FACTOR 2                 /* a log entry lives so many repeat intervals */

typedef struct AmGroup AmGroup;
typedef struct AmSilence AmSilence;
typedef struct AmFlush AmFlush;
typedef struct AmJob AmJob;

/* --- alerts --- */

/* Immutable: what an alert says. One allocation. */
typedef struct AmText {
    atomic_uint refs;
    Labels labels, annotations;
    Str generator_url;
} AmText;

AmText *am_text_create(const Alert *a);
AmText *am_text_ref(AmText *t);
AmText *am_text_unref(AmText *t);

typedef struct AmAck {
    int64_t at_ns, expires_ns; /* 0: never */
    char *owner, *comment;
} AmAck;

typedef struct AmMember {
    AmGroup *group;
    uint32_t index; /* in group->alerts */
} AmMember;

typedef struct AmAlert {
    uint64_t fp;
    AmText *text;
    int64_t starts_ns, ends_ns, updated_ns;
    bool timeout, settled; /* settled: its end has been told (or need not be), it belongs in no group any more */
    bool seen_resolved;    /* for the history */
    bool doomed;           /* about to be deleted */
    bool by_name;          /* answers only to routes that name it */
    uint32_t n_members;
    AmMember *members;
    AmAck *ack;
    int64_t ack_at_ns; /* of the last change of ack */
    /* Silences that match its labels and have not expired, as of silence version sil_version of epoch sil_epoch. */
    AmSilence **sil;
    uint32_t n_sil;
    uint64_t sil_version, sil_epoch;
} AmAlert;

static inline bool am_resolved(const AmAlert *a, int64_t now_ns) { return a->ends_ns != 0 && a->ends_ns <= now_ns; }

/* --- silences --- */

typedef enum AmSilenceState { AM_SILENCE_ACTIVE, AM_SILENCE_PENDING, AM_SILENCE_EXPIRED } AmSilenceState;

struct AmSilence {
    Arena *arena;
    char id[37];
    Matchers matchers;
    int64_t starts_ns, ends_ns, updated_ns;
    Str created_by, comment;
    Labels annotations;
    Str recurrence; /* YAML (or JSON) list of time intervals; empty: all the time between start and end */
    TimeIntervalSet when;
    uint64_t version; /* of the last change */
};

AmSilenceState am_silence_state(const AmSilence *s, int64_t now_ns);
const char *am_silence_state_name(AmSilenceState st);

/* --- groups and notifications --- */

/* What is known of one integration for one group: the notification log, and what the people at the terminal ask for. */
typedef struct AmNote {
    char *key; /* group key NUL receiver NUL integration NUL index */
    size_t key_n;
    uint32_t receiver_at, integration_at; /* where in key the receiver and the integration begin */
    uint32_t index;
    bool logged; /* the notification log has an entry: the next four fields */
    int64_t at_ns, expires_ns;
    uint64_t *firing, *resolved; /* fingerprints, sorted */
    uint32_t n_firing, n_resolved;
    char *state; /* encoded labels the integration keeps: message ids */
    size_t state_n;
    /* Not on disk. */
    int64_t heard_ns;     /* when another server has told of it last */
    int64_t decided_ns;   /* last look at it */
    const char *decision; /* "first notification", ..., "none", "acknowledged" */
    int64_t attempt_ns, success_ns, next_attempt_ns;
    unsigned in_flight;
    unsigned attempts; /* of the present notification */
    int status;
    char error[256]; /* of the last failed attempt, empty after a success */
} AmNote;

struct AmGroup {
    uint64_t id;
    const AmRoute *route;
    AmText *labels; /* its labels are the group's */
    char *key;
    VEC(AmAlert *) alerts;
    int64_t created_ns, next_ns, flushed_ns;
    uint64_t timer;                 /* generation: older timers are void */
    AmFlush *flush;                 /* under way */
    bool flush_again, expiry_armed; /* expiry_armed: its AM_TIMER_EXPIRE is in the heap */
    const char *outcome;            /* of the last flush */
};

typedef struct AmSent {
    AmAlert *alert; /* may be gone when the flush ends: looked up by fp */
    uint64_t fp;
    int64_t updated_ns;
} AmSent;

/* One flush of one group: a snapshot of its alerts and the jobs that carry it. */
struct AmFlush {
    AmGroup *group; /* NULL when the group went away */
    const AmRoute *route;
    AmConfig *config;
    AmText *labels;
    Arena *arena;
    Str key;
    int64_t now_ns, deadline_ns, dedup_ns;
    Alert *alerts; /* after muting */
    uint64_t *fps;
    AmText **texts; /* references held */
    size_t n_alerts, n_texts;
    AmSent *resolved; /* all resolved ones of the group, muted or not */
    size_t n_resolved;
    unsigned pending;              /* jobs */
    bool failed, all_acked, stale; /* stale: to be looked at anew at once */
};

/* One notification through one integration, with its retries. */
struct AmJob {
    Alertmanager *am;
    AmFlush *flush;
    const Integration *integration;
    struct AmLane *lane;
    AmNote *note;
    const char *reason;
    uint64_t *firing, *resolved;
    size_t n_firing, n_resolved;
    int64_t deadline_ns, started_ns;
    unsigned attempts;
    double backoff_ms;
    AmJob *next; /* in the lane's queue */
    char error[256];
    Labels state; /* given to the integration */
    Arena *arena; /* of one attempt */
    NotifyResult result;
};

/* The queue of one integration: a slow receiver keeps its own threads busy, not all of them. */
typedef struct AmLane {
    const Integration *integration;
    const Receiver *receiver;
    AmJob *head, **tail;
    unsigned busy;
    bool dead; /* of a former configuration: freed when nothing is busy any more */
} AmLane;

typedef enum AmTimerKind { AM_TIMER_FLUSH, AM_TIMER_DEDUP, AM_TIMER_RETRY, AM_TIMER_EXPIRE } AmTimerKind;
typedef struct AmTimer {
    int64_t due_ns;
    AmTimerKind kind;
    uint64_t group, generation; /* FLUSH */
    void *what;                 /* DEDUP: AmFlush; RETRY: AmJob */
} AmTimer;

typedef struct AmCounters {
    uint64_t received_firing, received_resolved, invalid, limited;
    uint64_t suppressed[4]; /* silence, inhibition, mute, active */
    uint64_t notifications[INTEGRATION_MAX], requests[INTEGRATION_MAX], requests_failed[INTEGRATION_MAX];
    uint64_t failed[INTEGRATION_MAX][7]; /* by am_failure_reasons */
    uint64_t latency_count[INTEGRATION_MAX], latency_bucket[INTEGRATION_MAX][6];
    double latency_sum[INTEGRATION_MAX];
    uint64_t reloads, reloads_failed, processed;
    double processing_sum;
    uint64_t silences_expired_gc;
    uint64_t nflog_queries, silence_queries, gcs;
    double nflog_query_sum, silence_query_sum, gc_sum; /* seconds */
} AmCounters;

extern const char *const am_failure_reasons[7];

/* What is measured of one endpoint of API v2. */
#define AM_ENDPOINTS_MAX 16
#define AM_HTTP_BUCKETS 7
typedef struct AmEndpoint {
    Alertmanager *am;
    HttpHandler fn;
    const char *path, *method;
    _Atomic uint64_t count, in_flight, took_us, bytes, bucket[AM_HTTP_BUCKETS], size_bucket[AM_HTTP_BUCKETS];
} AmEndpoint;
extern const double am_http_bounds[AM_HTTP_BUCKETS - 1], am_size_bounds[AM_HTTP_BUCKETS - 1];

typedef struct AmInhibitIndex AmInhibitIndex;
typedef struct AmHistory AmHistory;
typedef struct AmCluster AmCluster;
typedef struct AmHeart AmHeart;

typedef void (*AmSendFn)(void *ctx, AmJob *job); /* takes the job; am_job_done comes later */

struct Alertmanager {
    Mutex mutex;
    Cond wake; /* of the timer thread */
    AmConfig *config;
    bool running, stopping, paused;
    AmJournal *journal;
    HttpClient *client;
    Arena *arena; /* of options */
    Str external_url, version, dir;
    int64_t retention_ns, started_ns;
    AmMatchMode mode;
    U64Map *alerts;                 /* fp -> AmAlert */
    U64Map *groups;                 /* id -> AmGroup */
    U64Map *saved;                  /* group id -> AmSavedGroup, until the first configuration is loaded */
    Map *silences;                  /* id -> AmSilence */
    VEC(AmSilence *) silence_order; /* by version */
    uint64_t silence_version, silence_epoch;
    size_t silences_max, alerts_max;
    AlertmanagerGuards guards;
    Map *notes;
    AmInhibitIndex *inhibit; /* one per rule of the configuration */
    AmLane **lanes;
    size_t n_lanes;
    unsigned busy; /* notification threads */
    Pool *pool;
    Heap timers;
    uint64_t timer_generation;
    Rng rng; /* jitter of retries */
    AmSendFn send;
    void *send_ctx;
    AmHistory *history;
    AmCluster *cluster;
    AmHeart *heart;
    int64_t watchdog_until_ns; /* 0: no Watchdog is expected */
    AmCounters counters;
    AmEndpoint endpoints[AM_ENDPOINTS_MAX];
    size_t n_endpoints;
    int64_t gc_ns, reload_ns, alive_ns;
    bool reload_ok;
    Thread *thread;
    bool thread_on;
};

/* am_alerts.c */
void am_put_alert(Alertmanager *am, const Alert *a, int64_t now_ns); /* valid, normalised */
AmAlert *am_alert_find(Alertmanager *am, uint64_t fp);
void am_alert_delete(Alertmanager *am, AmAlert *a);
void am_alert_set_ack(Alertmanager *am, AmAlert *a, AmAck *ack, int64_t at_ns);
AmAck *am_ack_free(AmAck *ack);
bool am_acked(const AmAlert *a, int64_t now_ns);
void am_gc(Alertmanager *am, int64_t now_ns);
/* Fills what a sender left out; checks. */
ErrCode am_alert_prepare(Alertmanager *am, Alert *a, int64_t now_ns, Err *reterr);

/* am_group.c */
void am_group_expire(Alertmanager *am, AmGroup *g, int64_t now_ns); /* resolve_immediately */
void am_route_alert(Alertmanager *am, AmAlert *a, int64_t now_ns);
/* The routes the alert answers to, at most max. */
size_t am_alert_routes(Alertmanager *am, Labels l, bool by_name, const AmRoute **out, size_t max);
void am_groups_rebuild(Alertmanager *am, int64_t now_ns, bool first);
void am_groups_clear(Alertmanager *am, bool log);
void am_group_remove_alert(Alertmanager *am, AmGroup *g, AmAlert *a);
void am_group_schedule(Alertmanager *am, AmGroup *g, int64_t due_ns);
void am_group_log(Alertmanager *am, const AmGroup *g);
void am_group_done(Alertmanager *am, AmGroup *g); /* removes it */
uint64_t am_group_id(const AmRoute *route, Labels labels);
int am_alert_order(Labels a, Labels b); /* job, instance, all labels */

/* am_flush.c */
void am_flush(Alertmanager *am, AmGroup *g, int64_t now_ns);
void am_flush_dedup(Alertmanager *am, AmFlush *f, int64_t now_ns);
void am_flush_end(Alertmanager *am, AmFlush *f, int64_t now_ns);
/* The route is muted now: names into out (max), how many. by_active: for being outside of the active intervals. */
size_t am_route_muted(const AmRoute *r, int64_t now_ns, Str *out, size_t max, bool *ret_by_active);

/* am_job.c */
void am_jobs_start(Alertmanager *am, AmLane *lane);
/* Back from the integration; the mutex is held. */
void am_job_done(Alertmanager *am, AmJob *job, int64_t now_ns);
void am_job_retry(Alertmanager *am, AmJob *job, int64_t now_ns);
void am_send_on_pool(void *ctx, AmJob *job);
void am_lanes_make(Alertmanager *am, AmConfig *c); /* NULL: only ends those that are there */
void am_job_free(AmJob *job);
/* Values of route labels are templates over the notification's data; one that fails stays as it is written. */
Labels am_route_labels(const NotifyRequest *req, Arena *arena);

/* am_notes.c */
AmNote *am_note_find(Alertmanager *am, Str group_key, Str receiver, const Integration *i, bool create);
void am_note_log(Alertmanager *am, AmNote *n);
void am_note_delete(Alertmanager *am, AmNote *n, bool log);
const char *am_note_reason(const AmNote *n, const uint64_t *firing, size_t n_firing, const uint64_t *resolved,
    size_t n_resolved, bool send_resolved, bool all_acked, int64_t repeat_ns, int64_t now_ns);
Str am_note_receiver(const AmNote *n);
Str am_note_integration(const AmNote *n);
Str am_note_group_key(const AmNote *n);

/* am_mute.c */
AmInhibitIndex *am_inhibit_create(const AmConfig *c);
AmInhibitIndex *am_inhibit_free(AmInhibitIndex *x);
void am_inhibit_add(AmInhibitIndex *x, AmAlert *a);
void am_inhibit_sweep(AmInhibitIndex *x); /* forgets the doomed ones */
/* The inhibiting alert and rule, or NULL. */
const AmAlert *am_inhibited(AmInhibitIndex *x, Labels labels, int64_t now_ns, const AmInhibitRule **ret_rule);
/* Brings a's silences up to date; true when one of them is active now. */
bool am_silenced(Alertmanager *am, AmAlert *a, int64_t now_ns);
bool am_suppressed(Alertmanager *am, AmAlert *a, int64_t now_ns); /* silenced or inhibited */

/* am_silence.c */
typedef struct AmSilenceInput {
    Str id;
    const AmMatcherText *matchers;
    size_t n_matchers;
    int64_t starts_ns, ends_ns;
    Str created_by, comment, recurrence;
    Labels annotations;
} AmSilenceInput;
/* ERR_NOT_FOUND, ERR_INVALID with the original's texts. ret_id: 37 bytes. */
ErrCode am_silence_set(Alertmanager *am, const AmSilenceInput *in, int64_t now_ns, char ret_id[37], Err *reterr);
ErrCode am_silence_expire(Alertmanager *am, Str id, int64_t now_ns, Err *reterr);
AmSilence *am_silence_find(Alertmanager *am, Str id);
void am_silence_free(AmSilence *s);
/* Takes s into the state (or drops it when a newer one is there): replay, peers, new ones. */
bool am_silence_merge(Alertmanager *am, AmSilence *s);
void am_silence_encode(Buf *b, const AmSilence *s);
AmSilence *am_silence_decode(Str payload);
void am_silence_log(Alertmanager *am, const AmSilence *s);
void am_silences_gc(Alertmanager *am, int64_t now_ns);
size_t am_silence_matches(Alertmanager *am, Matchers ms, int64_t now_ns); /* active alerts */
void am_uuid(char out[37]);

/* am_state.c: records */
enum {
    AM_REC_ALERT = 1,
    AM_REC_TOUCH,
    AM_REC_ALERT_GONE,
    AM_REC_SILENCE,
    AM_REC_SILENCE_GONE,
    AM_REC_NOTE,
    AM_REC_NOTE_GONE,
    AM_REC_ACK,
    AM_REC_GROUP,
    AM_REC_GROUP_GONE,
    AM_REC_GROUP_DUE,
    AM_REC_ALIVE, /* the process was there at that time */
};
typedef struct AmSavedGroup {
    int64_t created_ns, next_ns, flushed_ns;
} AmSavedGroup;
void am_log(Alertmanager *am, uint8_t type, const Buf *payload);
void am_log_alert(Alertmanager *am, const AmAlert *a);
void am_log_touch(Alertmanager *am, const AmAlert *a);
void am_log_ack(Alertmanager *am, const AmAlert *a);
void am_log_fp(Alertmanager *am, uint8_t type, uint64_t fp);
/* For replay and snapshots; ctx is the Alertmanager. */
void am_state_apply(void *ctx, uint8_t type, Str payload);
void am_state_dump(void *ctx, void (*put)(void *to, uint8_t type, Str payload), void *to);
void am_put_labels(Buf *b, Labels l);
bool am_take_labels(Cursor *c, Arena *arena, Labels *ret);
void am_put_note(Buf *b, const AmNote *n);
/* merge: only when it is newer than what is known. */
bool am_take_ack(Alertmanager *am, Str payload, bool merge);
bool am_take_note(Alertmanager *am, Str payload, bool merge);

/* am_cluster.c */
ErrCode am_cluster_create(Alertmanager *am, const AlertmanagerPeers *peers, Err *reterr);
void am_cluster_free(Alertmanager *am);
/* Since the start what the others know has come (or they are not there): nothing is decided before. */
bool am_cluster_settled(Alertmanager *am, int64_t now_ns);
int64_t am_cluster_wait_ns(Alertmanager *am); /* before a notification: position among the peers x peer timeout */
void am_cluster_tell(Alertmanager *am, uint8_t type, Str record);
void am_cluster_gather(Alertmanager *am, MetricsBatch *b, int64_t t_ms);

/* am_heart.c */
ErrCode am_heart_create(Alertmanager *am, const AlertmanagerHeartbeat *v, size_t n, Err *reterr);
void am_heart_free(Alertmanager *am);
bool am_heart_is_healthy(Alertmanager *am, int64_t now_ns); /* the mutex is held */
void am_heart_seen(Alertmanager *am, Str name, int64_t now_ns);

/* alertmanager.c */
Alertmanager *am_new(const AlertmanagerOptions *o); /* without threads and files: tests drive it */
void am_use_config(Alertmanager *am, AmConfig *c, int64_t now_ns);
/* Runs what is due at now_ns; gives the time of the next thing, INT64_MAX when there is none. The mutex is held. */
int64_t am_step(Alertmanager *am, int64_t now_ns);
void am_timer_add(Alertmanager *am, const AmTimer *t);
/* Waits until everything logged so far is on disk. The mutex is not held. */
ErrCode am_commit(Alertmanager *am, Err *reterr);

/* am_history.c */
typedef enum AmEventKind {
    AM_EVENT_FIRING,
    AM_EVENT_RESOLVED,
    AM_EVENT_NOTIFIED,
    AM_EVENT_FAILED,
    AM_EVENT_ACKED,
    AM_EVENT_UNACKED,
    AM_EVENT_SILENCE,
    AM_EVENT_KINDS
} AmEventKind;
AmHistory *am_history_create(const char *dir, int64_t retention_ns, Err *reterr);
AmHistory *am_history_free(AmHistory *h);
/* fields: pairs after labels. */
void am_history_add(Alertmanager *am, AmEventKind kind, int64_t at_ns, uint64_t fp, Labels labels, Labels fields);
void am_history_gc(AmHistory *h, int64_t now_ns);
void am_history_handler(void *ctx, HttpRequest *req, HttpResponse *res);
ErrCode am_history_sync(AmHistory *h, Err *reterr);

#endif
