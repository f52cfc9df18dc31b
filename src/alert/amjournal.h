/* amjournal.h - durable state as a snapshot and a log of records after it. Knows bytes, not alerts.
 *
 * Records are appended in memory (any thread, in order) and made durable by one writer thread, many with one sync.
 * When the log has outgrown the state several times over, the writer asks for all of it and writes a new snapshot.
 * After a failed write the next success is a snapshot, so that nothing that is only in memory stays there. */
#ifndef MEERKAT_ALERT_AMJOURNAL_H
#define MEERKAT_ALERT_AMJOURNAL_H

#include "base/buf.h"
#include "base/err.h"
#include "sys/fs.h"

typedef struct AmJournal AmJournal;

typedef struct AmJournalOptions {
    Fs *fs; /* NULL: the real one */
    const char *dir;
    uint64_t snapshot_bytes; /* of log before a snapshot; 0: 64 MiB */
    /* At opening, for every record in order. */
    void (*apply)(void *ctx, uint8_t type, Str payload);
    /* The whole state as records; called on the writer thread with no lock held; position must be taken by calling
     * amjournal_mark while the state cannot change. */
    void (*dump)(void *ctx, AmJournal *j, void (*put)(void *to, uint8_t type, Str payload), void *to);
    void *ctx;
} AmJournalOptions;

ErrCode amjournal_open(const AmJournalOptions *opts, AmJournal **ret, Err *reterr);
/* Writes what is pending. NULL is fine. */
AmJournal *amjournal_close(AmJournal *j);
/* Copies; never blocks for long. Returns the record's number. */
uint64_t amjournal_append(AmJournal *j, uint8_t type, Str payload);
uint64_t amjournal_last(AmJournal *j); /* number of the newest record */
/* Waits until record number is durable. ERR_IO, ERR_NO_SPACE when the disk refused. */
ErrCode amjournal_wait(AmJournal *j, uint64_t number, Err *reterr);
/* Inside dump, under the state's lock: records appended so far are in the dump. */
void amjournal_mark(AmJournal *j);
typedef struct AmJournalStats {
    uint64_t records, bytes, syncs, snapshots, failures, snapshot_bytes, log_bytes;
    int64_t snapshot_ns, snapshot_sum_ns; /* the last one, all of them */
    bool failing;                         /* the disk refused the last write */
} AmJournalStats;
void amjournal_stats(AmJournal *j, AmJournalStats *ret);

#endif
