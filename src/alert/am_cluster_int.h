/* am_cluster_int.h - peers. Private to alert. */
#ifndef MEERKAT_ALERT_AM_CLUSTER_INT_H
#define MEERKAT_ALERT_AM_CLUSTER_INT_H

#include "alert/am_api_int.h"

#include "self/own_metrics.h"

typedef struct AmPeer {
    Alertmanager *am;
    const char *url; /* without a slash at the end */
    char name[128];  /* as it said; empty: not yet */
    Thread *thread;
    int64_t seen_ns;                   /* last message in either direction */
    int64_t full_ns;                   /* when it is told everything next; 0: now */
    bool up, tried, asked, complained; /* asked: it was asked for everything */
    bool told;                         /* since the start it has told us everything */
    Buf pending;                       /* records to be told */
} AmPeer;

struct AmCluster {
    Str name, secret;
    int64_t peer_timeout_ms, exchange_ms, started_ns;
    AmPeer *peers;
    size_t n;
    Cond wake; /* of the peers' threads, on the Alertmanager's mutex */
    bool stopping;
    uint64_t sent, received, send_failures;
};

typedef struct AmPeerShown {
    Str name, address;
} AmPeerShown;

/* Applies records (type u8, length-prefixed bytes) that others sent; gives how many were news. */
size_t am_cluster_apply(Alertmanager *am, Cursor *in);

#endif
