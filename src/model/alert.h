/* alert.h - an alert: what rules make, the Alertmanager keeps and notifications carry. No I/O.
 *
 * Identity is the label set. Times are ns since the epoch, 0: not known. */
#ifndef MEERKAT_MODEL_ALERT_H
#define MEERKAT_MODEL_ALERT_H

#include "model/labels.h"

typedef struct Alert {
    Labels labels;      /* sorted, without empty values, alertname among them as a rule */
    Labels annotations; /* sorted */
    int64_t starts_ns;
    int64_t ends_ns; /* resolved when it is not 0 and not after now */
    int64_t updated_ns;
    Str generator_url;
    bool timeout; /* ends_ns was set by the Alertmanager's resolve_timeout, not by the sender */
    bool by_name; /* of a built-in rule: only for routes that name it, kept only where there is one */
} Alert;

static inline bool alert_is_resolved(const Alert *a, int64_t now_ns) { return a->ends_ns != 0 && a->ends_ns <= now_ns; }
/* 64-bit FNV-1a over name, 0xFF, value, 0xFF of the sorted labels: Prometheus' and Alertmanager's fingerprint. */
uint64_t alert_fingerprint(Labels labels);

#endif
