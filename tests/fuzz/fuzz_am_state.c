/* Stored records and messages of peers (the first byte says which): any bytes leave a state that can be written, and
 * read again to the same. */
#include "alert/am_cluster_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void frame(void *to, uint8_t type, Str payload) {
    Buf *b = to;
    buf_put_char(b, (char)type);
    buf_put_lenstr(b, payload);
}

static void apply_all(Alertmanager *am, Str records, bool peer) {
    Cursor c = cursor_of(records);
    if (peer) {
        am_cluster_apply(am, &c);
        return;
    }
    while (cursor_left(&c) && !c.bad) {
        uint8_t type = cursor_u8(&c);
        Str record = cursor_lenstr(&c);
        if (!c.bad) am_state_apply(am, type, record);
    }
}

static size_t count(Alertmanager *am) {
    return u64map_count(am->alerts) + map_count(am->silences) + u64map_count(am->saved);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    if (n < 1) return 0;
    AlertmanagerOptions o = {.dir = "/nowhere", .external_url = STR("http://am")};
    Alertmanager *am = am_new(&o), *again = am_new(&o);
    apply_all(am, str_of((const char *)data + 1, n - 1), data[0] & 1);
    Buf state = {0};
    am_state_dump(am, frame, &state);
    apply_all(again, buf_str(&state), false);
    ASSERT(count(am) == count(again));
    buf_done(&state);
    alertmanager_free(am);
    alertmanager_free(again);
    return 0;
}
