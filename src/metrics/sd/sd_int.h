/* sd_int.h - what the kinds of sources share. */
#ifndef MEERKAT_METRICS_SD_SD_INT_H
#define MEERKAT_METRICS_SD_SD_INT_H

#include "base/json.h"
#include "base/map.h"
#include "metrics/prom_http.h"
#include "metrics/sd/sd.h"
#include "sys/thread.h"

#define SD_ARENA_BYTES_MAX ((size_t)1 << 30)
#define SD_ANSWER_BYTES_MAX ((size_t)256 << 20)
#define SD_RETRY_MS 5000

struct SdManager {
    SdManagerOptions opts;
    char *user_agent, *dns_servers;
    Mutex lock;
    Map *sources; /* key -> SdSource* */
};

struct SdSource {
    SdManager *manager;
    unsigned users; /* manager's lock */
    const PromSdConfig *config;
    PromConfig *owner;
    HttpClient *client; /* its own, so that stopping cancels its requests */
    PromHttp *http;
    Thread *thread;
    Mutex lock;
    Cond wake;
    bool stop;
    SdTargets *targets;
    SdState state;
};

/* --- making targets --- */
typedef struct SdBuilder {
    Arena *arena;
    AVEC(Labels) targets;
    AVEC(Label) group, target;
    bool exhausted;
} SdBuilder;
SdBuilder sd_builder(void);         /* with an arena of its own */
void sd_builder_done(SdBuilder *b); /* when it was not published */
void sd_group_begin(SdBuilder *b);
/* Strings must live in the builder's arena (or longer). Setting a name again replaces its value. */
void sd_group_set(SdBuilder *b, Str name, Str value);
void sd_target_begin(SdBuilder *b);
void sd_target_set(SdBuilder *b, Str name, Str value);
void sd_target_end(SdBuilder *b); /* joins the group's labels; the target's own win; empty ones are left out */
Str sd_copy(SdBuilder *b, Str s);
Str sd_name(SdBuilder *b, Str prefix, Str rest);         /* prefix + rest with [^a-zA-Z0-9_] as _ */
Str sd_host_port(SdBuilder *b, Str host, uint64_t port); /* brackets around IPv6 */
Str sd_number(SdBuilder *b, uint64_t v);

/* Takes the builder's targets over and tells the users. false: out of memory (the error is noted). */
bool sd_publish(SdSource *s, SdBuilder *b);
void sd_fail(SdSource *s, const char *fmt, ...) ATTR_PRINTF(2, 3);
bool sd_stopping(SdSource *s);
bool sd_wait(SdSource *s, int64_t ms); /* false: stop */
/* GET; body is the caller's (buf_done). Not OK unless the status is 200. headers may be NULL. */
ErrCode sd_get(
    SdSource *s, const char *url, const char *const *headers, int64_t timeout_ms, Buf *ret_body, Err *reterr);

/* --- kinds: run until sd_wait says stop --- */
void sd_file_run(SdSource *s);
void sd_http_run(SdSource *s);
void sd_dns_run(SdSource *s);
void sd_docker_run(SdSource *s);
void sd_consul_run(SdSource *s);
void sd_kubernetes_run(SdSource *s);

/* --- parsers of foreign answers, for tests and fuzzing --- */
/* [{"targets": [..], "labels": {..}}], each group with label extra=value. */
ErrCode sd_parse_json_groups(Str text, Str extra, Str value, SdBuilder *b, Err *reterr);
ErrCode sd_parse_yaml_groups(Str text, Str extra, Str value, SdBuilder *b, Err *reterr);
/* Docker's lists of containers and networks. */
ErrCode sd_parse_docker(const PromSdConfig *c, Str containers, Str networks, SdBuilder *b, Err *reterr);
/* Consul's /v1/health/service/NAME. */
ErrCode sd_parse_consul(const PromSdConfig *c, Str service, Str datacenter, Str body, SdBuilder *b, Err *reterr);

#endif
