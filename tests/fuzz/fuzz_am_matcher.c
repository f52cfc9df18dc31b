/* Matchers of silences, routes and filters, by all parsers: what parses must print and parse again to the same. */
#include "alert/amlabel.h"
#include "alert/ammatch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    Str text = str_of((const char *)data, n);
    for (AmMatchMode mode = AM_MATCH_FALLBACK; mode <= AM_MATCH_CLASSIC; mode++) {
        Arena *arena = arena_create(8u << 20);
        Matchers ms = {0}, again = {0};
        const Matcher *one;
        Str suggestion;
        Err err;
        (void)ammatch_parse_one(text, mode, arena, &one, &err);
        if (ammatch_parse_list(text, mode, arena, &ms, &suggestion, &err) == OK && mode == AM_MATCH_UTF8) {
            Buf out = {0};
            amlabel_put_matchers(&out, ms);
            if (out.n < AM_MATCHER_TEXT_MAX &&
                ammatch_parse_list(buf_str(&out), mode, arena, &again, NULL, &err) == OK) {
                ASSERT(again.n == ms.n);
                for (size_t i = 0; i < ms.n; i++) ASSERT(amlabel_cmp_matcher(ms.v[i], again.v[i]) == 0);
            }
            buf_done(&out);
        }
        arena_free(arena);
    }
    return 0;
}
