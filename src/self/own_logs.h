/* own_logs.h - the server's own log lines for its own log store, under service_name="meerkat".
 *
 * A log sink keeps up to OWN_LOGS_MAX records between two rounds (further ones are counted and dropped: the store must
 * not be able to feed itself); whoever runs the rounds takes them as a batch. */
#ifndef MEERKAT_SELF_OWN_LOGS_H
#define MEERKAT_SELF_OWN_LOGS_H

#include "model/logs_batch.h"

#define OWN_LOGS_MAX 1024

typedef struct OwnLogs OwnLogs;
OwnLogs *own_logs_start(void); /* adds its sink; one per process */
/* Moves the records into batch (stream {service_name="meerkat"}, the line is the message, fields are metadata); the
 * caller frees its arena. */
void own_logs_take(OwnLogs *l, LogsBatch *batch);
uint64_t own_logs_dropped(const OwnLogs *l);
/* When only the calling thread is left that may log; NULL is fine. */
OwnLogs *own_logs_stop(OwnLogs *l);

#endif
