/* loki_push_int.h - private: streams and entries on their way into a batch. */
#ifndef MEERKAT_LOGS_LOKI_PUSH_INT_H
#define MEERKAT_LOGS_LOKI_PUSH_INT_H

#include "logs/loki_api.h"

typedef struct PushDecoder {
    const LokiPushLimits *limits;
    LogsBatch *batch;
    uint64_t rejected;
    Err *err; /* of the first rejection, or what is malformed */
    bool stream_ok;
    AVEC(Attr) attrs; /* metadata of the entry being read */
} PushDecoder;

/* Begins a stream: checks its labels and adds service_name. A refused one makes push_entry refuse its entries. */
ErrCode push_stream(PushDecoder *d, Label *labels, size_t n);
ErrCode push_metadata(PushDecoder *d, Str key, Str value);
/* Ends an entry with the metadata pushed since the last one. */
ErrCode push_entry(PushDecoder *d, int64_t t_ns, Str line);
ErrCode push_exhausted(PushDecoder *d);

#endif
