/* scrape_format.c - which format a target is asked for, and which one its answer has. */
#include "metrics/scrape/scrape_int.h"

#define PROTO_TYPE "application/vnd.google.protobuf"

/* Falling weights from 0.7 on, as Prometheus 3.16 asks; names with an escaping only where the version knows it. */
void scrape_put_accept(Buf *b, const PromScrapeShared *s, bool starts) {
    static const char *const types[] = {[PROTOCOL_NONE] = "",
        [PROTOCOL_PROTO] = PROTO_TYPE ";proto=io.prometheus.client.MetricFamily;encoding=delimited",
        [PROTOCOL_TEXT_004] = "text/plain;version=0.0.4",
        [PROTOCOL_TEXT_100] = "text/plain;version=1.0.0",
        [PROTOCOL_OPENMETRICS_001] = "application/openmetrics-text;version=0.0.1",
        [PROTOCOL_OPENMETRICS_100] = "application/openmetrics-text;version=1.0.0"};
    static const char *const escapings[] = {[ESCAPE_DEFAULT] = "allow-utf-8",
        [ESCAPE_ALLOW_UTF8] = "allow-utf-8",
        [ESCAPE_UNDERSCORES] = "underscores",
        [ESCAPE_DOTS] = "dots",
        [ESCAPE_VALUES] = "values"};
    int weight = 7;
    bool proto_first = starts && s->default_protocols && s->protocols[0] != PROTOCOL_PROTO;
    buf_put_lit(b, "Accept: ");
    for (size_t i = 0; i < s->n_protocols + (size_t)proto_first; i++) {
        uint8_t p = !proto_first ? s->protocols[i] : i == 0 ? PROTOCOL_PROTO : s->protocols[i - 1];
        bool escapes = p == PROTOCOL_TEXT_100 || p == PROTOCOL_OPENMETRICS_100;
        buf_printf(b, "%s%s%s;q=0.%d,", types[p], escapes ? ";escaping=" : "", escapes ? escapings[s->escaping] : "",
            weight--);
    }
    buf_printf(b, "*/*;q=0.%d", weight);
}

static ScrapeFormat of_protocol(ScrapeProtocol p) {
    if (p == PROTOCOL_PROTO) return FORMAT_PROTO;
    return p == PROTOCOL_OPENMETRICS_001 || p == PROTOCOL_OPENMETRICS_100 ? FORMAT_OPENMETRICS : FORMAT_TEXT;
}

/* A length and a message whose first field is a name: no text begins like this. */
static bool looks_like_proto(Str body) {
    size_t i = 0;
    uint64_t length = 0;
    while (i < body.n && i < 5) {
        unsigned char c = (unsigned char)body.p[i];
        length |= (uint64_t)(c & 0x7f) << (7 * i);
        i++;
        if (c < 0x80) break;
    }
    if (i + 2 >= body.n || body.p[i] != 0x0a || length > body.n - i) return false;
    size_t name = (unsigned char)body.p[i + 1];
    if (name == 0 || name + 2 > length || name >= 0x80) return false;
    return str_is_utf8(str_slice(body, i + 2, i + 2 + name)) &&
           str_find_char(str_slice(body, i + 2, i + 2 + name), '\n') == SIZE_MAX;
}

ScrapeFormat scrape_format(Str content_type, ScrapeProtocol fallback, Str body, bool *ret_guessed) {
    size_t semicolon = str_find_char(content_type, ';');
    Str media = str_trim(semicolon == SIZE_MAX ? content_type : str_slice(content_type, 0, semicolon));
    *ret_guessed = false;
    if (str_eq_nocase(media, STR("text/plain"))) return FORMAT_TEXT;
    if (str_eq_nocase(media, STR("application/openmetrics-text"))) return FORMAT_OPENMETRICS;
    if (str_eq_nocase(media, STR(PROTO_TYPE)) && str_contains(content_type, STR("encoding=delimited")))
        return FORMAT_PROTO;
    if (fallback != PROTOCOL_NONE) return of_protocol(fallback);
    *ret_guessed = true;
    if (looks_like_proto(body)) return FORMAT_PROTO;
    bool known;
    return promtext_format(STR(""), body, &known) == PROMTEXT_OPENMETRICS ? FORMAT_OPENMETRICS : FORMAT_TEXT;
}
