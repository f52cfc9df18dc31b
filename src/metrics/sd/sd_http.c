/* sd_http.c - target groups from an HTTP server, asked every refresh_ms. */
#include "base/num.h"
#include "metrics/sd/sd_int.h"

#define TIMEOUT_MS 60000

static bool is_json(Str type) {
    size_t semicolon = str_find_char(type, ';');
    Str media = str_trim(semicolon == SIZE_MAX ? type : str_slice(type, 0, semicolon));
    return str_eq_nocase(media, STR("application/json"));
}

static ErrCode ask(SdSource *s, const char *url, const char *const *headers, SdBuilder *b, Err *reterr) {
    HttpClientRequest req = {.url = url,
        .headers = headers,
        .timeout_ms = TIMEOUT_MS,
        .accept_gzip = true,
        .max_body_bytes = SD_ANSWER_BYTES_MAX};
    Buf type = {0}, body = {0};
    int status = 0;
    ErrCode code = prom_http_fetch(s->http, &req, &status, &type, &body, reterr);
    if (code == OK && status != 200)
        code = err_set(reterr, ERR_UNAVAILABLE, "server returned HTTP status %d %s", status, http_status_text(status));
    if (code == OK && !is_json(buf_str(&type)))
        code = err_set(reterr, ERR_UNSUPPORTED, "unsupported content type \"%s\"", buf_cstr(&type));
    if (code == OK)
        code = sd_parse_json_groups(sd_copy(b, buf_str(&body)), STR("__meta_url"), s->config->url, b, reterr);
    buf_done(&type);
    buf_done(&body);
    return code;
}

void sd_http_run(SdSource *s) {
    Buf seconds = {0};
    Arena *arena = arena_create(ARENA_UNLIMITED);
    num_put_f64_prom(&seconds, (double)s->config->refresh_ms / 1000);
    const char *url = arena_copy(arena, s->config->url).p;
    const char *const headers[] = {"Accept: application/json",
        arena_printf(arena, "X-Prometheus-Refresh-Interval-Seconds: %s", buf_cstr(&seconds)).p, NULL};
    buf_done(&seconds);
    do {
        SdBuilder b = sd_builder();
        Err err = {0};
        if (ask(s, url, headers, &b, &err) == OK) {
            sd_publish(s, &b);
        } else {
            sd_fail(s, "%.250s", err.msg);
            sd_builder_done(&b);
        }
    } while (sd_wait(s, MAX(s->config->refresh_ms, 100)));
    arena_free(arena);
}
