/* http1_reply.c - an exchange's response as libmicrohttpd's. */
#include "net/http1_int.h"

#define STREAM_BLOCK ((size_t)32 << 10)

void request1_done(Exchange *x) {
    Request1 *r = x->engine;
    atomic_store(&r->state, REQUEST1_DONE);
    MHD_resume_connection(r->mhd);
}

void request1_resume(Exchange *x) {
    Request1 *r = x->engine;
    MHD_resume_connection(r->mhd);
}

static void suspend_stream(Exchange *x) {
    Request1 *r = x->engine;
    MHD_suspend_connection(r->mhd);
}

static ssize_t pull_block(void *cls, uint64_t pos, char *buf, size_t max) {
    Request1 *r = cls;
    (void)pos;
    ptrdiff_t n = exchange_pull(r->x, buf, max, suspend_stream);
    if (n == HTTP_BODY_WAIT) return 0;
    if (n == HTTP_BODY_END) return MHD_CONTENT_READER_END_OF_STREAM;
    return n == HTTP_BODY_ERROR ? MHD_CONTENT_READER_END_WITH_ERROR : (ssize_t)n;
}

static void add_header(struct MHD_Response *out, Str name, Str value) {
    char *n = str_dup_cstr(name), *v = str_dup_cstr(value);
    MHD_add_response_header(out, n, v); /* refuses line breaks and empty values */
    mem_free(n);
    mem_free(v);
}

static struct MHD_Response *make_response(Request1 *r) {
    HttpResponse *res = &r->x->res;
    if (res->stream_fn) return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, pull_block, r, NULL);
    size_t n = res->body.n;
    if (n == 0) return MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
    r->x->bytes_out = n;
    char *p = buf_take(&res->body, &n);
    struct MHD_Response *out = MHD_create_response_from_buffer_with_free_callback(n, p, mem_free);
    if (!out) mem_free(p);
    return out;
}

enum MHD_Result request1_send(Request1 *r) {
    Exchange *x = r->x;
    HttpResponse *res = &x->res;
    if (x->answered) reply_finish(x);
    struct MHD_Response *out = make_response(r);
    if (!out) return MHD_NO;
    if (res->content_type.n) add_header(out, STR("Content-Type"), res->content_type);
    for (size_t i = 0; i < res->n_headers; i++) add_header(out, res->headers[i].name, res->headers[i].value);
    if (r->must_close || atomic_load(&x->server->draining)) MHD_add_response_header(out, "Connection", "close");
    conn1_set_state(r->conn, CONN1_ANSWER);
    enum MHD_Result ok = MHD_queue_response(r->mhd, (unsigned)res->status, out);
    MHD_destroy_response(out);
    return ok;
}
