/* sd_k8s_endpoints.c - targets of endpoints and endpoint slices, joined with their service and pods. Ports of a pod
 * that no endpoint names become targets, too. */
#include "metrics/sd/sd_k8s_int.h"

#include "base/num.h"

#define META "__meta_kubernetes_"

static uint64_t port_of(Str s) {
    uint64_t v;
    return num_parse_u64(s, &v) ? v : 0;
}

/* A pod that some endpoint of the object pointed to, with the ports that did. */
typedef struct SeenPod {
    const JsonValue *pod;
    AVEC(uint64_t) ports;
} SeenPod;
typedef AVEC(SeenPod *) SeenPods;

static SeenPod *seen_pod(const K8sBuild *k, SeenPods *seen, const JsonValue *pod) {
    for (size_t i = 0; i < seen->n; i++)
        if (seen->v[i]->pod == pod) return seen->v[i];
    SeenPod *s = ARENA_NEW(k->b->arena, SeenPod);
    if (!s || !avec_push(k->b->arena, seen, s)) {
        k->b->exhausted = true;
        return NULL;
    }
    s->pod = pod;
    return s;
}

static const JsonValue *pod_of(const K8sBuild *k, const JsonValue *endpoint) {
    if (!str_eq_lit(k8s_str(endpoint, "targetRef.kind"), "Pod")) return NULL;
    return k8s_store_get(
        k->store, K8S_POD, k8s_str(endpoint, "targetRef.namespace"), k8s_str(endpoint, "targetRef.name"));
}

/* Which container has the port; its last port of that number in each container wins, as in the original. */
static void set_container_port(const K8sBuild *k, const JsonValue *pod, uint64_t port, Str protocol) {
    SdBuilder *b = k->b;
    for (int init = 0; init <= 1; init++) {
        for (const JsonValue *c = k8s_first(pod, init ? "spec.initContainers" : "spec.containers"); c; c = c->next) {
            for (const JsonValue *p = k8s_first(c, "ports"); p; p = p->next) {
                if (port_of(k8s_str(p, "containerPort")) != port) continue;
                sd_target_set(b, STR(META "pod_container_name"), k8s_str(c, "name"));
                sd_target_set(b, STR(META "pod_container_image"), k8s_str(c, "image"));
                sd_target_set(b, STR(META "pod_container_port_name"), k8s_str(p, "name"));
                sd_target_set(b, STR(META "pod_container_port_number"), sd_number(b, port));
                sd_target_set(
                    b, STR(META "pod_container_port_protocol"), protocol.n ? protocol : k8s_str(p, "protocol"));
                sd_target_set(b, STR(META "pod_container_init"), init ? STR("true") : STR("false"));
                break;
            }
        }
    }
}

/* Joins the pod into the target being built. */
static void join_pod(
    const K8sBuild *k, SeenPods *seen, const JsonValue *endpoint, bool has_port, uint64_t port, Str protocol) {
    const JsonValue *pod = pod_of(k, endpoint);
    SeenPod *s = pod ? seen_pod(k, seen, pod) : NULL;
    if (!s) return;
    k8s_set_pod(k, sd_target_set, pod);
    if (!has_port) return;
    set_container_port(k, pod, port, protocol);
    if (!avec_push(k->b->arena, &s->ports, port)) k->b->exhausted = true;
}

static bool has_port(const SeenPod *s, uint64_t port) {
    for (size_t i = 0; i < s->ports.n; i++)
        if (s->ports.v[i] == port) return true;
    return false;
}

static void add_other_ports(const K8sBuild *k, const SeenPod *s) {
    SdBuilder *b = k->b;
    Str ip = k8s_str(s->pod, "status.podIP");
    if (!ip.n) return;
    for (int init = 0; init <= 1; init++) {
        for (const JsonValue *c = k8s_first(s->pod, init ? "spec.initContainers" : "spec.containers"); c; c = c->next) {
            for (const JsonValue *p = k8s_first(c, "ports"); p; p = p->next) {
                uint64_t port = port_of(k8s_str(p, "containerPort"));
                if (has_port(s, port)) continue;
                sd_target_begin(b);
                sd_target_set(b, STR("__address__"), sd_host_port(b, ip, port));
                sd_target_set(b, STR(META "pod_container_name"), k8s_str(c, "name"));
                sd_target_set(b, STR(META "pod_container_image"), k8s_str(c, "image"));
                sd_target_set(b, STR(META "pod_container_port_name"), k8s_str(p, "name"));
                sd_target_set(b, STR(META "pod_container_port_number"), sd_number(b, port));
                sd_target_set(b, STR(META "pod_container_port_protocol"), k8s_str(p, "protocol"));
                sd_target_set(b, STR(META "pod_container_init"), init ? STR("true") : STR("false"));
                k8s_set_pod(k, sd_target_set, s->pod);
                sd_target_end(b);
            }
        }
    }
}

static void finish(const K8sBuild *k, const SeenPods *seen) {
    for (size_t i = 0; i < seen->n; i++) add_other_ports(k, seen->v[i]);
}

/* The node the endpoint says it is on, or is. */
static void join_node(const K8sBuild *k, const JsonValue *endpoint, bool ref_first) {
    if (!k->config->kubernetes.attach_node) return;
    Str name = k8s_str(endpoint, "nodeName");
    bool is_node = str_eq_lit(k8s_str(endpoint, "targetRef.kind"), "Node");
    if (is_node && (ref_first || !name.n)) name = k8s_str(endpoint, "targetRef.name");
    k8s_set_node_meta(k, sd_target_set, name);
}

/* --- endpoints --- */
static void add_address(
    const K8sBuild *k, SeenPods *seen, const JsonValue *address, const JsonValue *port, const char *ready) {
    SdBuilder *b = k->b;
    uint64_t number = port_of(k8s_str(port, "port"));
    sd_target_begin(b);
    sd_target_set(b, STR("__address__"), sd_host_port(b, k8s_str(address, "ip"), number));
    sd_target_set(b, STR(META "endpoint_port_name"), k8s_str(port, "name"));
    sd_target_set(b, STR(META "endpoint_port_protocol"), k8s_str(port, "protocol"));
    sd_target_set(b, STR(META "endpoint_ready"), str_cstr(ready));
    sd_target_set(b, STR(META "endpoint_address_target_kind"), k8s_str(address, "targetRef.kind"));
    sd_target_set(b, STR(META "endpoint_address_target_name"), k8s_str(address, "targetRef.name"));
    sd_target_set(b, STR(META "endpoint_node_name"), k8s_str(address, "nodeName"));
    sd_target_set(b, STR(META "endpoint_hostname"), k8s_str(address, "hostname"));
    join_node(k, address, false);
    join_pod(k, seen, address, true, number, k8s_str(port, "protocol"));
    sd_target_end(b);
}

void k8s_build_endpoints(const K8sBuild *k, const JsonValue *object) {
    SeenPods seen = {0};
    sd_group_begin(k->b);
    const JsonValue *service =
        k8s_store_get(k->store, K8S_SERVICE, k8s_str(object, "metadata.namespace"), k8s_str(object, "metadata.name"));
    if (service) k8s_set_service(k, service);
    k8s_set_meta(k, sd_group_set, "endpoints", object, true);
    k8s_set_namespace(k, object);
    for (const JsonValue *s = k8s_first(object, "subsets"); s; s = s->next) {
        for (const JsonValue *p = k8s_first(s, "ports"); p; p = p->next) {
            for (const JsonValue *a = k8s_first(s, "addresses"); a; a = a->next) add_address(k, &seen, a, p, "true");
            for (const JsonValue *a = k8s_first(s, "notReadyAddresses"); a; a = a->next)
                add_address(k, &seen, a, p, "false");
        }
    }
    finish(k, &seen);
}

/* --- endpoint slices --- */
static void set_condition(const K8sBuild *k, const JsonValue *endpoint, const char *path, Str name) {
    const JsonValue *v = k8s_at(endpoint, path);
    if (v && v->kind == JSON_K_BOOL) sd_target_set(k->b, name, v->boolean ? STR("true") : STR("false"));
}

static void add_slice_address(
    const K8sBuild *k, SeenPods *seen, Str address, const JsonValue *endpoint, const JsonValue *port) {
    SdBuilder *b = k->b;
    Str number = k8s_str(port, "port");
    sd_target_begin(b);
    sd_target_set(b, STR("__address__"), number.n ? sd_host_port(b, address, port_of(number)) : address);
    sd_target_set(b, STR(META "endpointslice_port_name"), k8s_str(port, "name"));
    sd_target_set(b, STR(META "endpointslice_port_protocol"), k8s_str(port, "protocol"));
    sd_target_set(b, STR(META "endpointslice_port"), number);
    sd_target_set(b, STR(META "endpointslice_port_app_protocol"), k8s_str(port, "appProtocol"));
    set_condition(k, endpoint, "conditions.ready", STR(META "endpointslice_endpoint_conditions_ready"));
    set_condition(k, endpoint, "conditions.serving", STR(META "endpointslice_endpoint_conditions_serving"));
    set_condition(k, endpoint, "conditions.terminating", STR(META "endpointslice_endpoint_conditions_terminating"));
    sd_target_set(b, STR(META "endpointslice_endpoint_hostname"), k8s_str(endpoint, "hostname"));
    sd_target_set(b, STR(META "endpointslice_address_target_kind"), k8s_str(endpoint, "targetRef.kind"));
    sd_target_set(b, STR(META "endpointslice_address_target_name"), k8s_str(endpoint, "targetRef.name"));
    sd_target_set(b, STR(META "endpointslice_endpoint_node_name"), k8s_str(endpoint, "nodeName"));
    sd_target_set(b, STR(META "endpointslice_endpoint_zone"), k8s_str(endpoint, "zone"));
    for (const JsonValue *t = k8s_first(endpoint, "deprecatedTopology"); t; t = t->next) {
        sd_target_set(b, sd_name(b, STR(META "endpointslice_endpoint_topology_"), t->key), t->text);
        sd_target_set(b, sd_name(b, STR(META "endpointslice_endpoint_topology_present_"), t->key), STR("true"));
    }
    join_node(k, endpoint, true);
    join_pod(k, seen, endpoint, number.n > 0, port_of(number), STR(""));
    sd_target_end(b);
}

/* Of a dual-stack service only the slices of its first family count: the others name the same endpoints again. */
static bool other_family(const JsonValue *service, const JsonValue *slice) {
    Str policy = k8s_str(service, "spec.ipFamilyPolicy");
    const JsonValue *family = k8s_first(service, "spec.ipFamilies");
    bool dual = str_eq_lit(policy, "PreferDualStack") || str_eq_lit(policy, "RequireDualStack");
    return dual && family && !str_eq(family->text, k8s_str(slice, "addressType"));
}

void k8s_build_slice(const K8sBuild *k, const JsonValue *object) {
    SeenPods seen = {0};
    const JsonValue *labels = k8s_at(object, "metadata.labels");
    Str name = json_get_str(labels, STR("kubernetes.io/service-name"));
    const JsonValue *service =
        name.n ? k8s_store_get(k->store, K8S_SERVICE, k8s_str(object, "metadata.namespace"), name) : NULL;
    sd_group_begin(k->b);
    sd_group_set(k->b, STR(META "endpointslice_address_type"), k8s_str(object, "addressType"));
    k8s_set_meta(k, sd_group_set, "endpointslice", object, true);
    if (service) k8s_set_service(k, service);
    k8s_set_namespace(k, object);
    if (service && other_family(service, object)) return;
    for (const JsonValue *e = k8s_first(object, "endpoints"); e; e = e->next) {
        for (const JsonValue *p = k8s_first(object, "ports"); p; p = p->next) {
            for (const JsonValue *a = k8s_first(e, "addresses"); a; a = a->next)
                if (a->kind == JSON_K_STRING) add_slice_address(k, &seen, a->text, e, p);
        }
    }
    finish(k, &seen);
}
