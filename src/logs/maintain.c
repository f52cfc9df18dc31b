/* The maintenance thread: frozen heads to parts, merging, retention. */
#include "logs/merge_pick.h"
#include "logs/store_int.h"
#include "sys/clock.h"

#define RETRY_NS INT64_C(5000000000)
#define SCRUB_BYTES ((uint64_t)256 << 20) /* read per round to find damage */
#define EXPIRE_EVERY_NS INT64_C(60000000000)
#define PICK_MAX 16
#define COLD_AFTER_NS (INT64_C(2) * 3600 * 1000000000) /* a day is over when nobody is expected to be that late */

void maintain_wake(Store *s) {
    mutex_lock(&s->wake_lock);
    s->work = true;
    cond_signal(&s->wake);
    mutex_unlock(&s->wake_lock);
}

void store_rotate(void *ctx) {
    Store *s = ctx;
    if (s->active->rows == 0 || atomic_load(&s->frozen_present)) return;
    WalPos pos;
    if (wal_cut(s->wal, &pos, NULL) != OK) {
        atomic_fetch_add(&s->maintenance_errors, 1);
        return;
    }
    LogHead *fresh = log_head_create();
    mutex_lock(&s->lock);
    s->active->end = pos;
    s->frozen = s->active;
    s->active = fresh;
    atomic_store(&s->frozen_present, true);
    mutex_unlock(&s->lock);
    atomic_store(&s->head_bytes, 0);
    maintain_wake(s);
}

static void truncate_wal(void *ctx) {
    Store *s = ctx;
    if (wal_truncate_before(s->wal, partset_wal_floor(s->parts), NULL) != OK)
        atomic_fetch_add(&s->maintenance_errors, 1);
}

static ErrCode flush_frozen(Store *s, Err *reterr) {
    mutex_lock(&s->lock);
    LogHead *h = s->frozen;
    mutex_unlock(&s->lock);
    if (!h) return OK;
    ErrCode rc = rewrite_head(s, h, reterr);
    if (rc) {
        atomic_fetch_add(&s->maintenance_errors, 1);
        return rc;
    }
    mutex_lock(&s->lock);
    s->frozen = NULL;
    atomic_store(&s->frozen_present, false);
    mutex_unlock(&s->lock);
    log_head_unref(h);
    atomic_fetch_add(&s->flushes, 1);
    commit_run(s->commit, truncate_wal, s);
    return OK;
}

/* True when something was merged. Parts with damaged blocks are remembered, so they are not tried again and again. */
static bool merge_once(Store *s) {
    PartSnapshot snap;
    partset_snapshot(s->parts, &snap);
    size_t first = 0;
    size_t n = log_merge_pick(
        snap.v, snap.n, clock_now_ns() - COLD_AFTER_NS, LOG_MERGE_BYTES_MAX, s->unreadable.v, s->unreadable.n, &first);
    ErrCode rc = n > 0 ? rewrite_parts(s, snap.v + first, n, NULL, NULL, NULL) : OK;
    if (rc == ERR_CORRUPT)
        for (size_t i = 0; i < n; i++) vec_push(&s->unreadable, snap.v[first + i].info.id);
    partset_release(s->parts, &snap);
    if (n == 0) return false;
    if (rc == OK) {
        atomic_fetch_add(&s->merges, 1);
        return true;
    }
    atomic_fetch_add(&s->maintenance_errors, 1);
    if (rc != ERR_CORRUPT) s->next_retry_mono_ns = clock_mono_ns() + RETRY_NS;
    return false;
}

static void expire(Store *s) {
    uint64_t ids[PICK_MAX];
    for (size_t n;
         (n = partset_pick_expired(s->parts, store_oldest_ns(s), s->opts.retention_bytes, ids, PICK_MAX)) > 0;) {
        recent_clear(&s->recent); /* by size, young rows may go as well */
        if (partset_publish(s->parts, NULL, 0, ids, n, 0, NULL) == OK) continue;
        atomic_fetch_add(&s->maintenance_errors, 1);
        return;
    }
}

static bool wait_for_work(Store *s) {
    mutex_lock(&s->wake_lock);
    if (!s->work && !s->stop) (void)cond_wait_ms(&s->wake, &s->wake_lock, 1000);
    s->work = false;
    bool stop = s->stop;
    mutex_unlock(&s->wake_lock);
    return !stop;
}

void maintain_main(void *ctx) {
    Store *s = ctx;
    int64_t next_expire = 0;
    while (wait_for_work(s)) {
        int64_t now = clock_mono_ns();
        if (now < s->next_retry_mono_ns) continue;
        mutex_lock(&s->maintenance);
        if (flush_frozen(s, NULL) != OK)
            s->next_retry_mono_ns = now + RETRY_NS;
        else if (merge_once(s))
            maintain_wake(s);
        (void)partset_scrub(s->parts, SCRUB_BYTES);
        if (now >= next_expire) {
            expire(s);
            next_expire = now + EXPIRE_EVERY_NS;
        }
        mutex_unlock(&s->maintenance);
    }
}

static ErrCode flush_all(Store *s, Err *reterr) {
    ErrCode rc = flush_frozen(s, reterr);
    if (rc) return rc;
    commit_run(s->commit, store_rotate, s);
    return flush_frozen(s, reterr);
}

ErrCode log_store_flush(LogStore *ls, Err *reterr) {
    Store *s = CONTAINER_OF(ls, Store, base);
    mutex_lock(&s->maintenance);
    ErrCode rc = flush_all(s, reterr);
    mutex_unlock(&s->maintenance);
    return rc;
}

static ErrCode delete_from_part(Store *s, const PartRef *ref, const LogSelect *req, uint64_t *deleted, Err *reterr) {
    if (ref->info.min_t >= req->end_ns || ref->info.max_t < req->start_ns) return OK;
    size_t n_match;
    if (!logpart_match(ref->obj, req->matchers, req->start_ns, req->end_ns, req->arena, &n_match))
        return err_set(reterr, ERR_TOO_LARGE, "the deletion needs more memory than it is allowed");
    if (n_match == 0) return OK;
    uint64_t dropped = 0;
    ErrCode rc = rewrite_parts(s, ref, 1, req, &dropped, reterr);
    if (rc == OK) *deleted += dropped;
    return rc;
}

ErrCode store_delete_rows(LogStore *ls, const LogSelect *req, uint64_t *ret_deleted, Err *reterr) {
    Store *s = CONTAINER_OF(ls, Store, base);
    uint64_t deleted = 0;
    mutex_lock(&s->maintenance);
    ErrCode rc = flush_all(s, reterr);
    PartSnapshot snap = {0};
    if (rc == OK) {
        recent_clear(&s->recent);
        partset_snapshot(s->parts, &snap);
        for (size_t i = 0; i < snap.n && rc == OK; i++) rc = delete_from_part(s, &snap.v[i], req, &deleted, reterr);
        partset_release(s->parts, &snap);
    }
    mutex_unlock(&s->maintenance);
    if (ret_deleted) *ret_deleted = deleted;
    return rc;
}
