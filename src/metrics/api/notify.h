/* notify.h - notes for the operator that hold until they are taken back, and those who listen. Private. */
#ifndef MEERKAT_METRICS_API_NOTIFY_H
#define MEERKAT_METRICS_API_NOTIFY_H

#include "net/http.h"

typedef struct ApiNotes ApiNotes;
typedef struct ApiNotesStats {
    uint64_t subscribers, sent, dropped;
} ApiNotesStats;

ApiNotes *api_notes_create(void);
ApiNotes *api_notes_free(ApiNotes *n); /* no stream is open any more; NULL is fine */
/* active: adds it, or says again that it holds. Else takes it back. Listeners hear of both. */
void api_notes_set(ApiNotes *n, const char *text, bool active);
void api_notes_put(ApiNotes *n, JsonWriter *w); /* [{text, date, active}] */
/* Answers with server-sent events: what holds now, then every change. false: there are enough listeners. */
bool api_notes_stream(ApiNotes *n, HttpResponse *res);
void api_notes_close(ApiNotes *n); /* ends the streams, for shutdown */
void api_notes_stats(ApiNotes *n, ApiNotesStats *ret);

#endif
