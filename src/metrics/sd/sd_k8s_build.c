/* sd_k8s_build.c - targets of nodes, pods, services and ingresses. Labels as Prometheus documents them under
 * kubernetes_sd_config. */
#include "metrics/sd/sd_k8s_int.h"

#include "base/num.h"

#include <stdlib.h>

#define META "__meta_kubernetes_"

static Str lower(SdBuilder *b, Str s) {
    char *p = arena_alloc(b->arena, s.n + 1);
    if (!p) {
        b->exhausted = true;
        return STR("");
    }
    for (size_t i = 0; i < s.n; i++) p[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] + 32) : s.p[i];
    return str_of(p, s.n);
}

static uint64_t port_of(Str s) {
    uint64_t v;
    return num_parse_u64(s, &v) ? v : 0;
}

/* --- parts of several roles --- */
static void set_map(const K8sBuild *k, K8sSet set, const char *kind, const char *what, const JsonValue *first) {
    Str name = arena_printf(k->b->arena, META "%s_%s_", kind, what);
    Str present = arena_printf(k->b->arena, META "%s_%spresent_", kind, what);
    for (const JsonValue *v = first; v; v = v->next) {
        if (v->kind != JSON_K_STRING) continue;
        set(k->b, sd_name(k->b, name, v->key), v->text);
        set(k->b, sd_name(k->b, present, v->key), STR("true"));
    }
}

void k8s_set_meta(const K8sBuild *k, K8sSet set, const char *kind, const JsonValue *object, bool with_name) {
    if (with_name) set(k->b, arena_printf(k->b->arena, META "%s_name", kind), k8s_str(object, "metadata.name"));
    set_map(k, set, kind, "label", k8s_first(object, "metadata.labels"));
    set_map(k, set, kind, "annotation", k8s_first(object, "metadata.annotations"));
}

void k8s_set_namespace(const K8sBuild *k, const JsonValue *object) {
    Str ns = k8s_str(object, "metadata.namespace");
    sd_group_set(k->b, STR(META "namespace"), ns);
    const JsonValue *n =
        k->config->kubernetes.attach_namespace ? k8s_store_get(k->store, K8S_NAMESPACE, STR(""), ns) : NULL;
    if (n) k8s_set_meta(k, sd_group_set, "namespace", n, false);
}

void k8s_set_node_meta(const K8sBuild *k, K8sSet set, Str name) {
    const JsonValue *node = name.n ? k8s_store_get(k->store, K8S_NODE, STR(""), name) : NULL;
    if (node) k8s_set_meta(k, set, "node", node, true);
}

void k8s_set_service(const K8sBuild *k, const JsonValue *service) {
    k8s_set_meta(k, sd_group_set, "service", service, true);
}

/* --- node --- */
static Str node_address(const JsonValue *node) {
    static const char *const order[] = {
        "InternalIP", "InternalDNS", "ExternalIP", "ExternalDNS", "LegacyHostIP", "Hostname"};
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        for (const JsonValue *a = k8s_first(node, "status.addresses"); a; a = a->next)
            if (str_eq(k8s_str(a, "type"), str_cstr(order[i]))) return k8s_str(a, "address");
    }
    return STR("");
}

static bool type_seen(const JsonValue *node, const JsonValue *before, Str type) {
    for (const JsonValue *a = k8s_first(node, "status.addresses"); a != before; a = a->next)
        if (str_eq(k8s_str(a, "type"), type)) return true;
    return false;
}

static void build_node(const K8sBuild *k, const JsonValue *node) {
    SdBuilder *b = k->b;
    Str address = node_address(node), name = k8s_str(node, "metadata.name");
    if (!address.n) return;
    sd_group_begin(b);
    sd_group_set(b, STR(META "node_provider_id"), k8s_str(node, "spec.providerID"));
    for (const JsonValue *c = k8s_first(node, "status.conditions"); c; c = c->next)
        sd_group_set(
            b, sd_name(b, STR(META "node_condition_"), lower(b, k8s_str(c, "type"))), lower(b, k8s_str(c, "status")));
    k8s_set_meta(k, sd_group_set, "node", node, true);
    sd_target_begin(b);
    sd_target_set(b, STR("__address__"),
        sd_host_port(b, address, port_of(k8s_str(node, "status.daemonEndpoints.kubeletEndpoint.Port"))));
    sd_target_set(b, STR("instance"), name);
    for (const JsonValue *a = k8s_first(node, "status.addresses"); a; a = a->next) {
        Str type = k8s_str(a, "type");
        if (!type_seen(node, a, type)) /* the first address of each type */
            sd_target_set(b, sd_name(b, STR(META "node_address_"), type), k8s_str(a, "address"));
    }
    sd_target_end(b);
}

/* --- pod --- */
static Str pod_ready(const K8sBuild *k, const JsonValue *pod) {
    for (const JsonValue *c = k8s_first(pod, "status.conditions"); c; c = c->next)
        if (str_eq_lit(k8s_str(c, "type"), "Ready")) return lower(k->b, k8s_str(c, "status"));
    return STR("unknown");
}

static const JsonValue *controller_of(const JsonValue *object) {
    for (const JsonValue *o = k8s_first(object, "metadata.ownerReferences"); o; o = o->next)
        if (k8s_true(o, "controller")) return o;
    return NULL;
}

/* The name of what controls the pod's controller, an object of kind `of`, when that is a `kind`. */
static void set_grandparent(
    const K8sBuild *k, K8sSet set, const JsonValue *pod, K8sKind of, Str parent, const char *kind, Str label) {
    const JsonValue *o = controller_of(k8s_store_get(k->store, of, k8s_str(pod, "metadata.namespace"), parent));
    if (o && str_eq(k8s_str(o, "kind"), str_cstr(kind))) set(k->b, label, k8s_str(o, "name"));
}

static void set_controller(const K8sBuild *k, K8sSet set, const JsonValue *pod) {
    const JsonValue *o = controller_of(pod);
    if (!o) return;
    Str kind = k8s_str(o, "kind"), name = k8s_str(o, "name");
    bool job = str_eq_lit(kind, "Job");
    set(k->b, STR(META "pod_controller_kind"), kind);
    set(k->b, STR(META "pod_controller_name"), name);
    if (k->config->kubernetes.attach_deployment && str_eq_lit(kind, "ReplicaSet"))
        set_grandparent(k, set, pod, K8S_REPLICASET, name, "Deployment", STR(META "pod_deployment_name"));
    if (k->config->kubernetes.attach_job && job) set(k->b, STR(META "pod_job_name"), name);
    if (k->config->kubernetes.attach_cronjob && job)
        set_grandparent(k, set, pod, K8S_JOB, name, "CronJob", STR(META "pod_cronjob_name"));
}

void k8s_set_pod(const K8sBuild *k, K8sSet set, const JsonValue *pod) {
    set(k->b, STR(META "pod_ip"), k8s_str(pod, "status.podIP"));
    set(k->b, STR(META "pod_ready"), pod_ready(k, pod));
    set(k->b, STR(META "pod_phase"), k8s_str(pod, "status.phase"));
    set(k->b, STR(META "pod_node_name"), k8s_str(pod, "spec.nodeName"));
    set(k->b, STR(META "pod_host_ip"), k8s_str(pod, "status.hostIP"));
    set(k->b, STR(META "pod_uid"), k8s_str(pod, "metadata.uid"));
    k8s_set_meta(k, set, "pod", pod, true);
    set_controller(k, set, pod);
}

static Str container_id(const JsonValue *pod, bool init, Str name) {
    const char *path = init ? "status.initContainerStatuses" : "status.containerStatuses";
    for (const JsonValue *c = k8s_first(pod, path); c; c = c->next)
        if (str_eq(k8s_str(c, "name"), name)) return k8s_str(c, "containerID");
    return STR("");
}

static void add_container(const K8sBuild *k, const JsonValue *pod, const JsonValue *c, bool init) {
    SdBuilder *b = k->b;
    Str ip = k8s_str(pod, "status.podIP"), name = k8s_str(c, "name");
    const JsonValue *port = k8s_first(c, "ports");
    do {
        sd_target_begin(b);
        sd_target_set(b, STR(META "pod_container_name"), name);
        sd_target_set(b, STR(META "pod_container_id"), container_id(pod, init, name));
        sd_target_set(b, STR(META "pod_container_image"), k8s_str(c, "image"));
        sd_target_set(b, STR(META "pod_container_init"), init ? STR("true") : STR("false"));
        if (port) {
            Str number = k8s_str(port, "containerPort");
            sd_target_set(b, STR("__address__"), sd_host_port(b, ip, port_of(number)));
            sd_target_set(b, STR(META "pod_container_port_number"), number);
            sd_target_set(b, STR(META "pod_container_port_name"), k8s_str(port, "name"));
            sd_target_set(b, STR(META "pod_container_port_protocol"), k8s_str(port, "protocol"));
            port = port->next;
        } else {
            sd_target_set(b, STR("__address__"), ip);
        }
        sd_target_end(b);
    } while (port);
}

static void build_pod(const K8sBuild *k, const JsonValue *pod) {
    Str node = k8s_str(pod, "spec.nodeName");
    if (!k8s_str(pod, "status.podIP").n) return;
    if (k->config->kubernetes.attach_node && !k8s_store_get(k->store, K8S_NODE, STR(""), node)) return;
    sd_group_begin(k->b);
    k8s_set_pod(k, sd_group_set, pod);
    if (k->config->kubernetes.attach_node) k8s_set_node_meta(k, sd_group_set, node);
    k8s_set_namespace(k, pod);
    for (const JsonValue *c = k8s_first(pod, "spec.containers"); c; c = c->next) add_container(k, pod, c, false);
    for (const JsonValue *c = k8s_first(pod, "spec.initContainers"); c; c = c->next) add_container(k, pod, c, true);
}

/* --- service --- */
static Str load_balancer_ips(SdBuilder *b, const JsonValue *service) {
    Buf text = {0};
    for (const JsonValue *i = k8s_first(service, "status.loadBalancer.ingress"); i; i = i->next) {
        Str ip = k8s_str(i, "ip");
        if (!ip.n) continue;
        if (text.n) buf_put_char(&text, ',');
        buf_put_str(&text, ip);
    }
    Str joined = text.n ? sd_copy(b, buf_str(&text)) : k8s_str(service, "spec.loadBalancerIP");
    buf_done(&text);
    return joined;
}

static void build_service(const K8sBuild *k, const JsonValue *service) {
    SdBuilder *b = k->b;
    Str type = k8s_str(service, "spec.type");
    Str host = arena_printf(b->arena, "%" STR_FMT ".%" STR_FMT ".svc", STR_ARG(k8s_str(service, "metadata.name")),
        STR_ARG(k8s_str(service, "metadata.namespace")));
    sd_group_begin(b);
    k8s_set_namespace(k, service);
    k8s_set_service(k, service);
    for (const JsonValue *p = k8s_first(service, "spec.ports"); p; p = p->next) {
        Str number = k8s_str(p, "port");
        sd_target_begin(b);
        sd_target_set(b, STR("__address__"), sd_host_port(b, host, port_of(number)));
        sd_target_set(b, STR(META "service_port_name"), k8s_str(p, "name"));
        sd_target_set(b, STR(META "service_port_number"), number);
        sd_target_set(b, STR(META "service_port_protocol"), k8s_str(p, "protocol"));
        sd_target_set(b, STR(META "service_type"), type);
        if (str_eq_lit(type, "ExternalName"))
            sd_target_set(b, STR(META "service_external_name"), k8s_str(service, "spec.externalName"));
        else
            sd_target_set(b, STR(META "service_cluster_ip"), k8s_str(service, "spec.clusterIP"));
        if (str_eq_lit(type, "LoadBalancer"))
            sd_target_set(b, STR(META "service_loadbalancer_ip"), load_balancer_ips(b, service));
        sd_target_end(b);
    }
}

/* --- ingress --- */
/* "*.example.org" matches one more label in front. */
static bool host_matches(Str pattern, Str host) {
    if (str_eq(pattern, host)) return true;
    size_t dot = str_find_char(host, '.');
    return str_starts_with(pattern, STR("*.")) && dot != SIZE_MAX && str_eq(str_skip(pattern, 1), str_skip(host, dot));
}

static bool has_tls(const JsonValue *ingress, Str host) {
    for (const JsonValue *t = k8s_first(ingress, "spec.tls"); t; t = t->next) {
        for (const JsonValue *h = k8s_first(t, "hosts"); h; h = h->next)
            if (host_matches(h->text, host)) return true;
    }
    return false;
}

static void build_ingress(const K8sBuild *k, const JsonValue *ingress) {
    SdBuilder *b = k->b;
    sd_group_begin(b);
    k8s_set_namespace(k, ingress);
    sd_group_set(b, STR(META "ingress_class_name"), k8s_str(ingress, "spec.ingressClassName"));
    k8s_set_meta(k, sd_group_set, "ingress", ingress, true);
    for (const JsonValue *r = k8s_first(ingress, "spec.rules"); r; r = r->next) {
        Str host = k8s_str(r, "host"), scheme = has_tls(ingress, host) ? STR("https") : STR("http");
        const JsonValue *path = k8s_first(r, "http.paths");
        bool none = k8s_at(r, "http") == NULL;
        while (none || path) {
            Str text = none ? STR("/") : k8s_str(path, "path");
            sd_target_begin(b);
            sd_target_set(b, STR("__address__"), host);
            sd_target_set(b, STR(META "ingress_scheme"), scheme);
            sd_target_set(b, STR(META "ingress_host"), host);
            sd_target_set(b, STR(META "ingress_path"), text.n ? text : STR("/"));
            sd_target_end(b);
            path = none ? NULL : path->next;
            none = false;
        }
    }
}

/* --- all --- */
void k8s_build(const K8sBuild *k) {
    static const struct {
        K8sKind kind;
        void (*build)(const K8sBuild *k, const JsonValue *object);
    } roles[] = {
        [SD_K8S_NODE] = {K8S_NODE, build_node},
        [SD_K8S_POD] = {K8S_POD, build_pod},
        [SD_K8S_SERVICE] = {K8S_SERVICE, build_service},
        [SD_K8S_ENDPOINTS] = {K8S_ENDPOINTS, k8s_build_endpoints},
        [SD_K8S_ENDPOINTSLICE] = {K8S_ENDPOINTSLICE, k8s_build_slice},
        [SD_K8S_INGRESS] = {K8S_INGRESS, build_ingress},
    };
    size_t it = 0;
    Str key;
    uint64_t *v;
    SdKubernetesRole role = k->config->kubernetes.role;
    while (map_next(k->store->objects[roles[role].kind], &it, &key, &v))
        roles[role].build(k, ((const K8sObject *)(uintptr_t)*v)->root);
}
