/* server_scrape.c - prometheus.yml into the scraper, at start and at reload. */
#include "cmd/command.h"
#include "cmd/server_int.h"
#include "sys/fs.h"
#include "sys/process.h"

#include <stdio.h>

#define PROM_CONFIG_MAX (16u << 20)
/* A connection per target; the hard limit where it is lower, which it nearly always is. */
#define MAX_FILES (1u << 20)

static Str dir_of(Str path) {
    size_t slash = str_rfind_char(path, '/');
    return slash == SIZE_MAX ? STR(".") : slash == 0 ? STR("/") : str_slice(path, 0, slash);
}

/* Parses the file and prints what is wrong or ignored. NULL: it cannot be used. */
static PromConfig *parse_file(const char *path, Str text, Err *reterr) {
    DiagList diags;
    PromConfig *config = NULL;
    diag_init(&diags, str_cstr(path), text);
    ErrCode r = prom_config_parse(text, dir_of(str_cstr(path)), &config, &diags);
    if (r != OK)
        err_set(reterr, r, "%s is not usable: %zu error%s", path, diag_error_count(&diags),
            diag_error_count(&diags) == 1 ? "" : "s");
    Buf out = {0};
    diag_render(&diags, &out, command_colour());
    fwrite(out.p ? out.p : "", 1, out.n, stderr);
    buf_done(&out);
    diag_done(&diags);
    return config;
}

/* Anyone who may ask the API sees it: without secrets. */
static void keep_text(Server *s, Str text) {
    Buf safe = {0};
    prom_config_put_safe(text, &safe);
    mutex_lock(&s->scrape_mutex);
    buf_done(&s->scrape_text);
    s->scrape_text = safe;
    mutex_unlock(&s->scrape_mutex);
}

/* Rules can be refused, endpoints hardly; at the start these come first, so that they miss nothing. */
static ErrCode load_rest(Server *s, PromConfig *config, Err *reterr) {
    bool first = !atomic_load(&s->ready);
    ErrCode r = first ? server_load_remote(s, config, reterr) : OK;
    if (r == OK) r = server_load_rules(s, config, reterr);
    if (r == OK && !first) r = server_load_remote(s, config, reterr);
    return r;
}

static void apply_otlp(Server *s, const PromOtlp *o) {
    static const OtlpTranslationKind kinds[] = {[OTLP_UNDERSCORES_SUFFIXES] = OTLP_ESCAPED_WITH_SUFFIXES,
        [OTLP_UNDERSCORES] = OTLP_ESCAPED_WITHOUT_SUFFIXES,
        [OTLP_UTF8_SUFFIXES] = OTLP_UTF8_WITH_SUFFIXES,
        [OTLP_VERBATIM] = OTLP_AS_IT_IS};
    PromStrings attributes = o->promote_all ? o->ignore : o->promote;
    collector_set_metric_options(s->collector, &(OtlpMetricOptions){.translation = kinds[o->translation],
                                                   .promote_all = o->promote_all,
                                                   .attributes = attributes.v,
                                                   .n_attributes = attributes.n,
                                                   .keep_identifying = o->keep_identifying,
                                                   .histograms_to_nhcb = o->histograms_to_nhcb,
                                                   .promote_scope = o->promote_scope,
                                                   .no_label_prefix = o->no_label_underscore_prefix,
                                                   .collapse_underscores = o->collapse_label_underscores});
}

static ErrCode load_file(Server *s, const char *path, Err *reterr) {
    Buf text = {0};
    ErrCode r = fs_read_file(fs_real(), path, PROM_CONFIG_MAX, &text, reterr);
    if (r == OK) {
        PromConfig *config = parse_file(path, buf_str(&text), reterr);
        if (!config) {
            r = ERR_INVALID;
        } else if ((r = load_rest(s, config, reterr)) == OK) {
            prom_api_set_config(s->prom_api, config->external_labels, config->evaluation_interval_ms);
            apply_otlp(s, &config->otlp);
            scrape_manager_apply(s->scraper, config);
            keep_text(s, buf_str(&text));
        } else {
            prom_config_free(config);
        }
    }
    buf_done(&text);
    return r;
}

static void warn(void *ctx, Str pool, Str url, const char *text) {
    (void)ctx;
    char *job = str_dup_cstr(pool), *target = str_dup_cstr(url);
    log_warn("scrape", "job", job, "target", target, "warning", text, NULL);
    mem_free(job);
    mem_free(target);
}

static void warn_of_files(void *ctx, size_t targets, uint64_t max_files) {
    char have[24], want[24];
    (void)ctx;
    snprintf(have, sizeof have, "%llu", (unsigned long long)max_files);
    snprintf(want, sizeof want, "%zu", targets);
    log_warn(
        "fewer files may be open than connections to all targets need: they are made anew for every scrape. Raise the "
        "limit (ulimit -n, LimitNOFILE=)",
        "limit", have, "targets", want, NULL);
}

ErrCode server_open_scraper(Server *s, Err *reterr) {
    char *dns = s->config->scrape.dns_servers.n ? str_dup_cstr(s->config->scrape.dns_servers) : NULL;
    bool starts = s->config->scrape.start_timestamps || s->config->scrape.zero_starts;
    ScrapeManagerOptions opts = {
        .user_agent = "Meerkat", .dns_servers = dns, .created = starts, .warn = warn, .short_of_files = warn_of_files};
    process_raise_max_fds(MAX_FILES);
    ErrCode code = scrape_manager_create(s->metrics, &opts, &s->scraper, reterr);
    mem_free(dns);
    return code;
}

ErrCode server_load_scrape(Server *s, bool first, Err *reterr) {
    if (s->config->files.prometheus.n == 0) {
        ErrCode r = load_rest(s, NULL, reterr);
        if (r == OK && !first) scrape_manager_apply(s->scraper, NULL);
        return r;
    }
    char *path = str_dup_cstr(s->config->files.prometheus);
    ErrCode r = load_file(s, path, reterr);
    mem_free(path);
    return r;
}
