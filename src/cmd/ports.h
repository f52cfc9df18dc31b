/* ports.h - the services and their ports, as one table for serve, status and the UI. */
#ifndef MEERKAT_CMD_PORTS_H
#define MEERKAT_CMD_PORTS_H

#include "cmd/config.h"

typedef struct ServicePort {
    const char *name;  /* listener's name: "prometheus" */
    const char *title; /* "Prometheus API" */
    const char *probe; /* path that answers 200 when the service works */
    bool is_grpc;      /* an HTTP/2 port: probed by a connection */
    size_t offset;     /* of its int64_t in Config */
} ServicePort;

extern const ServicePort service_ports[];
extern const size_t service_ports_n;

/* The port with server.port_offset; 0 when it is closed. */
uint16_t service_port(const Config *c, const ServicePort *p);

#endif
