/* tsdb_cmd.c - `meerkat tsdb list|analyze|dump`: options and the commands that only read. */
#include "cmd/tsdb_cmd.h"

#include "base/num.h"
#include "base/timefmt.h"
#include "cmd/command.h"
#include "cmd/progress.h"
#include "lang/lexer.h"
#include "metrics/promql/promql.h"
#include "sys/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DIR_MAX (FS_PATH_MAX - 160)

/* --- options --- */
/* Milliseconds as promtool takes them for --min-time, else a time as everywhere. */
static bool parse_time(const char *text, bool plain_ms, int64_t *ret_ms) {
    int64_t ns;
    double seconds;
    if (plain_ms) return num_parse_i64(str_cstr(text), ret_ms);
    if (duration_parse_prom(str_cstr(text), ret_ms)) {
        *ret_ms = clock_now_ms() - *ret_ms;
        return true;
    }
    if (num_parse_f64(str_cstr(text), &seconds)) {
        *ret_ms = (int64_t)(seconds * 1000);
        return seconds > -9e15 && seconds < 9e15;
    }
    bool ok = time_parse_rfc3339(str_cstr(text), &ns);
    *ret_ms = ns / NS_PER_MS;
    return ok;
}

static int parse_range(TsdbArgs *a, const char *start, const char *end) {
    const char *from = a->min_time ? a->min_time : start, *to = a->max_time ? a->max_time : end;
    a->min_t = INT64_MIN;
    a->max_t = INT64_MAX;
    if (from && !parse_time(from, a->min_time != NULL, &a->min_t))
        return command_usage("\"%s\" is not a time: give 15m, Unix seconds or RFC 3339", from);
    if (to && !parse_time(to, a->max_time != NULL, &a->max_t))
        return command_usage("\"%s\" is not a time: give 15m, Unix seconds or RFC 3339", to);
    return 0;
}

static int parse_values(TsdbArgs *a) {
    Err err = {0};
    a->limit_n = 20;
    if (a->limit && (!num_parse_i64(str_cstr(a->limit), &a->limit_n) || a->limit_n < 0))
        return command_usage("\"%s\" is not a number of lines", a->limit);
    a->any_of = ARENA_ARRAY(a->arena, Matchers, a->n_matches + 1);
    for (size_t i = 0; i < a->n_matches; i++)
        if (promql_parse_selector(str_cstr(a->matches[i]), a->arena, &a->any_of[i], &err) != OK)
            return command_usage("%s", err.msg);
    if (a->n_matches) a->match = a->matches[0], a->matchers = a->any_of[0];
    if (a->format && strcmp(a->format, "prom") != 0 && strcmp(a->format, "seriesjson") != 0)
        return command_usage("--format is prom or seriesjson, not \"%s\"", a->format);
    const char *paths[] = {a->n_args ? a->args[0] : NULL, a->data_dir, a->output};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        if (paths[i] && (paths[i][0] == 0 || strlen(paths[i]) > DIR_MAX))
            return command_usage("a directory's name is empty or too long");
    }
    return 0;
}

/* An option that may come again. */
static bool take_item(int argc, char **argv, int *i, const char *name, const char **list, size_t *n, int *ret_usage) {
    const char *value;
    if (!command_option(argc, argv, i, name, &value)) return false;
    if (!value)
        *ret_usage = command_usage("%s wants a value", name);
    else if (*n == TSDB_LIST_MAX)
        *ret_usage = command_usage("more than %d of %s", TSDB_LIST_MAX, name);
    else
        list[(*n)++] = value;
    return true;
}

int tsdb_args_parse(TsdbArgs *a, const char *name, int argc, char **argv) {
    const char *start = NULL, *end = NULL;
    int usage = 0;
    *a = (TsdbArgs){.name = name, .arena = arena_create(ARENA_UNLIMITED)};
    const struct {
        const char *name, **value;
    } options[] = {{"--data-dir", &a->data_dir}, {"--server", &a->server}, {"--output", &a->output},
        {"--min-time", &a->min_time}, {"--max-time", &a->max_time}, {"--start", &start}, {"--end", &end},
        {"--limit", &a->limit}, {"--format", &a->format}};
    for (int i = 0; i < argc; i++) {
        const char *arg = argv[i];
        bool known = false;
        for (size_t k = 0; k < ARRAY_LEN(options) && !known; k++) {
            known = command_option(argc, argv, &i, options[k].name, options[k].value);
            if (known && !*options[k].value) return command_usage("%s wants a value", options[k].name);
        }
        if (!known) known = take_item(argc, argv, &i, "--match", a->matches, &a->n_matches, &usage);
        if (!known) known = take_item(argc, argv, &i, "--label", a->labels, &a->n_labels, &usage);
        if (usage) return usage;
        if (known) continue;
        if (strcmp(arg, "-q") == 0 || strcmp(arg, "--quiet") == 0)
            a->quiet = true;
        else if (strcmp(arg, "-r") == 0 || strcmp(arg, "--human-readable") == 0)
            a->human_readable = true;
        else if (strcmp(arg, "--extended") == 0)
            a->extended = true;
        else if (arg[0] == '-' && arg[1])
            return command_usage("tsdb %s does not know \"%s\"", name, arg);
        else if (a->n_args == (int)ARRAY_LEN(a->args))
            return command_usage("tsdb %s: \"%s\" is one argument too many", name, arg);
        else
            a->args[a->n_args++] = arg;
    }
    bool dump = strncmp(name, "dump", 4) == 0, create = strncmp(name, "create", 6) == 0;
    if (a->n_matches > 1 && !dump) return command_usage("tsdb %s takes one --match", name);
    if ((a->n_labels || a->quiet) && !create) return command_usage("tsdb %s knows neither --label nor --quiet", name);
    int code = parse_range(a, start, end);
    return code ? code : parse_values(a);
}

void tsdb_args_done(TsdbArgs *a) { a->arena = arena_free(a->arena); }

/* --- directories --- */
static bool has(const char *dir, const char *name) {
    char path[FS_PATH_MAX];
    fs_path_join(path, dir, name);
    return fs_real()->ops->exists(fs_real(), path);
}

TsdbKind tsdb_kind(const char *dir) {
    if (has(dir, "metrics/parts")) return TSDB_MEERKAT;
    if (has(dir, "wal") || has(dir, "chunks_head") || has(dir, "meta.json")) return TSDB_PROMETHEUS;
    Arena *arena = arena_create(ARENA_UNLIMITED);
    TsdbBlockInfo *v;
    size_t n;
    bool blocks = tsdb_blocks(fs_real(), dir, arena, &v, &n, NULL, NULL) == OK && n > 0;
    arena_free(arena);
    return blocks ? TSDB_PROMETHEUS : TSDB_NEITHER;
}

ErrCode tsdb_kind_error(const char *dir, Err *reterr) {
    err_set(reterr, ERR_NOT_FOUND, "%s is no data directory of Meerkat or Prometheus", dir);
    err_hint(reterr, "give the directory that holds \"metrics\", or the blocks and \"wal\" of Prometheus");
    return ERR_NOT_FOUND;
}

ErrCode tsdb_store_open(const char *data_dir, bool merge, TsdbStore *ret, Err *reterr) {
    char dir[FS_PATH_MAX];
    *ret = (TsdbStore){0};
    MetricsStoreOptions o = {.durable = true, .retention_ms = INT64_MAX / 2, .no_maintenance = !merge};
    ErrCode code = datadir_open(fs_real(), data_dir, &ret->dir, reterr);
    if (code == ERR_CONFLICT)
        err_hint(reterr, "a server is using it: stop it, or work on a snapshot (see docs/storage.md)");
    if (code == OK) code = datadir_sub(ret->dir, "metrics", dir, reterr);
    if (code == OK) code = metrics_store_open(fs_real(), dir, &o, &ret->store, reterr);
    if (code != OK) tsdb_store_close(ret);
    return code;
}

void tsdb_store_close(TsdbStore *s) {
    if (s->store) s->store->ops->close(s->store);
    s->store = NULL;
    s->dir = datadir_close(s->dir);
}

/* --- output --- */
static bool print(Buf *out) {
    bool ok = fwrite(out->p ? out->p : "", 1, out->n, stdout) == out->n;
    buf_clear(out);
    return ok;
}

static void put_pair(Buf *out, Label l) {
    if (label_name_is_legacy(l.name))
        buf_put_str(out, l.name);
    else
        lang_put_quoted(out, l.name);
    buf_put_char(out, '=');
    lang_put_quoted(out, l.value);
}

void tsdb_put_labels(Buf *out, Labels l) {
    buf_put_char(out, '{');
    for (size_t i = 0; i < l.n; i++) {
        if (i) buf_put_lit(out, ", ");
        put_pair(out, l.v[i]);
    }
    buf_put_char(out, '}');
}

void tsdb_put_duration(Buf *out, int64_t ms) {
    duration_put_go(out, ms > INT64_MAX / NS_PER_MS ? INT64_MAX : ms * NS_PER_MS);
}

void tsdb_put_time(Buf *out, int64_t ms, bool human_readable) {
    if (!human_readable) {
        num_put_i64(out, ms);
        return;
    }
    Buf t = {0};
    int64_t seconds = ms / 1000;
    time_put_rfc3339(&t, seconds * NS_PER_S); /* 2023-01-02T03:04:05Z */
    buf_printf(out, "%.10s %.8s +0000 UTC", buf_cstr(&t), buf_cstr(&t) + 11);
    buf_done(&t);
}

/* 1GiB2MiB3KiB4B: every unit that is not zero. */
void tsdb_put_bytes(Buf *out, uint64_t n, bool human_readable) {
    static const char *const units[] = {"TiB", "GiB", "MiB", "KiB", "B"};
    if (!human_readable || n == 0) {
        num_put_u64(out, n);
        if (human_readable) buf_put_char(out, 'B');
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        uint64_t unit = (uint64_t)1 << (10 * (ARRAY_LEN(units) - 1 - i)), part = n / unit;
        if (part) buf_printf(out, "%llu%s", (unsigned long long)part, units[i]);
        n %= unit;
    }
}

void tsdb_put_table(Buf *out, Str rows) {
    enum { CELLS_MAX = 16, MIN_WIDTH = 13, GAP = 2 };
    size_t width[CELLS_MAX] = {0};
    Str rest = rows, line, cell;
    while (str_split_next(&rest, '\n', &line)) {
        for (size_t i = 0; str_split_next(&line, '\t', &cell) && i < CELLS_MAX; i++)
            width[i] = MAX(width[i], cell.n + GAP);
    }
    rest = rows;
    while (str_split_next(&rest, '\n', &line)) {
        if (line.n == 0) continue;
        for (size_t i = 0; str_split_next(&line, '\t', &cell) && i < CELLS_MAX; i++) {
            buf_put_str(out, cell);
            for (size_t k = cell.n; line.p && k < MAX(width[i], MIN_WIDTH); k++) buf_put_char(out, ' ');
        }
        buf_put_char(out, '\n');
    }
}

static ErrCode no_dir(Err *reterr, Buf *out ATTR_UNUSED, const char *dir) { return tsdb_kind_error(dir, reterr); }

/* --- list --- */
ErrCode tsdb_blocks_list(const char *dir, Str but, bool human_readable, Buf *out, Err *reterr) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    TsdbBlockInfo *v;
    size_t n;
    Err bad = {0};
    Buf rows = {0};
    ErrCode code = tsdb_blocks(fs_real(), dir, arena, &v, &n, &bad, reterr);
    buf_put_lit(&rows, "BLOCK ULID\tMIN TIME\tMAX TIME\tDURATION\tNUM SAMPLES\tNUM CHUNKS\tNUM SERIES\tSIZE\n");
    for (size_t i = 0; code == OK && i < n; i++) {
        const TsdbMeta *m = &v[i].meta;
        if (str_contains(but, str_cstr(m->ulid))) continue;
        buf_printf(&rows, "%s\t", m->ulid);
        tsdb_put_time(&rows, m->min_t, human_readable);
        buf_put_char(&rows, '\t');
        tsdb_put_time(&rows, m->max_t, human_readable);
        buf_put_char(&rows, '\t');
        tsdb_put_duration(&rows, m->max_t - m->min_t);
        buf_printf(&rows, "\t%llu\t%llu\t%llu\t", (unsigned long long)m->samples, (unsigned long long)m->chunks,
            (unsigned long long)m->series);
        tsdb_put_bytes(&rows, v[i].size_bytes, human_readable);
        buf_put_char(&rows, '\n');
    }
    if (code == OK) tsdb_put_table(out, buf_str(&rows));
    if (bad.msg[0]) fprintf(stderr, "meerkat: %s\n", bad.msg);
    buf_done(&rows);
    arena_free(arena);
    return code;
}

static const char *dir_of(const TsdbArgs *a) {
    return a->n_args ? a->args[0] : a->data_dir ? a->data_dir : "./meerkat-data";
}

static int finish(TsdbArgs *a, ErrCode code, const Err *err, Buf *out) {
    if (code == OK && !print(out)) code = ERR_IO;
    buf_done(out);
    tsdb_args_done(a);
    return code == OK ? 0 : command_fail(err);
}

int cmd_tsdb_list(int argc, char **argv) {
    TsdbArgs a;
    Err err = {0};
    Buf out = {0};
    int usage = tsdb_args_parse(&a, "list", argc, argv);
    if (usage) return tsdb_args_done(&a), usage;
    const char *dir = dir_of(&a);
    TsdbKind kind = tsdb_kind(dir);
    ErrCode code = kind == TSDB_MEERKAT      ? tsdb_parts_list(dir, a.human_readable, &out, &err)
                   : kind == TSDB_PROMETHEUS ? tsdb_blocks_list(dir, STR_NULL, a.human_readable, &out, &err)
                                             : no_dir(&err, &out, dir);
    return finish(&a, code, &err, &out);
}

/* --- analyze --- */
static bool add_series(void *ctx, const TsdbSeriesInfo *s) {
    tsdb_analysis_add(ctx, s);
    return true;
}

static const TsdbBlockInfo *choose_block(const TsdbBlockInfo *v, size_t n, const char *ulid) {
    if (!ulid) return n ? &v[n - 1] : NULL;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(v[i].meta.ulid, ulid) == 0) return &v[i];
    }
    return NULL;
}

static ErrCode analyze_block(const TsdbArgs *a, const TsdbBlockInfo *info, Buf *out, Err *reterr) {
    char dir[FS_PATH_MAX];
    TsdbBlock *block;
    TsdbProblems problems = {0};
    snprintf(dir, sizeof dir, "%.*s", (int)info->dir.n, info->dir.p);
    ErrCode code = tsdb_block_open(fs_real(), dir, &block, reterr);
    if (code != OK) return code;
    TsdbAnalysis *x = tsdb_analysis_create(info->meta.min_t, info->meta.max_t, a->matchers);
    code = tsdb_block_series(block, a->extended, add_series, x, &problems, reterr);
    if (code == OK) {
        buf_printf(out, "Block ID: %s\nDuration: ", info->meta.ulid);
        tsdb_put_duration(out, info->meta.max_t - info->meta.min_t);
        /* Of the block, not of the selection. */
        buf_printf(out, "\nTotal Series: %zu\n", tsdb_block_series_count(block));
        tsdb_analysis_put(x, a->match, a->limit_n, a->extended, out);
    }
    if (problems.first[0]) fprintf(stderr, "meerkat: damaged series left out: %s\n", problems.first);
    tsdb_analysis_free(x);
    tsdb_block_close(block);
    return code;
}

static ErrCode analyze_blocks(const TsdbArgs *a, const char *dir, Buf *out, Err *reterr) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    TsdbBlockInfo *v;
    size_t n;
    const char *ulid = a->n_args > 1 ? a->args[1] : NULL;
    ErrCode code = tsdb_blocks(fs_real(), dir, arena, &v, &n, NULL, reterr);
    const TsdbBlockInfo *info = code == OK ? choose_block(v, n, ulid) : NULL;
    if (code == OK && !info)
        code = ulid ? err_set(reterr, ERR_NOT_FOUND, "block %s not found", ulid)
                    : err_set(reterr, ERR_NOT_FOUND, "no blocks found");
    if (code == OK) code = analyze_block(a, info, out, reterr);
    arena_free(arena);
    return code;
}

int cmd_tsdb_analyze(int argc, char **argv) {
    TsdbArgs a;
    Err err = {0};
    Buf out = {0};
    int usage = tsdb_args_parse(&a, "analyze", argc, argv);
    if (usage) return tsdb_args_done(&a), usage;
    const char *dir = dir_of(&a);
    TsdbKind kind = tsdb_kind(dir);
    ErrCode code = kind == TSDB_MEERKAT      ? tsdb_parts_analyze(&a, dir, &out, &err)
                   : kind == TSDB_PROMETHEUS ? analyze_blocks(&a, dir, &out, &err)
                                             : no_dir(&err, &out, dir);
    return finish(&a, code, &err, &out);
}

/* --- dump --- */
typedef struct Dump {
    Buf labels, out;
    const Matchers *any_of; /* several selectors: one must match */
    size_t n_any;
    bool openmetrics, series_json;
    bool broken; /* nobody reads any more */
} Dump;

static void put_line_end(const Dump *d, Buf *out, int64_t t) {
    buf_put_char(out, ' ');
    if (d->openmetrics)
        buf_printf(out, "%.3f", (double)t / 1000);
    else
        num_put_i64(out, t);
    buf_put_char(out, '\n');
}

/* name{labels}: the form of exposition texts, which have no native histograms. */
static void put_openmetrics_labels(Buf *out, Labels l) {
    size_t n = 0;
    buf_put_str(out, labels_get(l, LABEL_NAME_METRIC));
    buf_put_char(out, '{');
    for (size_t i = 0; i < l.n; i++) {
        if (str_eq(l.v[i].name, LABEL_NAME_METRIC)) continue;
        if (n++) buf_put_char(out, ',');
        put_pair(out, l.v[i]);
    }
    buf_put_char(out, '}');
}

static bool is_meant(const Dump *d, Labels l) {
    for (size_t i = 0; i < d->n_any; i++)
        if (matchers_match(d->any_of[i], l)) return true;
    return d->n_any == 0;
}

static bool dump_series(void *ctx, const SeriesColumn *s) {
    Dump *d = ctx;
    if (!is_meant(d, s->labels)) return true;
    buf_clear(&d->labels);
    if (d->series_json) {
        labels_put_json(&d->out, s->labels);
        buf_put_char(&d->out, '\n');
        return d->out.n <= (1u << 16) || print(&d->out) || (d->broken = true, false);
    }
    if (d->openmetrics)
        put_openmetrics_labels(&d->labels, s->labels);
    else
        tsdb_put_labels(&d->labels, s->labels);
    for (size_t i = 0, k = d->openmetrics ? s->n_histograms : 0; i < s->n || k < s->n_histograms;) {
        bool is_float = i < s->n && (k == s->n_histograms || s->t_ms[i] <= s->histogram_t_ms[k]);
        buf_put_str(&d->out, buf_str(&d->labels));
        buf_put_char(&d->out, ' ');
        if (is_float) {
            num_put_f64_go_g(&d->out, s->value[i]);
            put_line_end(d, &d->out, s->t_ms[i++]);
        } else {
            promql_put_histogram_text(&d->out, &s->histograms[k]);
            put_line_end(d, &d->out, s->histogram_t_ms[k++]);
        }
        if (d->out.n > (1u << 16) && !print(&d->out)) d->broken = true;
        if (d->broken) return false;
    }
    return true;
}

static ErrCode dump_store(MetricsStore *store, const TsdbArgs *a, const _Atomic bool *cancel, Err *reterr) {
    Dump d = {.openmetrics = a->openmetrics, .series_json = a->format && strcmp(a->format, "seriesjson") == 0};
    MetricsSelect req = {.min_t_ms = a->min_t, .max_t_ms = a->max_t, .cancel = cancel};
    if (a->n_matches > 1)
        d.any_of = a->any_of, d.n_any = a->n_matches;
    else
        req.matchers = a->matchers;
    req.arena = arena_create(ARENA_UNLIMITED);
    ErrCode code = store->ops->visit(store, &req, false, dump_series, &d, reterr);
    if (code == OK && d.openmetrics) buf_put_lit(&d.out, "# EOF\n");
    if (code == OK && !d.broken) (void)print(&d.out);
    arena_free(req.arena);
    buf_done(&d.labels);
    buf_done(&d.out);
    return code;
}

/* --- temporary stores --- */
ErrCode tsdb_append(void *store, const MetricsBatch *b, MetricsAppendResult *ret, Err *reterr) {
    MetricsStore *s = store;
    ErrCode code;
    while ((code = s->ops->append(s, b, ret, reterr)) == ERR_OVERLOADED) clock_sleep_ms(50);
    return code;
}

ErrCode tsdb_temp_open(TsdbTemp *ret, Err *reterr) {
    const char *tmp = getenv("TMPDIR");
    if (!tmp || !*tmp || strlen(tmp) > 256) tmp = "/tmp";
    *ret = (TsdbTemp){0};
    snprintf(ret->path, sizeof ret->path, "%s/meerkat-tsdb-XXXXXX", tmp);
    if (!mkdtemp(ret->path)) return err_set(reterr, ERR_IO, "no temporary directory can be made below %s", tmp);
    MetricsStoreOptions o = {.retention_ms = INT64_MAX / 2, .no_maintenance = true};
    ErrCode code = metrics_store_open(fs_real(), ret->path, &o, &ret->store, reterr);
    if (code != OK) tsdb_temp_close(ret);
    return code;
}

void tsdb_temp_close(TsdbTemp *t) {
    if (t->store) t->store->ops->close(t->store);
    t->store = NULL;
    (void)fs_remove_tree(fs_real(), t->path, NULL);
}

/* Blocks overlap, and the newest samples are in the log only: everything is gathered in a store of its own first. */
static ErrCode dump_prometheus(const char *dir, const TsdbArgs *a, const _Atomic bool *cancel, Err *reterr) {
    TsdbTemp t;
    TsdbImportResult r = {0};
    ErrCode code = tsdb_temp_open(&t, reterr);
    if (code != OK) return code;
    TsdbImport im = {.fs = fs_real(), .dir = dir, .min_t = a->min_t, .max_t = a->max_t, .append = tsdb_append};
    im.ctx = t.store;
    im.cancel = cancel;
    code = tsdb_import(&im, &r, reterr);
    if (code == OK) code = dump_store(t.store, a, cancel, reterr);
    if (code == OK && (r.problems.first[0] || r.blocks_failed))
        code = err_set(reterr, ERR_CORRUPT, "damaged data left out, first of it: %s", r.problems.first);
    tsdb_temp_close(&t);
    return code;
}

/* What could be read is printed; that it is not all has to be known to scripts, too. */
static ErrCode check_whole(MetricsStore *s, Err *reterr) {
    MetricsStoreStats stats;
    s->ops->stats(s, &stats);
    if (stats.corrupt_parts + stats.wal_corrupt_frames == 0) return OK;
    return err_set(reterr, ERR_CORRUPT, "damaged data left out: %" PRIu64 " parts or blocks, %" PRIu64 " records%s%s",
        stats.corrupt_parts, stats.wal_corrupt_frames, stats.wal_problem[0] ? "; " : "", stats.wal_problem);
}

static int run_dump(const char *name, bool openmetrics, int argc, char **argv) {
    TsdbArgs a;
    Err err = {0};
    Buf out = {0};
    int usage = tsdb_args_parse(&a, name, argc, argv);
    a.openmetrics = openmetrics;
    if (usage) return tsdb_args_done(&a), usage;
    const char *dir = dir_of(&a);
    TsdbKind kind = tsdb_kind(dir);
    const _Atomic bool *cancel = progress_watch_signals();
    TsdbStore s;
    ErrCode code = kind == TSDB_MEERKAT      ? tsdb_store_open(dir, false, &s, &err)
                   : kind == TSDB_PROMETHEUS ? dump_prometheus(dir, &a, cancel, &err)
                                             : no_dir(&err, &out, dir);
    if (kind == TSDB_MEERKAT && code == OK) {
        code = dump_store(s.store, &a, cancel, &err);
        if (code == OK) code = check_whole(s.store, &err);
        tsdb_store_close(&s);
    }
    progress_unwatch_signals();
    return finish(&a, code, &err, &out);
}

int cmd_tsdb_dump(int argc, char **argv) { return run_dump("dump", false, argc, argv); }
int cmd_tsdb_dump_openmetrics(int argc, char **argv) { return run_dump("dump-openmetrics", true, argc, argv); }
