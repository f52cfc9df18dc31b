/* admin.c - /api/v1/admin/tsdb/: snapshots as Prometheus blocks, and getting rid of deleted samples. */
#include "metrics/api/api_int.h"

#include "base/num.h"

#include "base/timefmt.h"
#include "metrics/tsdb/tsdb.h"
#include "sys/clock.h"
#include "sys/random.h"

#include <stdio.h>

static bool is_enabled(ApiCall *c) {
    return c->api->opts.admin_api || api_fail(c, API_UNAVAILABLE, "admin APIs disabled");
}

bool api_clean_tombstones(ApiCall *c) {
    MetricsStore *store = c->api->opts.store;
    Err err = {0};
    if (!is_enabled(c)) return false;
    if (store->ops->clean_tombstones(store, &err) != OK) return api_fail(c, API_INTERNAL, "%s", err.msg);
    c->no_data = true;
    return true;
}

/* 20260102T150405Z-0123456789abcdef */
static void snapshot_name(char out[64]) {
    Buf t = {0};
    time_put_rfc3339(&t, clock_now_ns() / NS_PER_S * NS_PER_S); /* 2026-01-02T15:04:05Z */
    const char *s = buf_cstr(&t);
    snprintf(out, 64, "%.4s%.2s%.5s%.2s%.2sZ-%016llx", s, s + 5, s + 8, s + 14, s + 17,
        (unsigned long long)(random_u64() >> 1));
    buf_done(&t);
}

static ErrCode write_snapshot(ApiCall *c, const char *name, bool skip_head, Err *reterr) {
    char dir[FS_PATH_MAX], *parent = str_dup_cstr(c->api->opts.snapshot_dir);
    fs_path_join(dir, parent, name);
    mem_free(parent);
    TsdbExportResult result;
    TsdbExport e = {.fs = fs_real(), .store = c->api->opts.store, .dir = dir, .skip_head = skip_head};
    e.min_t = INT64_MIN;
    e.max_t = INT64_MAX;
    ErrCode code = tsdb_export(&e, &result, reterr);
    if (code != OK) (void)fs_remove_tree(fs_real(), dir, NULL);
    return code;
}

bool api_snapshot(ApiCall *c) {
    char name[64];
    bool skip_head = false;
    Str text = http_param(c->req, STR("skip_head"));
    Err err = {0};
    if (!is_enabled(c)) return false;
    if (text.n && !num_parse_bool(text, &skip_head))
        return api_fail_param(c, "skip_head",
            "unable to parse boolean: strconv.ParseBool: parsing \"%" STR_FMT "\": invalid syntax", STR_ARG(text));
    if (c->api->opts.snapshot_dir.n == 0)
        return api_fail(c, API_INTERNAL, "create snapshot directory: none is configured");
    snapshot_name(name);
    if (write_snapshot(c, name, skip_head, &err) != OK)
        return api_fail(c, API_INTERNAL, "create snapshot: %s", err.msg);
    json_begin_object(&c->w);
    json_key_lit(&c->w, "name");
    json_str(&c->w, str_cstr(name));
    json_end_object(&c->w);
    return true;
}
