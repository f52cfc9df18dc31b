/* mailbox.h - bounded many-producers, one-consumer queue of pointers, with a budget in bytes. */
#ifndef MEERKAT_SYS_MAILBOX_H
#define MEERKAT_SYS_MAILBOX_H

#include "base/err.h"

typedef struct Mailbox Mailbox;

/* Memory for the queue itself grows with its use, up to items_max (>= 1) pointers. */
ATTR_MUST Mailbox *mailbox_create(size_t items_max, size_t bytes_max);
Mailbox *mailbox_free(Mailbox *mb); /* must be empty or its items borrowed; NULL is fine; returns NULL */
/* ERR_OVERLOADED when items or bytes are at their maximum, ERR_UNAVAILABLE after close. An item larger than the
 * whole byte budget is taken when the mailbox is empty: refusing it for ever would make its sender retry for ever. */
ErrCode mailbox_put(Mailbox *mb, void *item, size_t bytes);
/* Takes up to max items in order, waiting up to timeout_ms for the first (-1: for ever). 0: timed out, or closed and
 * empty. Their bytes leave the budget here. */
size_t mailbox_take(Mailbox *mb, void **items, size_t max, int64_t timeout_ms);
void mailbox_close(Mailbox *mb); /* the consumer drains what is left */
bool mailbox_is_closed(const Mailbox *mb);
size_t mailbox_count(const Mailbox *mb); /* a moment's view */

#endif
