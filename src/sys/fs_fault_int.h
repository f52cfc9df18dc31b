/* fs_fault_int.h - inside of the fault-injecting Fs. Private to sys. */
#ifndef MEERKAT_SYS_FS_FAULT_INT_H
#define MEERKAT_SYS_FS_FAULT_INT_H

#include "base/vec.h"
#include "sys/fs.h"
#include "sys/random.h"
#include "sys/thread.h"

#define FAULT_SECTOR 512

typedef struct Inode {
    size_t refs; /* names, open files, journal entries */
    Buf now, disk;
    VEC(uint8_t) dirty; /* per sector: written since the last sync */
    bool locked;
} Inode;

typedef struct Name {
    char *path;
    Inode *inode;
} Name;
typedef VEC(Name) NameVec;

typedef struct Change {
    char *path;
    Inode *inode; /* NULL: the name goes */
} Change;

typedef struct FaultFs {
    Fs base;
    Mutex mutex;
    Rng rng;
    NameVec now, disk;
    VEC(Change) journal; /* of names, oldest first, not yet durable */
    VEC(char *) dirs;
    uint64_t calls, countdown, capacity, used;
    FaultKind kind;
    bool persistent;
    unsigned epoch; /* crashes so far */
} FaultFs;

typedef struct FaultFile {
    File base;
    FaultFs *owner;
    Inode *inode;
    char *path;
    unsigned epoch;
    bool writable, holds_lock;
} FaultFile;

Inode *fault_lookup(const NameVec *names, const char *path);
void fault_names_set(NameVec *names, const char *path, Inode *inode);
void fault_names_done(NameVec *names);
/* failed: some dirty sectors reach the disk, the rest is forgotten to be dirty. */
void fault_inode_sync(FaultFs *f, Inode *n, bool failed);
/* Changes of names in dir become durable. */
void fault_journal_apply(FaultFs *f, Str dir);
void fault_journal_clear(FaultFs *f);

#endif
