/* am_cluster.c - peers. */
#include "alert/am_api_int.h"

ErrCode am_cluster_create(Alertmanager *am, const AlertmanagerPeers *peers, Err *reterr) {
    (void)am;
    (void)peers;
    (void)reterr;
    return OK;
}
void am_cluster_free(Alertmanager *am) { (void)am; }
int64_t am_cluster_wait_ns(Alertmanager *am) {
    (void)am;
    return 0;
}
void am_cluster_tell(Alertmanager *am, uint8_t type, Str record) {
    (void)am;
    (void)type;
    (void)record;
}

void am_cluster_gather(Alertmanager *am, MetricsBatch *b, int64_t t_ms) {
    (void)am;
    (void)b;
    (void)t_ms;
}

void am_cluster_put_status(Alertmanager *am, JsonWriter *w) {
    json_begin_object(w);
    json_key_lit(w, "name");
    json_str(w, STR("meerkat"));
    json_key_lit(w, "peers");
    json_begin_array(w);
    json_begin_object(w);
    json_key_lit(w, "address");
    json_str(w, am->external_url);
    json_key_lit(w, "name");
    json_str(w, STR("meerkat"));
    json_end_object(w);
    json_end_array(w);
    json_key_lit(w, "status");
    json_str(w, STR("ready"));
    json_end_object(w);
}

void am_cluster_routes(Alertmanager *am, Router *r) {
    (void)am;
    (void)r;
}
