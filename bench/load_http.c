#include "load_http.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define ANSWER_MAX (1u << 20)

bool load_url_parse(const char *text, LoadUrl *ret) {
    *ret = (LoadUrl){.port = "80", .path = "/"};
    return sscanf(text, "http://%127[^:/]:%7[0-9]%511s", ret->host, ret->port, ret->path) >= 2;
}

static int open_socket(const LoadUrl *url) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    int fd = -1, on = 1;
    if (getaddrinfo(url->host, url->port, &hints, &list) != 0) return -1;
    for (struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
            (void)close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    if (fd >= 0) (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static bool send_all(int fd, Str head, Str body) {
    while (head.n + body.n) {
        struct iovec v[2] = {{(void *)(uintptr_t)head.p, head.n}, {(void *)(uintptr_t)body.p, body.n}};
        struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
        ssize_t n = sendmsg(fd, &m, MSG_NOSIGNAL);
        if (n <= 0) return false;
        size_t of_head = MIN((size_t)n, head.n), of_body = (size_t)n - of_head;
        head = str_of(head.p + of_head, head.n - of_head);
        body = str_of(body.p + of_body, body.n - of_body);
    }
    return true;
}

/* The length of the answer's body by its header; 0 when it says nothing (204). */
static size_t body_length(const char *head) {
    for (const char *line = strchr(head, '\n'); line; line = strchr(line + 1, '\n'))
        if (strncasecmp(line + 1, "content-length:", 15) == 0) return strtoul(line + 16, NULL, 10);
    return 0;
}

static int read_answer(LoadConn *c) {
    buf_clear(&c->answer);
    const char *end = NULL;
    size_t need = 0;
    while (!end || c->answer.n < need) {
        buf_reserve(&c->answer, 4096);
        ssize_t n = recv(c->fd, c->answer.p + c->answer.n, 4096, 0);
        if (n <= 0 || c->answer.n > ANSWER_MAX) return 0;
        c->answer.n += (size_t)n;
        if (!end && (end = strstr(buf_cstr(&c->answer), "\r\n\r\n")))
            need = (size_t)(end + 4 - c->answer.p) + body_length(c->answer.p);
    }
    int status = 0;
    return sscanf(buf_cstr(&c->answer), "HTTP/1.1 %d", &status) == 1 ? status : 0;
}

int load_post(LoadConn *c, const LoadUrl *url, const char *headers, Str body) {
    if (c->fd < 0) c->fd = open_socket(url);
    if (c->fd < 0) return 0;
    buf_clear(&c->head);
    buf_printf(&c->head, "POST %s HTTP/1.1\r\nHost: %s:%s\r\nContent-Length: %zu\r\n%s\r\n", url->path, url->host,
        url->port, body.n, headers);
    int status = send_all(c->fd, buf_str(&c->head), body) ? read_answer(c) : 0;
    if (status == 0) {
        (void)close(c->fd);
        c->fd = -1;
    }
    return status;
}

void load_conn_done(LoadConn *c) {
    if (c->fd >= 0) (void)close(c->fd);
    c->fd = -1;
    buf_done(&c->head);
    buf_done(&c->answer);
}
