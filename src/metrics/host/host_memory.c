/* host_memory.c - /proc/meminfo: every line is a gauge, "Active(anon)" becomes node_memory_Active_anon_bytes. */
#include "metrics/host/host_int.h"

bool host_memory(HostRound *r) {
    Str text, line, key, unit;
    if (!host_read(r, &text, "%s/meminfo", r->paths->proc)) return false;
    while (host_next_line(&text, &line)) {
        if (!host_next_word(&line, &key) || !str_ends_with(key, STR(":"))) continue;
        double v = host_next_number(&line);
        bool bytes = host_next_word(&line, &unit) && str_eq_lit(unit, "kB");
        Buf name = {0};
        buf_put_lit(&name, "node_memory_");
        for (size_t i = 0; i + 1 < key.n; i++) {
            if (key.p[i] == '(')
                buf_put_char(&name, '_');
            else if (key.p[i] != ')')
                buf_put_char(&name, key.p[i]);
        }
        if (bytes) buf_put_lit(&name, "_bytes");
        host_add(r, METRIC_GAUGE, host_cstr(r, buf_str(&name)), bytes ? v * 1024 : v, NULL);
        buf_done(&name);
    }
    return true;
}
