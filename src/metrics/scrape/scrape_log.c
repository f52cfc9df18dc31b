/* scrape_log.c - scrape_failure_log_file. */
#include "base/json.h"
#include "base/timefmt.h"
#include "metrics/scrape/scrape_int.h"
#include "sys/clock.h"
#include "sys/fs.h"

struct ScrapeLog {
    Mutex lock;
    Map *files; /* name -> File* */
};

ScrapeLog *scrape_log_create(void) {
    ScrapeLog *l = NEW(ScrapeLog);
    mutex_init(&l->lock);
    l->files = map_create(MAP_COPY_KEYS);
    return l;
}

void scrape_log_reopen(ScrapeLog *l) {
    size_t it = 0;
    Str name;
    uint64_t *file;
    mutex_lock(&l->lock);
    while (map_next(l->files, &it, &name, &file)) file_close((File *)(uintptr_t)*file);
    map_clear(l->files);
    mutex_unlock(&l->lock);
}

ScrapeLog *scrape_log_free(ScrapeLog *l) {
    if (!l) return NULL;
    scrape_log_reopen(l);
    map_free(l->files);
    mutex_done(&l->lock);
    mem_free(l);
    return NULL;
}

/* Lock held. NULL: it cannot be opened; the scrape's error is in the targets all the same. */
static File *open_file(ScrapeLog *l, Str name) {
    File *f = map_get_ptr(l->files, name);
    if (f) return f;
    char *path = str_dup_cstr(name);
    if (fs_open(fs_real(), path, FILE_APPEND, &f, NULL) == OK) map_set_ptr(l->files, name, f);
    mem_free(path);
    return f;
}

void scrape_log_put(ScrapeLog *l, Str file, Str job, const char *url, const char *error) {
    Buf line = {0}, time = {0};
    JsonWriter w = json_writer(&line);
    time_put_rfc3339_ms(&time, clock_now_ns());
    json_begin_object(&w);
    json_pair_str(&w, "time", buf_str(&time));
    json_pair_str(&w, "level", STR("ERROR"));
    json_pair_str(&w, "msg", str_cstr(error));
    json_pair_str(&w, "job_name", job);
    json_pair_str(&w, "target", str_cstr(url));
    json_end_object(&w);
    buf_put_char(&line, '\n');
    mutex_lock(&l->lock);
    File *f = open_file(l, file);
    if (f) (void)file_write(f, buf_str(&line), NULL);
    mutex_unlock(&l->lock);
    buf_done(&line);
    buf_done(&time);
}
