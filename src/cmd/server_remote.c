/* server_remote.c - what the store takes, passed on to the endpoints of remote_write. */
#include "cmd/server_int.h"

#define FLUSH_MS 5000 /* at the end: what is not sent by then stays in the queue */

ErrCode server_open_remote(Server *s, Err *reterr) {
    char dir[FS_PATH_MAX];
    ErrCode r = datadir_sub(s->dir, "remote", dir, reterr);
    if (r != OK) return r;
    return remote_out_create(&(RemoteOutOptions){.fs = datadir_fs(s->dir),
                                 .dir = dir,
                                 .store = s->metrics,
                                 .durable = str_eq_lit(s->config->storage.durability, "fsync"),
                                 .queue_bytes = (uint64_t)s->config->remote_write.queue_bytes,
                                 .flush_ms = FLUSH_MS,
                                 .user_agent = "Meerkat"},
        &s->remote, reterr);
}

ErrCode server_load_remote(Server *s, PromConfig *config, Err *reterr) {
    remote_out_set_queue_bytes(s->remote, (uint64_t)s->config->remote_write.queue_bytes);
    return remote_out_apply(s->remote, config, reterr);
}
