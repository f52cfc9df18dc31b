/* fs_fault_crash.c - what a power cut leaves behind, and the switches of the fault-injecting Fs. */
#include "sys/fs_fault_int.h"

static FaultFs *fault_of(Fs *fs) { return CONTAINER_OF(fs, FaultFs, base); }

static bool coin(FaultFs *f) { return rng_u64(&f->rng) >> 63; }

static void disk_resize(Inode *n, size_t size) {
    if (size > n->disk.n) {
        buf_reserve(&n->disk, size - n->disk.n);
        memset(n->disk.p + n->disk.n, 0, size - n->disk.n);
    }
    n->disk.n = size;
}

static void sector_to_disk(Inode *n, size_t sector) {
    size_t from = sector * FAULT_SECTOR, end = MIN(from + FAULT_SECTOR, MIN(n->now.n, n->disk.n));
    if (from < end) memcpy(n->disk.p + from, n->now.p + from, end - from);
}

/* With everything: as a sync that works. Else each dirty sector makes it or not, and so does the length. */
static void write_back(FaultFs *f, Inode *n, bool everything) {
    if (everything || coin(f))
        disk_resize(n, n->now.n);
    else if (n->now.n > n->disk.n && coin(f)) /* somewhere in between, at a sector's end */
        disk_resize(
            n, MIN(n->now.n, n->disk.n + rng_u64(&f->rng) % (n->now.n - n->disk.n + 1) / FAULT_SECTOR * FAULT_SECTOR));
    for (size_t s = 0; s < n->dirty.n; s++)
        if (n->dirty.v[s] && (everything || coin(f))) sector_to_disk(n, s);
    vec_clear(&n->dirty);
}

void fault_inode_sync(FaultFs *f, Inode *n, bool failed) { write_back(f, n, !failed); }

static bool in_dir(const char *path, Str dir) {
    const char *slash = strrchr(path, '/');
    if (!slash) return str_eq_lit(dir, ".");
    return str_eq(str_of(path, slash == path ? 1 : (size_t)(slash - path)), dir);
}

static void change_drop(Change *c) {
    mem_free(c->path);
    if (c->inode) {
        /* The reference goes by way of a name, so that there is one place that frees. */
        NameVec tmp = {0};
        fault_names_set(&tmp, "x", c->inode);
        c->inode->refs--;
        fault_names_done(&tmp);
    }
}

void fault_journal_apply(FaultFs *f, Str dir) {
    size_t kept = 0;
    for (size_t i = 0; i < f->journal.n; i++) {
        Change c = f->journal.v[i];
        if (!in_dir(c.path, dir)) {
            f->journal.v[kept++] = c;
            continue;
        }
        fault_names_set(&f->disk, c.path, c.inode);
        change_drop(&c);
    }
    f->journal.n = kept;
}

void fault_journal_clear(FaultFs *f) {
    for (size_t i = 0; i < f->journal.n; i++) change_drop(&f->journal.v[i]);
    vec_clear(&f->journal);
}

static void crash_locked(FaultFs *f) {
    size_t survive = f->journal.n ? (size_t)(rng_u64(&f->rng) % (f->journal.n + 1)) : 0;
    for (size_t i = 0; i < survive; i++) fault_names_set(&f->disk, f->journal.v[i].path, f->journal.v[i].inode);
    for (size_t i = 0; i < f->disk.n; i++) write_back(f, f->disk.v[i].inode, false);
    fault_journal_clear(f);
    /* The survivors get fresh inodes: open files keep the old ones, which lead nowhere. */
    fault_names_done(&f->now);
    f->used = 0;
    for (size_t i = 0; i < f->disk.n; i++) {
        Inode *old = f->disk.v[i].inode, *n = NEW(Inode);
        buf_put_str(&n->now, buf_str(&old->disk));
        buf_put_str(&n->disk, buf_str(&old->disk));
        fault_names_set(&f->now, f->disk.v[i].path, n);
        f->used += n->now.n;
    }
    fault_names_done(&f->disk);
    for (size_t i = 0; i < f->now.n; i++) fault_names_set(&f->disk, f->now.v[i].path, f->now.v[i].inode);
    f->epoch++;
}

void fs_fault_crash(Fs *fs) {
    FaultFs *f = fault_of(fs);
    mutex_lock(&f->mutex);
    crash_locked(f);
    f->kind = FAULT_NONE;
    mutex_unlock(&f->mutex);
}

void fs_fault_power_off(Fs *fs) {
    FaultFs *f = fault_of(fs);
    mutex_lock(&f->mutex);
    crash_locked(f);
    f->kind = FAULT_EIO;
    f->countdown = 1;
    f->persistent = true;
    mutex_unlock(&f->mutex);
}

void fs_fault_arm(Fs *fs, FaultKind kind, uint64_t nth, bool persistent) {
    FaultFs *f = fault_of(fs);
    mutex_lock(&f->mutex);
    f->kind = kind;
    f->countdown = nth;
    f->persistent = persistent;
    mutex_unlock(&f->mutex);
}

uint64_t fs_fault_calls(Fs *fs) {
    FaultFs *f = fault_of(fs);
    mutex_lock(&f->mutex);
    uint64_t n = f->calls;
    mutex_unlock(&f->mutex);
    return n;
}

void fs_fault_flip_bit(Fs *fs, const char *path, uint64_t bit) {
    FaultFs *f = fault_of(fs);
    mutex_lock(&f->mutex);
    Inode *n = fault_lookup(&f->now, path);
    ASSERT(n && bit / 8 < n->now.n);
    n->now.p[bit / 8] = (char)((unsigned char)n->now.p[bit / 8] ^ 1u << bit % 8);
    if (bit / 8 < n->disk.n) n->disk.p[bit / 8] = (char)((unsigned char)n->disk.p[bit / 8] ^ 1u << bit % 8);
    mutex_unlock(&f->mutex);
}

void fs_fault_set_capacity(Fs *fs, uint64_t bytes) {
    FaultFs *f = fault_of(fs);
    mutex_lock(&f->mutex);
    f->capacity = bytes;
    mutex_unlock(&f->mutex);
}
