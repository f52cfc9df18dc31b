/* slabs.h - memory that is told by 32-bit references: half of a pointer, in structures of which there are millions.
 *
 * Bump allocation out of blocks of 1 MiB; what is handed out neither moves nor is given back before slabs_done. One
 * thread allocates; others may follow a reference meanwhile when they got it from the allocating thread in some ordered
 * way (a lock). References are numbers of units (1 << unit_log bytes), which are the alignment too: up to 2^32 of them.
 */
#ifndef MEERKAT_BASE_SLABS_H
#define MEERKAT_BASE_SLABS_H

#include "base/base.h"

#define SLAB_LOG 20 /* bytes of a slab, as a power of two */
#define SLABS_PER_DIR 256u
#define SLAB_DIRS 512u

typedef uint32_t SlabRef; /* 0: none */

typedef struct Slabs {
    uint8_t **dirs[SLAB_DIRS]; /* neither directories nor slabs move */
    uint32_t n;                /* slabs */
    uint32_t used;             /* units of the last one */
    unsigned unit_log;
} Slabs;

/* unit_log: 2 to 12. */
void slabs_init(Slabs *s, unsigned unit_log);
void slabs_done(Slabs *s);
/* Units that follow each other, at most a slab of them; not initialized. Panics when references run out. */
SlabRef slabs_take(Slabs *s, uint32_t units);
uint64_t slabs_bytes(const Slabs *s); /* handed out, or lost at the ends of slabs */

static inline void *slabs_at(const Slabs *s, SlabRef ref) {
    unsigned units_log = SLAB_LOG - s->unit_log;
    uint32_t slab = ref >> units_log;
    DASSERT(ref);
    return s->dirs[slab / SLABS_PER_DIR][slab % SLABS_PER_DIR] +
           ((size_t)(ref & ((UINT32_C(1) << units_log) - 1)) << s->unit_log);
}

#endif
