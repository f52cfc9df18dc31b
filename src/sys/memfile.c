#include "sys/memfile.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

ErrCode memfile_create(Str data, MemFile *ret, Err *reterr) {
    int fd = memfd_create("meerkat", MFD_CLOEXEC);
    if (fd < 0) return err_set(reterr, ERR_IO, "memory file: %s", strerror(errno));
    while (data.n) {
        ssize_t n = write(fd, data.p, data.n);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            close(fd);
            return err_set(reterr, ERR_IO, "memory file: %s", strerror(errno));
        }
        data = str_skip(data, (size_t)n);
    }
    ret->fd = fd;
    snprintf(ret->path, sizeof ret->path, "/proc/self/fd/%d", fd);
    return OK;
}

void memfile_close(MemFile *f) {
    if (f) close(f->fd);
}
