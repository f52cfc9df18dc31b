/* sd_k8s_int.h - Kubernetes discovery: mirrored objects, and targets made from them. */
#ifndef MEERKAT_METRICS_SD_SD_K8S_INT_H
#define MEERKAT_METRICS_SD_SD_K8S_INT_H

#include "metrics/sd/sd_int.h"

typedef enum K8sKind {
    K8S_NODE,
    K8S_POD,
    K8S_SERVICE,
    K8S_ENDPOINTS,
    K8S_ENDPOINTSLICE,
    K8S_INGRESS,
    K8S_NAMESPACE, /* the rest only for what it tells of targets */
    K8S_REPLICASET,
    K8S_JOB
} K8sKind;
#define K8S_KINDS 9

/* One object, pruned to what labels are made from. */
typedef struct K8sObject {
    Arena *arena;
    const JsonValue *root;
    uint64_t generation; /* of the list that had it last */
    uint32_t origin;     /* which mirror it belongs to */
} K8sObject;

typedef struct K8sStore {
    Map *objects[K8S_KINDS]; /* "namespace/name" -> K8sObject* */
} K8sStore;
void k8s_store_init(K8sStore *s);
void k8s_store_done(K8sStore *s);
/* Takes an object (a subtree of a parsed answer) in or replaces it. false: it has no name. */
bool k8s_store_put(K8sStore *s, K8sKind kind, const JsonValue *object, uint32_t origin, uint64_t generation);
void k8s_store_remove(K8sStore *s, K8sKind kind, const JsonValue *object);
/* What a whole list did not have any more. */
void k8s_store_sweep(K8sStore *s, K8sKind kind, uint32_t origin, uint64_t generation);
const JsonValue *k8s_store_get(const K8sStore *s, K8sKind kind, Str ns, Str name);

/* --- reading objects --- */
const JsonValue *k8s_at(const JsonValue *v, const char *path);    /* "status.podIP"; NULL when absent */
Str k8s_str(const JsonValue *v, const char *path);                /* numbers as written, too */
const JsonValue *k8s_first(const JsonValue *v, const char *path); /* first item of an array or object */
bool k8s_true(const JsonValue *v, const char *path);

/* --- targets --- */
typedef struct K8sBuild {
    const PromSdConfig *config;
    const K8sStore *store;
    SdBuilder *b;
} K8sBuild;
/* All targets of the role, into k->b. */
void k8s_build(const K8sBuild *k);
typedef void (*K8sSet)(SdBuilder *b, Str name, Str value); /* sd_group_set or sd_target_set */
/* __meta_kubernetes_<kind>_name, _label_*, _annotation_*. */
void k8s_set_meta(const K8sBuild *k, K8sSet set, const char *kind, const JsonValue *object, bool with_name);
void k8s_set_namespace(const K8sBuild *k, const JsonValue *object);
void k8s_set_node_meta(const K8sBuild *k, K8sSet set, Str node);
void k8s_set_pod(const K8sBuild *k, K8sSet set, const JsonValue *pod);
void k8s_set_service(const K8sBuild *k, const JsonValue *service);
void k8s_build_endpoints(const K8sBuild *k, const JsonValue *object);
void k8s_build_slice(const K8sBuild *k, const JsonValue *object);

/* --- where the API is --- */
typedef struct K8sApi {
    Arena *arena;
    Str server; /* without a slash at its end */
    PromHttpConfig http;
    Str own_namespace; /* in a cluster, else empty */
} K8sApi;
/* From api_server, kubeconfig_file or the pod's environment. Done by arena_free(ret->arena), also after an error. */
ErrCode k8s_api_find(const PromSdConfig *c, K8sApi *ret, Err *reterr);
ErrCode k8s_parse_kubeconfig(Str text, Str dir, K8sApi *ret, Err *reterr);

#endif
