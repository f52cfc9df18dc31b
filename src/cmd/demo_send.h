/* demo_send.h - sends export requests in parallel lanes: in order within a lane, compressed, with retries. */
#ifndef MEERKAT_CMD_DEMO_SEND_H
#define MEERKAT_CMD_DEMO_SEND_H

#include "base/err.h"
#include "cmd/demo.h"

typedef struct DemoSender DemoSender;

/* endpoint: "http://127.0.0.1:4318", with or without a slash at the end; copied. ERR_UNAVAILABLE when no thread can
 * be started. */
ErrCode demo_sender_create(const char *endpoint, DemoSender **ret, Err *reterr);
/* Ends at once; what is still waiting is dropped. */
DemoSender *demo_sender_free(DemoSender *s);
/* Queues a request (a DemoEmit with the sender as ctx). Waits while the lane is full. After a failure requests are
 * dropped. */
void demo_sender_put(void *sender, DemoSignal signal, unsigned lane, Buf *body, size_t records);
/* Waits until everything is answered or one request has failed for good; then that is the error. At most
 * timeout_ms (-1: no limit): ERR_TIMEOUT. */
ErrCode demo_sender_wait(DemoSender *s, int64_t timeout_ms, Err *reterr);
/* OK, or what went wrong for good. */
ErrCode demo_sender_error(DemoSender *s, Err *reterr);
/* Makes requests end instead of being tried again. */
void demo_sender_stop(DemoSender *s);
/* Records that receivers took in but did not keep (partial success); the first reason, up to 200 bytes. */
uint64_t demo_sender_rejected(DemoSender *s, char ret_reason[256]);

#endif
