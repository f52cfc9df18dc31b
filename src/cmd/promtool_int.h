/* promtool_int.h - promtool's commands: what `meerkat` has no verb of its own for, and what it says in other words;
 * private to cmd. */
#ifndef MEERKAT_CMD_PROMTOOL_INT_H
#define MEERKAT_CMD_PROMTOOL_INT_H

#include "base/json.h"
#include "cmd/command.h"
#include "cmd/promtool_args.h"
#include "metrics/prom_http.h"

#define PT_ANSWER_BYTES_MAX ((size_t)1 << 30)
#define PT_QUERY_TIMEOUT_MS 120000
#define PT_CHECK_TIMEOUT_MS 10000

extern const PtTable promtool_table; /* promtool_table.c */

int promtool_check_config(const PtLine *l);
int promtool_check_rules(const PtLine *l);
int promtool_check_metrics(const PtLine *l);
int promtool_check_web_config(const PtLine *l);
int promtool_check_sd(const PtLine *l);
int promtool_check_healthy(const PtLine *l);
int promtool_check_ready(const PtLine *l);
int promtool_query_instant(const PtLine *l);
int promtool_query_range(const PtLine *l);
int promtool_query_series(const PtLine *l);
int promtool_query_labels(const PtLine *l);
int promtool_query_analyze(const PtLine *l);
int promtool_debug_pprof(const PtLine *l);
int promtool_debug_metrics(const PtLine *l);
int promtool_debug_all(const PtLine *l);
int promtool_push_metrics(const PtLine *l);
int promtool_test_rules(const PtLine *l);
int promtool_tsdb_bench_write(const PtLine *l);
int promtool_tsdb_analyze(const PtLine *l);
int promtool_tsdb_list(const PtLine *l);
int promtool_tsdb_dump(const PtLine *l);
int promtool_tsdb_dump_openmetrics(const PtLine *l);
int promtool_tsdb_create_openmetrics(const PtLine *l);
int promtool_tsdb_create_rules(const PtLine *l);
int promtool_format(const PtLine *l);
int promtool_matchers_set(const PtLine *l);
int promtool_matchers_delete(const PtLine *l);

/* --- asking a server (promtool_http.c) --- */
typedef struct PtClient {
    Arena *arena, *answers; /* what lives as long as it; what pt_api gave, which may be reset between calls */
    HttpClient *client;
    PromHttp *http;
    const PromHttpConfig *config;
    Buf base, url; /* of the server; of the newest request */
} PtClient;
/* config_file: of --http.config.file, may be NULL. 0, or the exit code when it has said what is wrong; in any case:
 * pt_client_close. */
int pt_client_open(PtClient *c, const char *server, const char *config_file);
void pt_client_close(PtClient *c);
/* Method, headers, body, timeout come from req; path is appended to the server's address. */
ErrCode pt_client_ask(PtClient *c, HttpClientRequest *req, Str path, int *ret_status, Buf *ret_body, Err *reterr);
/* The --header pairs as lines, NULL at the end, with room for `spare` more. */
const char **pt_header_lines(PtClient *c, const PtLine *l, size_t spare);

/* --- Prometheus' query API (promtool_query.c) --- */
/* RFC 3339 or Unix seconds, as promtool takes times. */
bool pt_time(const char *text, int64_t *ret_ns);
/* Appends a time in seconds as a parameter. */
void pt_put_time(Buf *query, const char *name, int64_t ns);
/* Asks path with form parameters ("?a=b"), by POST or GET. The answer's "data" in client.answers; NULL: *ret_error
 * (buf_done) is what the Go client would say: "bad_data: ...". *ret_root may be NULL. */
const JsonValue *pt_api(PtClient *c, const char *method, const char *path, Str query, const char **headers,
    const JsonValue **ret_root, Buf *ret_error);

#endif
