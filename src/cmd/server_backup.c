/* server_backup.c - the running server's half of `meerkat backup`: stages a frozen copy in the data directory.
 *
 * The command copies the files itself, so that nothing secret goes over the wire: it needs access to the directory. */
#include "base/num.h"
#include "cmd/server_int.h"
#include "dash/meta.h"
#include "storage/backup.h"
#include "sys/clock.h"
#include "sys/random.h"

#include <stdio.h>
#include <stdlib.h>

#define STAGES_MAX 8
#define STAGE_LIFE_MS (INT64_C(12) * 3600 * 1000) /* whoever asked for an older one is gone */

static void stage_path(const Server *s, const char *name, char out[FS_PATH_MAX]) {
    char *dir = str_dup_cstr(s->config->storage.data_dir), tmp[FS_PATH_MAX];
    fs_path_join(tmp, dir, BACKUP_STAGE_DIR);
    if (name)
        fs_path_join(out, tmp, name);
    else
        snprintf(out, FS_PATH_MAX, "%s", tmp);
    mem_free(dir);
}

void server_clear_stages(const Server *s) {
    char path[FS_PATH_MAX];
    stage_path(s, NULL, path);
    if (fs_real()->ops->exists(fs_real(), path)) (void)fs_remove_tree(fs_real(), path, NULL);
}

/* --- names: 12 hex digits of the time, 4 random ones --- */
typedef struct Stages {
    const Server *server;
    size_t live;
    int64_t now_ms;
} Stages;

static bool parse_name(Str name, int64_t *ret_ms) {
    uint8_t bytes[8];
    if (name.n != 16 || !num_parse_hex(name, bytes, sizeof bytes)) return false;
    *ret_ms = 0;
    for (int i = 0; i < 6; i++) *ret_ms = *ret_ms << 8 | bytes[i];
    return true;
}

static bool look_at_stage(void *ctx, Str name, bool is_dir, uint64_t size_bytes) {
    Stages *x = ctx;
    char path[FS_PATH_MAX], text[32];
    int64_t made_ms;
    (void)size_bytes;
    if (!is_dir || !parse_name(name, &made_ms)) return true;
    snprintf(text, sizeof text, "%.*s", (int)name.n, name.p);
    stage_path(x->server, text, path);
    if (x->now_ms - made_ms > STAGE_LIFE_MS)
        (void)fs_remove_tree(fs_real(), path, NULL);
    else
        x->live++;
    return true;
}

static ErrCode flush_all(Server *s, Err *reterr) {
    ErrCode r = s->metrics->ops->flush(s->metrics, reterr);
    if (r == OK) r = s->logs->ops->flush(s->logs, reterr);
    return r == OK ? s->traces->ops->flush(s->traces, reterr) : r;
}

/* The server's own database is locked by its one connection, which copies it itself. */
static ErrCode copy_database(void *ctx, const char *from, const char *to, Err *reterr) {
    const Server *s = ctx;
    Str rest = str_cstr(from);
    Str dir = s->config->storage.data_dir;
    bool is_own = str_starts_with(rest, dir) && str_eq_lit(str_skip(rest, dir.n), "/meta.db");
    return is_own && s->meta ? meta_backup(s->meta, to, reterr) : meta_copy(from, to, reterr);
}

/* Flushing first keeps the logs short; what comes in meanwhile is in what is copied of them. */
static ErrCode make_stage(Server *s, char name[32], char path[FS_PATH_MAX], Err *reterr) {
    Stages x = {.server = s, .now_ms = clock_now_ms()};
    char top[FS_PATH_MAX], *data_dir = str_dup_cstr(s->config->storage.data_dir);
    stage_path(s, NULL, top);
    ErrCode r = fs_real()->ops->make_dir(fs_real(), top, reterr);
    if (r == OK) r = fs_real()->ops->list(fs_real(), top, look_at_stage, &x, reterr);
    if (r == OK && x.live >= STAGES_MAX)
        r = err_set(
            reterr, ERR_UNAVAILABLE, "%d backups are under way or were interrupted; remove %s", STAGES_MAX, top);
    if (r == OK) r = flush_all(s, reterr);
    snprintf(name, 32, "%012llx%04x", (unsigned long long)x.now_ms, (unsigned)(random_u64() & 0xffff));
    stage_path(s, name, path);
    if (r == OK) r = backup_stage(fs_real(), data_dir, path, copy_database, s, reterr);
    mem_free(data_dir);
    return r;
}

static void handle_begin(void *ctx, HttpRequest *req, HttpResponse *res) {
    char name[32], path[FS_PATH_MAX];
    Err err = {0};
    (void)req;
    if (make_stage(ctx, name, path, &err) != OK) {
        http_reply_error(res, &err);
        return;
    }
    char *whole = realpath(path, NULL);
    res->content_type = STR("application/json");
    JsonWriter w = json_writer(&res->body);
    json_begin_object(&w);
    json_key_lit(&w, "status");
    json_str(&w, STR("success"));
    json_key_lit(&w, "data");
    json_begin_object(&w);
    json_key_lit(&w, "name");
    json_str(&w, str_cstr(name));
    json_key_lit(&w, "dir");
    json_str(&w, str_cstr(whole ? whole : path));
    json_end_object(&w);
    json_end_object(&w);
    free(whole); /* libc's */
}

static void handle_end(void *ctx, HttpRequest *req, HttpResponse *res) {
    Str name = http_path_param(req, STR("name"));
    char path[FS_PATH_MAX], text[32];
    int64_t made_ms;
    Err err = {0};
    if (!parse_name(name, &made_ms)) {
        http_reply_text(res, 404, "no such backup\n");
        return;
    }
    snprintf(text, sizeof text, "%.*s", (int)name.n, name.p);
    stage_path(ctx, text, path);
    if (!fs_real()->ops->exists(fs_real(), path))
        http_reply_text(res, 404, "no such backup\n");
    else if (fs_remove_tree(fs_real(), path, &err) != OK)
        http_reply_error(res, &err);
    else
        res->status = 204;
}

void server_backup_routes(Server *s, Router *r) {
    router_add(r, &(Route){.methods = HTTP_POST,
                      .pattern = "/api/meerkat/v1/backups",
                      .handler = handle_begin,
                      .ctx = s,
                      .cls = ROUTE_QUERY,
                      .role = ROLE_ADMIN});
    router_add(r, &(Route){.methods = HTTP_DELETE,
                      .pattern = "/api/meerkat/v1/backups/{name}",
                      .handler = handle_end,
                      .ctx = s,
                      .cls = ROUTE_QUERY,
                      .role = ROLE_ADMIN});
}
