/* backup.c - `meerkat backup` and `meerkat restore`. */
#include "storage/backup.h"

#include "base/json.h"
#include "base/num.h"
#include "cmd/command.h"
#include "cmd/progress.h"
#include "dash/meta.h"
#include "net/client.h"
#include "storage/datadir.h"
#include "sys/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BEGIN_TIMEOUT_MS 600000
#define PATH_MAX_GIVEN (FS_PATH_MAX - 400)

typedef struct BackupArgs {
    const char *server, *data_dir, *path;
} BackupArgs;

static int parse_args(BackupArgs *a, const char *name, const char *what, int argc, char **argv) {
    for (int i = 0; i < argc; i++) {
        bool known = command_option(argc, argv, &i, "--server", &a->server);
        if (known && !a->server) return command_usage("--server wants an address");
        if (!known && (known = command_option(argc, argv, &i, "--data-dir", &a->data_dir)) && !a->data_dir)
            return command_usage("--data-dir wants a directory");
        if (known) continue;
        if (argv[i][0] == '-') return command_unknown_option(name, argv[i]);
        if (a->path) return command_usage("%s takes one directory; \"%s\" is too many", name, argv[i]);
        a->path = argv[i];
    }
    if (!a->path || !*a->path) return command_usage("%s wants %s", name, what);
    if (strlen(a->path) > PATH_MAX_GIVEN || (a->data_dir && (!*a->data_dir || strlen(a->data_dir) > PATH_MAX_GIVEN)))
        return command_usage("a directory's name is empty or too long");
    return 0;
}

static void show(void *ctx, const char *file, uint64_t done, uint64_t total) {
    const char *name = strrchr(file, '/');
    (void)ctx;
    progress_show(name ? name + 1 : file, done, total);
}

static ErrCode run(const char *from, const char *to, bool restore, BackupResult *ret, Err *reterr) {
    BackupJob job = {.fs = fs_real(), .from = from, .to = to, .progress = show};
    job.cancel = progress_watch_signals();
    ErrCode code = restore ? backup_restore(&job, ret, reterr) : backup_write(&job, clock_now_ms(), ret, reterr);
    progress_unwatch_signals();
    progress_clear();
    return code;
}

static void say(const char *verb, const BackupResult *r, const char *where) {
    fprintf(stderr, "%s %llu files, %.1f MiB", verb, (unsigned long long)r->files, (double)r->bytes / (1 << 20));
    if (r->copied_files < r->files)
        fprintf(stderr, " (copied %llu files, %.1f MiB; the rest was there)", (unsigned long long)r->copied_files,
            (double)r->copied_bytes / (1 << 20));
    fprintf(stderr, ": %s\n", where);
}

/* --- of a stopped server's directory --- */
static ErrCode copy_database(void *ctx, const char *from, const char *to, Err *reterr) {
    (void)ctx;
    return meta_copy(from, to, reterr);
}

static ErrCode backup_offline(const char *data_dir, const char *dest, BackupResult *ret, Err *reterr) {
    char path[FS_PATH_MAX], stage[FS_PATH_MAX];
    DataDir *dir;
    fs_path_join(path, data_dir, "VERSION");
    if (!fs_real()->ops->exists(fs_real(), path)) {
        ErrCode missing = err_set(reterr, ERR_NOT_FOUND, "%s is no data directory", data_dir);
        err_hint(reterr, "give the directory that holds VERSION, metrics, logs and traces");
        return missing;
    }
    ErrCode code = datadir_open(fs_real(), data_dir, &dir, reterr);
    if (code == ERR_CONFLICT)
        err_hint(reterr, "a server is using it: give its address by --server http://127.0.0.1:9090");
    if (code != OK) return code;
    fs_path_join(path, data_dir, BACKUP_STAGE_DIR);
    if (fs_real()->ops->exists(fs_real(), path)) code = fs_remove_tree(fs_real(), path, reterr);
    fs_path_join(stage, path, "offline");
    if (code == OK) code = backup_stage(fs_real(), data_dir, stage, copy_database, NULL, reterr);
    if (code == OK) code = run(stage, dest, false, ret, reterr);
    if (fs_real()->ops->exists(fs_real(), path)) (void)fs_remove_tree(fs_real(), path, NULL);
    datadir_close(dir);
    return code;
}

/* --- of a running server --- */
static const char *default_server(char out[64]) {
    snprintf(out, 64, "http://127.0.0.1:%d", command_server_port(9090));
    return out;
}

static ErrCode call(HttpClient *client, const char *method, const char *url, Buf *body, Err *reterr) {
    int status = 0;
    HttpClientRequest req = {.method = method, .url = url, .timeout_ms = BEGIN_TIMEOUT_MS};
    ErrCode code = http_client_fetch(client, &req, &status, body, reterr);
    if (code != OK) {
        err_hint(reterr, "is the server running? `meerkat status` tells; for a stopped one give --data-dir DIR");
        return code;
    }
    if (status / 100 == 2) return OK;
    return err_set(
        reterr, ERR_UNAVAILABLE, "%s answers %d: %.*s", url, status, (int)MIN(body->n, 300), body->p ? body->p : "");
}

static ErrCode read_answer(const Buf *body, char name[32], char dir[FS_PATH_MAX], Err *reterr) {
    Arena *arena = arena_create((size_t)1 << 20);
    JsonValue *root = NULL;
    ErrCode code = json_parse(buf_str(body), arena, &root, reterr);
    const JsonValue *data = code == OK ? json_get(root, STR("data")) : NULL;
    Str n = json_get_str(data, STR("name")), d = json_get_str(data, STR("dir"));
    if (code == OK && (n.n == 0 || n.n > 31 || d.n == 0 || d.n >= FS_PATH_MAX - 200))
        code = err_set(reterr, ERR_INVALID, "the server's answer is not understood");
    if (code == OK) {
        snprintf(name, 32, "%.*s", (int)n.n, n.p);
        snprintf(dir, FS_PATH_MAX, "%.*s", (int)d.n, d.p);
    }
    arena_free(arena);
    if (code == OK && access(dir, R_OK | X_OK) != 0) {
        code = err_set(reterr, ERR_FORBIDDEN, "the server's files in %.300s cannot be read from here", dir);
        err_hint(reterr, "run `meerkat backup` on the server's machine, as a user who may read its data directory");
    }
    return code;
}

static ErrCode backup_online(const char *server, const char *dest, BackupResult *ret, Err *reterr) {
    char name[32] = "", dir[FS_PATH_MAX];
    Buf url = {0}, body = {0};
    HttpClient *client = http_client_create("meerkat-backup");
    Str base = str_cstr(server);
    while (base.n && base.p[base.n - 1] == '/') base = str_slice(base, 0, base.n - 1);
    buf_printf(&url, "%.*s/api/meerkat/v1/backups", (int)base.n, base.p);
    ErrCode code = call(client, "POST", buf_cstr(&url), &body, reterr);
    if (code == OK) code = read_answer(&body, name, dir, reterr);
    if (code == OK) code = run(dir, dest, false, ret, reterr);
    if (name[0]) { /* the staged files are of no use to anybody else */
        buf_printf(&url, "/%s", name);
        buf_clear(&body);
        (void)call(client, "DELETE", buf_cstr(&url), &body, NULL);
    }
    http_client_free(client);
    buf_done(&url);
    buf_done(&body);
    return code;
}

int cmd_backup(int argc, char **argv) {
    BackupArgs a = {0};
    char server[64];
    BackupResult r;
    Err err = {0};
    int usage = parse_args(&a, "backup", "a destination directory", argc, argv);
    if (!usage && a.server && a.data_dir) usage = command_usage("backup wants either --server or --data-dir");
    if (usage) return usage;
    ErrCode code = a.data_dir ? backup_offline(a.data_dir, a.path, &r, &err)
                              : backup_online(a.server ? a.server : default_server(server), a.path, &r, &err);
    if (code != OK) return command_fail(&err);
    say("backed up", &r, a.path);
    return 0;
}

int cmd_restore(int argc, char **argv) {
    BackupArgs a = {0};
    BackupResult r;
    Err err = {0};
    int usage = parse_args(&a, "restore", "the directory of a backup", argc, argv);
    if (!usage && a.server) usage = command_usage("restore works without a server: start it afterwards");
    if (!usage && !a.data_dir) usage = command_usage("restore wants --data-dir DIR, which must not exist or be empty");
    if (usage) return usage;
    if (run(a.path, a.data_dir, true, &r, &err) != OK) return command_fail(&err);
    say("checked and restored", &r, a.data_dir);
    return 0;
}
