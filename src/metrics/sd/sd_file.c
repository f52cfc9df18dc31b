/* sd_file.c - target groups in files. The files are looked at every second (names, times and sizes, which is cheap) and
 * read when something has changed, and at refresh_ms whatever happened. */
#include "metrics/sd/sd_int.h"
#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/fs_glob.h"

#define LOOK_MS 1000
#define FILE_BYTES_MAX ((size_t)64 << 20)

/* What stands in the files, in one number; names are those found. */
static uint64_t look(const PromSdConfig *c, Arena *arena, Str **ret, size_t *ret_n) {
    AVEC(Str) all = {0};
    uint64_t stamp = 0;
    for (size_t i = 0; i < c->files.n; i++) {
        Str *names;
        size_t n = 0;
        if (fs_glob(c->files.v[i], arena, &names, &n, NULL) != OK) continue;
        for (size_t k = 0; k < n; k++) {
            stamp = stamp * UINT64_C(0x9e3779b97f4a7c15) + fs_stamp(names[k].p) + 1;
            if (!avec_push(arena, &all, names[k])) break;
        }
    }
    *ret = all.v;
    *ret_n = all.n;
    return stamp;
}

static ErrCode read_one(Str name, SdBuilder *b, Err *reterr) {
    Buf text = {0};
    Str path = sd_copy(b, name);
    ErrCode code = fs_read_file(fs_real(), name.p, FILE_BYTES_MAX, &text, reterr);
    if (code == OK) {
        Str copy = sd_copy(b, buf_str(&text));
        bool json = str_ends_with(name, STR(".json"));
        code = (json ? sd_parse_json_groups : sd_parse_yaml_groups)(copy, STR("__meta_filepath"), path, b, reterr);
    }
    buf_done(&text);
    return code;
}

/* A file that cannot be read keeps the targets it had: the whole set stays, as the files are one source's. */
static void refresh(SdSource *s, const Str *names, size_t n) {
    SdBuilder b = sd_builder();
    Err err = {0};
    for (size_t i = 0; i < n; i++) {
        if (read_one(names[i], &b, &err) == OK) continue;
        if (err.line)
            sd_fail(s, "%" STR_FMT ":%d:%d: %.150s", STR_ARG(names[i]), err.line, err.col, err.msg);
        else
            sd_fail(s, "%.230s", err.msg);
        sd_builder_done(&b);
        return;
    }
    sd_publish(s, &b);
}

void sd_file_run(SdSource *s) {
    uint64_t before = 0;
    int64_t due_ns = 0;
    do {
        Arena *arena = arena_create((size_t)64 << 20);
        Str *names;
        size_t n;
        uint64_t now = look(s->config, arena, &names, &n);
        if (due_ns == 0 || now != before || clock_mono_ns() >= due_ns) {
            before = now;
            due_ns = clock_mono_ns() + MAX(s->config->refresh_ms, LOOK_MS) * 1000000;
            refresh(s, names, n);
        }
        arena_free(arena);
    } while (sd_wait(s, LOOK_MS));
}

ErrCode sd_file_targets(Str name, Arena *arena, const Labels **ret, size_t *ret_n, Err *reterr) {
    SdBuilder b = {.arena = arena};
    Str path = arena_copy(arena, name);
    ErrCode code = path.p ? read_one(path, &b, reterr) : ERR_TOO_LARGE;
    if (code == OK && b.exhausted) code = err_set(reterr, ERR_TOO_LARGE, "too many targets");
    *ret = b.targets.v;
    *ret_n = b.targets.n;
    return code;
}
