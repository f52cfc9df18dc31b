/* active.h - the queries that run now: who asks what, since when, with how much memory; how to stop one; which were
 * slow.
 *
 * One registry per server. Whoever runs a query takes a ticket (and with it a place: there are concurrency_max), puts
 * it into PromqlQuery.ticket, evaluates, and gives it back. All functions are thread-safe.
 *
 * So that cheap queries need not wait for expensive ones, a fifth of the places (none of fewer than four) is for
 * queries that have run for less than a tenth of a second. One that runs longer needs one of the other places; when
 * there is none it stops where it is, gives its own back and goes on when its turn comes, the oldest first. */
#ifndef MEERKAT_METRICS_PROMQL_ACTIVE_H
#define MEERKAT_METRICS_PROMQL_ACTIVE_H

#include "base/arena.h"
#include "base/err.h"

typedef struct PromqlActive PromqlActive;
typedef struct PromqlTicket PromqlTicket;

typedef struct PromqlActiveOptions {
    unsigned concurrency_max;  /* places; 0: 20. Who finds none waits until its deadline */
    uint64_t memory_max_bytes; /* of all running queries together; 0: no limit */
    int64_t slow_ms;           /* queries that took at least this long are remembered; 0: 1 second */
    size_t slow_max;           /* that many of them, the newest; 0: 200 */
} PromqlActiveOptions;

/* What is asked; strings are copied. */
typedef struct PromqlActiveQuery {
    Str text;
    Str origin;                        /* what asks: "api", "rules", "federate", ... */
    Str user;                          /* who asks: a name, else the peer's address; may be empty */
    int64_t start_ms, end_ms, step_ms; /* step 0: instant */
} PromqlActiveQuery;

typedef enum PromqlActiveState { PROMQL_QUEUED, PROMQL_RUNNING, PROMQL_FINISHED } PromqlActiveState;

typedef struct PromqlActiveInfo {
    uint64_t id;
    PromqlActiveState state;
    PromqlActiveQuery query;
    int64_t begin_unix_ns;
    int64_t queue_ns, run_ns; /* so far, or in all */
    uint64_t samples;         /* read so far */
    uint64_t memory_bytes;    /* in use now; of a finished query its peak */
    bool killed;
    ErrCode code; /* of a finished one */
    Str error;    /* its message */
} PromqlActiveInfo;

PromqlActive *promql_active_create(const PromqlActiveOptions *opts); /* NULL: the defaults */
PromqlActive *promql_active_free(PromqlActive *a);                   /* no ticket is out */

/* Waits for a place until deadline_mono_ns (0: for ever). ERR_TIMEOUT "query timed out in query queue"; ERR_CANCELLED
 * when it was killed meanwhile. On OK the ticket is the caller's until promql_active_end. a NULL: *ret is NULL, OK. */
ErrCode promql_active_begin(
    PromqlActive *a, const PromqlActiveQuery *query, int64_t deadline_mono_ns, PromqlTicket **ret, Err *reterr);
/* The query is over; err may be NULL (then its message is not kept). t NULL is fine. */
void promql_active_end(PromqlTicket *t, ErrCode code, const Err *err);
uint64_t promql_ticket_id(const PromqlTicket *t);
int64_t promql_ticket_queue_ns(const PromqlTicket *t); /* time it waited for its place; t NULL: 0 */

/* What the engine says from time to time, from any of its threads. ERR_CANCELLED when the query was killed,
 * ERR_TOO_LARGE when all queries together hold more than memory_max_bytes and this one holds most of it. */
ErrCode promql_ticket_update(PromqlTicket *t, uint64_t samples, uint64_t memory_bytes);

/* Called by the engine where a query may rest: it does when it has had its time at a place for short ones and no other
 * is free, unless this is not the thread that took the ticket. gone may be NULL. Returns early when the client has gone
 * or the deadline (0: none) has passed, which the caller finds out itself. ERR_CANCELLED: it was killed. */
ErrCode promql_ticket_take_turn(PromqlTicket *t, bool (*gone)(void *ctx), void *gone_ctx, int64_t deadline_mono_ns);

/* The kill switch: the query ends with ERR_CANCELLED soon. false: there is no such query (any more). */
bool promql_active_kill(PromqlActive *a, uint64_t id);
/* Queued and running ones, oldest first. The array and its strings are in arena; false when its budget is used up. */
bool promql_active_list(PromqlActive *a, Arena *arena, PromqlActiveInfo **ret, size_t *ret_n);
/* Finished ones that were slow, newest first. */
bool promql_active_slow(PromqlActive *a, Arena *arena, PromqlActiveInfo **ret, size_t *ret_n);

#endif
