/* partset.c - the set of live parts: versions, snapshots, publishing. Policies are in partset_pick.c. */
#include "storage/partset_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void partset_part_path(const PartSet *s, uint64_t id, const char *suffix, char out[FS_PATH_MAX]) {
    char name[48];
    snprintf(name, sizeof name, "part-%016" PRIx64 ".mkp%s", id, suffix);
    fs_path_join(out, s->dir, name);
}

/* --- reference counting: entries belong to versions, versions to the set and to snapshots --- */

static void entry_destroy(PartSet *s, PartEntry *e) {
    if (e->obj) s->ops.close(s->ctx, e->obj);
    part_close(e->part);
    if (e->removed) {
        char path[FS_PATH_MAX];
        partset_part_path(s, e->info.id, "", path);
        (void)s->fs->ops->remove(s->fs, path, NULL); /* else the next open removes it: it is in no manifest */
    }
    mem_free(e);
}

static void version_unref(PartSet *s, PartVersion *v) {
    if (atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) > 1) return;
    for (size_t i = 0; i < v->n; i++)
        if (atomic_fetch_sub_explicit(&v->entries[i]->refs, 1, memory_order_acq_rel) == 1)
            entry_destroy(s, v->entries[i]);
    mem_free(v->entries);
    mem_free(v->refs_v);
    mem_free(v);
}

static int cmp_entry(const void *a, const void *b) {
    const PartInfo *x = &(*(PartEntry *const *)a)->info, *y = &(*(PartEntry *const *)b)->info;
    if (x->min_t != y->min_t) return x->min_t < y->min_t ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Takes the entries array; each entry gains a reference. */
PartVersion *partset_version_create(PartEntry **entries, size_t n) {
    if (n > 1) qsort(entries, n, sizeof *entries, cmp_entry);
    PartVersion *v = NEW(PartVersion);
    atomic_init(&v->refs, 1);
    v->entries = entries;
    v->n = n;
    v->refs_v = mem_alloc_array(MAX(n, 1), sizeof *v->refs_v);
    for (size_t i = 0; i < n; i++) {
        atomic_fetch_add_explicit(&entries[i]->refs, 1, memory_order_relaxed);
        v->refs_v[i] = (PartRef){entries[i]->info, entries[i]->obj, entries[i]->part};
    }
    return v;
}

void partset_snapshot(PartSet *s, PartSnapshot *ret) {
    mutex_lock(&s->mutex);
    PartVersion *v = s->current;
    atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
    mutex_unlock(&s->mutex);
    *ret = (PartSnapshot){.v = v->refs_v, .n = v->n, .impl = v};
}

void partset_release(PartSet *s, PartSnapshot *snap) {
    if (snap->impl) version_unref(s, snap->impl);
    *snap = (PartSnapshot){0};
}

/* --- publishing --- */

uint64_t partset_new_id(PartSet *s, char ret_path[FS_PATH_MAX]) {
    mutex_lock(&s->mutex);
    uint64_t id = s->next_id++;
    mutex_unlock(&s->mutex);
    partset_part_path(s, id, "", ret_path);
    return id;
}

void partset_skip_ids(PartSet *s, uint64_t up_to) {
    mutex_lock(&s->mutex);
    if (up_to < UINT64_MAX) s->next_id = MAX(s->next_id, up_to + 1);
    mutex_unlock(&s->mutex);
}

ErrCode partset_entry_open(PartSet *s, const PartInfo *info, PartEntry **ret, Err *reterr) {
    char path[FS_PATH_MAX];
    partset_part_path(s, info->id, "", path);
    PartEntry *e = NEW(PartEntry);
    e->info = *info;
    if (e->info.order == 0) e->info.order = info->id;
    ErrCode rc = part_open(s->fs, path, &e->part, reterr);
    if (rc == OK && part_size_bytes(e->part) != info->size_bytes)
        rc = err_set(reterr, ERR_CORRUPT, "%s: %" PRIu64 " bytes instead of %" PRIu64, path, part_size_bytes(e->part),
            info->size_bytes);
    if (rc == OK) rc = s->ops.open(s->ctx, e->part, info, &e->obj, reterr);
    if (rc != OK) {
        part_close(e->part);
        mem_free(e);
        return rc;
    }
    *ret = e;
    return OK;
}

static bool contains(const uint64_t *ids, size_t n, uint64_t id) {
    for (size_t i = 0; i < n; i++)
        if (ids[i] == id) return true;
    return false;
}

/* The set after the step, in a new array; NULL and ERR_CONFLICT when a part to remove is not there. Only publishers
 * change `current`, and they are serialised: reading it here needs no lock. */
static ErrCode next_entries(PartSet *s, PartEntry **added, size_t n_add, const uint64_t *remove, size_t n_remove,
    PartEntry ***ret, size_t *ret_n, Err *reterr) {
    const PartVersion *cur = s->current;
    PartEntry **out = mem_alloc_array(MAX(cur->n + n_add, 1), sizeof *out);
    size_t n = 0;
    for (size_t i = 0; i < cur->n; i++)
        if (!contains(remove, n_remove, cur->entries[i]->info.id)) out[n++] = cur->entries[i];
    if (cur->n - n != n_remove) {
        mem_free(out);
        return err_set(reterr, ERR_CONFLICT, "%s: a part to be removed is not in the set", s->dir);
    }
    for (size_t i = 0; i < n_add; i++) out[n++] = added[i];
    *ret = out;
    *ret_n = n;
    return OK;
}

static void entries_drop(PartSet *s, PartEntry **entries, size_t n) {
    for (size_t i = 0; i < n; i++) entry_destroy(s, entries[i]);
}

/* The new parts' names first, then the manifest that lists them: a crash in between leaves orphans, never holes. */
static ErrCode write_step(PartSet *s, PartEntry *const *entries, size_t n, size_t n_add, WalPos floor, Err *reterr) {
    if (n_add > 0) {
        ErrCode rc = s->fs->ops->sync_dir(s->fs, s->dir, reterr);
        if (rc != OK) return rc;
    }
    mutex_lock(&s->mutex);
    uint64_t next_id = s->next_id;
    mutex_unlock(&s->mutex);
    return partset_manifest_write(s, entries, n, next_id, floor, reterr);
}

static void install(PartSet *s, PartEntry **entries, size_t n, const uint64_t *remove, size_t n_remove, WalPos floor) {
    PartVersion *v = partset_version_create(entries, n);
    uint64_t size = 0;
    for (size_t i = 0; i < n; i++) size += entries[i]->info.size_bytes;
    mutex_lock(&s->mutex);
    PartVersion *old = s->current;
    s->current = v;
    s->wal_floor = floor;
    s->size_bytes = size;
    for (size_t i = 0; i < old->n; i++)
        if (contains(remove, n_remove, old->entries[i]->info.id)) old->entries[i]->removed = true;
    mutex_unlock(&s->mutex);
    version_unref(s, old);
}

/* After a failed publish its files may be in the manifest on disk or not; now that a newer manifest is durable
 * they are in it or garbage. */
static void clear_limbo(PartSet *s) {
    vec_foreach(uint64_t, id, &s->limbo) {
        bool live = false;
        for (size_t i = 0; i < s->current->n; i++) live |= s->current->entries[i]->info.id == *id;
        char path[FS_PATH_MAX];
        partset_part_path(s, *id, "", path);
        if (!live) (void)s->fs->ops->remove(s->fs, path, NULL);
    }
    vec_clear(&s->limbo);
}

static ErrCode publish_locked(PartSet *s, PartEntry **added, size_t n_add, const uint64_t *remove, size_t n_remove,
    WalPos wal_floor, Err *reterr) {
    PartEntry **entries = NULL;
    size_t n = 0;
    ErrCode rc = next_entries(s, added, n_add, remove, n_remove, &entries, &n, reterr);
    if (rc != OK) return rc;
    WalPos floor = MAX(s->wal_floor, wal_floor);
    rc = write_step(s, entries, n, n_add, floor, reterr);
    if (rc != OK) {
        mem_free(entries);
        return rc;
    }
    install(s, entries, n, remove, n_remove, floor);
    clear_limbo(s);
    return OK;
}

ErrCode partset_publish(PartSet *s, const PartInfo *add, size_t n_add, const uint64_t *remove, size_t n_remove,
    WalPos wal_floor, Err *reterr) {
    PartEntry **added = mem_alloc_array(MAX(n_add, 1), sizeof *added);
    ErrCode rc = OK;
    size_t opened = 0;
    while (rc == OK && opened < n_add) {
        rc = partset_entry_open(s, &add[opened], &added[opened], reterr);
        if (rc == OK) opened++;
    }
    if (rc == OK) {
        mutex_lock(&s->publish_mutex);
        rc = publish_locked(s, added, n_add, remove, n_remove, wal_floor, reterr);
        for (size_t i = 0; rc != OK && rc != ERR_CONFLICT && i < n_add; i++) vec_push(&s->limbo, add[i].id);
        mutex_unlock(&s->publish_mutex);
    }
    if (rc != OK) entries_drop(s, added, opened);
    mem_free(added);
    return rc;
}

/* --- facts --- */

static PartSet *unconst(const PartSet *s) { return (PartSet *)(uintptr_t)s; }

WalPos partset_wal_floor(const PartSet *s) {
    mutex_lock(&unconst(s)->mutex);
    WalPos pos = s->wal_floor;
    mutex_unlock(&unconst(s)->mutex);
    return pos;
}

uint64_t partset_size_bytes(const PartSet *s) {
    mutex_lock(&unconst(s)->mutex);
    uint64_t n = s->size_bytes;
    mutex_unlock(&unconst(s)->mutex);
    return n;
}

uint64_t partset_corrupt_count(const PartSet *s) { return s->corrupt; }

PartSet *partset_close(PartSet *s) {
    if (!s) return NULL;
    if (s->current) {
        ASSERT(atomic_load(&s->current->refs) == 1); /* every snapshot was released */
        version_unref(s, s->current);
    }
    vec_done(&s->limbo);
    mutex_done(&s->publish_mutex);
    mutex_done(&s->mutex);
    mem_free(s);
    return NULL;
}
