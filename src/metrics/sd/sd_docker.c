/* sd_docker.c - containers of a Docker daemon, over its Unix socket or TCP: one target per network and TCP port.
 * Source: Docker Engine API (/containers/json, /networks); labels as Prometheus' docker_sd_config documents them. */
#include "metrics/sd/sd_int.h"

#include "base/num.h"

#include <stdlib.h>

#define TIMEOUT_MS 30000
#define CONTAINER_HOPS_MAX 8
#define NETWORKS_MAX 64

typedef struct Docker {
    const PromSdConfig *config;
    const JsonValue *containers, *networks;
    SdBuilder *b;
} Docker;

static Str text_of(const JsonValue *object, const char *key) { return json_get_str(object, str_cstr(key)); }

static uint64_t number_of(const JsonValue *object, const char *key) {
    int64_t v;
    return json_get_i64(object, str_cstr(key), &v) && v > 0 ? (uint64_t)v : 0;
}

static void set_map(SdBuilder *b, Str prefix, const JsonValue *map) {
    for (const JsonValue *l = map ? map->first : NULL; l; l = l->next) {
        if (l->kind == JSON_K_STRING) sd_target_set(b, sd_name(b, prefix, l->key), l->text);
    }
}

static void set_bool(SdBuilder *b, Str name, const JsonValue *v) {
    sd_target_set(b, name, v && v->kind == JSON_K_BOOL && v->boolean ? STR("true") : STR("false"));
}

static void set_network(const Docker *d, Str id) {
    for (const JsonValue *n = d->networks ? d->networks->first : NULL; n; n = n->next) {
        if (!str_eq(text_of(n, "Id"), id)) continue;
        sd_target_set(d->b, STR("__meta_docker_network_id"), id);
        sd_target_set(d->b, STR("__meta_docker_network_name"), text_of(n, "Name"));
        sd_target_set(d->b, STR("__meta_docker_network_scope"), text_of(n, "Scope"));
        set_bool(d->b, STR("__meta_docker_network_internal"), json_get(n, STR("Internal")));
        set_bool(d->b, STR("__meta_docker_network_ingress"), json_get(n, STR("Ingress")));
        set_map(d->b, STR("__meta_docker_network_label_"), json_get(n, STR("Labels")));
        return;
    }
}

static Str network_mode(const JsonValue *c) { return text_of(json_get(c, STR("HostConfig")), "NetworkMode"); }

static const JsonValue *networks_of(const JsonValue *c) {
    const JsonValue *v = json_get(json_get(c, STR("NetworkSettings")), STR("Networks"));
    return v && v->kind == JSON_K_OBJECT && v->n ? v : NULL;
}

/* A container may use another one's network: "container:ID". */
static const JsonValue *effective_networks(const Docker *d, const JsonValue *c) {
    static const Str prefix = STR_INIT("container:");
    for (int hop = 0; hop < CONTAINER_HOPS_MAX && c; hop++) {
        const JsonValue *own = networks_of(c), *other = NULL;
        Str mode = network_mode(c);
        if (own || !str_starts_with(mode, prefix)) return own;
        for (const JsonValue *x = d->containers->first; x && !other; x = x->next)
            if (str_eq(text_of(x, "Id"), str_skip(mode, prefix.n))) other = x;
        c = other;
    }
    return NULL;
}

static void set_common(const Docker *d, const JsonValue *c) {
    const JsonValue *names = json_get(c, STR("Names"));
    sd_group_begin(d->b);
    sd_group_set(d->b, STR("__meta_docker_container_id"), text_of(c, "Id"));
    sd_group_set(d->b, STR("__meta_docker_container_name"), names->first->text);
    sd_group_set(d->b, STR("__meta_docker_container_network_mode"), network_mode(c));
    sd_group_set(d->b, STR("__meta_docker_container_image"), text_of(c, "Image"));
    sd_group_set(d->b, STR("__meta_docker_container_image_id"), text_of(c, "ImageID"));
    const JsonValue *labels = json_get(c, STR("Labels"));
    for (const JsonValue *l = labels ? labels->first : NULL; l; l = l->next) {
        if (l->kind == JSON_K_STRING)
            sd_group_set(d->b, sd_name(d->b, STR("__meta_docker_container_label_"), l->key), l->text);
    }
}

static void add_on_network(const Docker *d, const JsonValue *c, const JsonValue *network) {
    SdBuilder *b = d->b;
    Str ip = text_of(network, "IPAddress");
    if (!ip.n) ip = text_of(network, "GlobalIPv6Address");
    const JsonValue *ports = json_get(c, STR("Ports"));
    bool added = false;
    for (const JsonValue *p = ports ? ports->first : NULL; p; p = p->next) {
        if (!str_eq_lit(text_of(p, "Type"), "tcp")) continue;
        uint64_t private = number_of(p, "PrivatePort"), public = number_of(p, "PublicPort");
        sd_target_begin(b);
        sd_target_set(b, STR("__meta_docker_network_ip"), ip);
        sd_target_set(b, STR("__meta_docker_port_private"), sd_number(b, private));
        if (public) {
            sd_target_set(b, STR("__meta_docker_port_public"), sd_number(b, public));
            sd_target_set(b, STR("__meta_docker_port_public_ip"), text_of(p, "IP"));
        }
        set_network(d, text_of(network, "NetworkID"));
        sd_target_set(b, STR("__address__"), sd_host_port(b, ip, private));
        sd_target_end(b);
        added = true;
    }
    if (added) return;
    bool host = str_eq_lit(network_mode(c), "host");
    sd_target_begin(b);
    sd_target_set(b, STR("__meta_docker_network_ip"), ip);
    set_network(d, text_of(network, "NetworkID"));
    sd_target_set(b, STR("__address__"),
        host ? d->config->docker.host_networking_host : sd_host_port(b, ip, d->config->docker.port));
    sd_target_end(b);
}

static int by_key(const void *a, const void *b) {
    return str_cmp((*(const JsonValue *const *)a)->key, (*(const JsonValue *const *)b)->key);
}

static void add_container(const Docker *d, const JsonValue *c) {
    const JsonValue *names = json_get(c, STR("Names")), *networks = effective_networks(d, c);
    const JsonValue *v[NETWORKS_MAX];
    size_t n = 0;
    if (!names || names->kind != JSON_K_ARRAY || !names->first || !networks) return;
    for (const JsonValue *x = networks->first; x && n < NETWORKS_MAX; x = x->next)
        if (x->kind == JSON_K_OBJECT) v[n++] = x;
    if (n > 1) qsort(v, n, sizeof *v, by_key);
    if (!d->config->docker.all_networks) n = MIN(n, (size_t)1);
    set_common(d, c);
    for (size_t i = 0; i < n; i++) add_on_network(d, c, v[i]);
}

ErrCode sd_parse_docker(const PromSdConfig *c, Str containers, Str networks, SdBuilder *b, Err *reterr) {
    JsonValue *list, *nets;
    ErrCode code = json_parse(containers, b->arena, &list, reterr);
    if (code != OK) return err_prefix(reterr, "error while listing containers"), code;
    code = json_parse(networks, b->arena, &nets, reterr);
    if (code != OK) return err_prefix(reterr, "error while computing network labels"), code;
    if (list->kind != JSON_K_ARRAY) return err_set(reterr, ERR_INVALID, "error while listing containers: not a list");
    Docker d = {c, list, nets->kind == JSON_K_ARRAY ? nets : NULL, b};
    for (const JsonValue *x = list->first; x; x = x->next)
        if (x->kind == JSON_K_OBJECT) add_container(&d, x);
    return OK;
}

/* --- asking --- */
/* {"name":["value",..]} as a query parameter. */
static void put_filters(Buf *url, const PromParams *filters) {
    if (!filters->n) return;
    Buf json = {0};
    JsonWriter w = json_writer(&json);
    json_begin_object(&w);
    for (size_t i = 0; i < filters->n; i++) {
        json_key(&w, filters->v[i].name);
        json_begin_array(&w);
        for (size_t k = 0; k < filters->v[i].n; k++) json_str(&w, filters->v[i].values[k]);
        json_end_array(&w);
    }
    json_end_object(&w);
    buf_put_lit(url, "?filters=");
    http_url_encode(url, buf_str(&json));
    buf_done(&json);
}

static ErrCode ask(SdSource *s, Str path, const PromParams *filters, Buf *ret, Err *reterr) {
    static const Str unix_prefix = STR_INIT("unix://"), tcp_prefix = STR_INIT("tcp://");
    Str host = s->config->docker.host;
    Buf url = {0}, socket = {0};
    int status = 0;
    if (str_starts_with(host, unix_prefix)) {
        buf_put_str(&socket, str_skip(host, unix_prefix.n));
        buf_put_lit(&url, "http://docker");
    } else if (str_starts_with(host, tcp_prefix)) {
        bool tls = s->config->http.tls.ca_file.n || s->config->http.tls.cert_file.n;
        buf_put_str(&url, tls ? STR("https://") : STR("http://"));
        buf_put_str(&url, str_skip(host, tcp_prefix.n));
    } else {
        buf_put_str(&url, host);
    }
    buf_put_str(&url, path);
    if (filters) put_filters(&url, filters);
    HttpClientRequest req = {.url = buf_cstr(&url),
        .unix_socket = socket.n ? buf_cstr(&socket) : NULL,
        .timeout_ms = TIMEOUT_MS,
        .max_body_bytes = SD_ANSWER_BYTES_MAX};
    ErrCode code = prom_http_fetch(s->http, &req, &status, NULL, ret, reterr);
    if (code == OK && status != 200)
        code = err_set(reterr, ERR_UNAVAILABLE, "server returned HTTP status %d %s", status, http_status_text(status));
    buf_done(&url);
    buf_done(&socket);
    return code;
}

void sd_docker_run(SdSource *s) {
    do {
        SdBuilder b = sd_builder();
        Buf containers = {0}, networks = {0};
        Err err = {0};
        ErrCode code = ask(s, STR("/containers/json"), &s->config->docker.filters, &containers, &err);
        if (code != OK) err_prefix(&err, "error while listing containers");
        if (code == OK && (code = ask(s, STR("/networks"), NULL, &networks, &err)) != OK)
            err_prefix(&err, "error while computing network labels");
        if (code == OK)
            code = sd_parse_docker(
                s->config, sd_copy(&b, buf_str(&containers)), sd_copy(&b, buf_str(&networks)), &b, &err);
        buf_done(&containers);
        buf_done(&networks);
        if (code == OK) {
            sd_publish(s, &b);
        } else {
            sd_fail(s, "%.250s", err.msg);
            sd_builder_done(&b);
        }
    } while (sd_wait(s, MAX(s->config->refresh_ms, 100)));
}
