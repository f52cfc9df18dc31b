/* Answers of service discovery: the first byte chooses whose. Every target is sorted and has an address or nothing. */
#include "metrics/sd/sd_int.h"
#include "metrics/sd/sd_k8s_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const SdBuilder *b) {
    for (size_t i = 0; i < b->targets.n && !b->exhausted; i++) {
        Labels l = b->targets.v[i];
        for (size_t k = 0; k < l.n; k++) {
            ASSERT(l.v[k].value.n > 0);
            if (k) ASSERT(str_cmp(l.v[k - 1].name, l.v[k].name) < 0);
        }
    }
}

static void kubernetes(Str text, unsigned role) {
    PromSdConfig c = {.kind = SD_KUBERNETES};
    c.kubernetes.role = (SdKubernetesRole)role;
    c.kubernetes.attach_node = c.kubernetes.attach_namespace = true;
    K8sStore store;
    SdBuilder b = sd_builder();
    JsonValue *root;
    k8s_store_init(&store);
    if (json_parse(text, b.arena, &root, NULL) == OK) {
        for (size_t i = 0; i < K8S_KINDS; i++)
            for (const JsonValue *o = k8s_first(root, "items"); o; o = o->next)
                (void)k8s_store_put(&store, (K8sKind)i, o, 1, 1);
        K8sBuild k = {&c, &store, &b};
        k8s_build(&k);
        check(&b);
    }
    sd_builder_done(&b);
    k8s_store_done(&store);
}

static void kubeconfig(Str text) {
    K8sApi api = {.arena = arena_create((size_t)8 << 20)};
    (void)k8s_parse_kubeconfig(text, STR("/d"), &api, NULL);
    arena_free(api.arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    Str text = str_of((const char *)data + 1, size - 1);
    unsigned what = data[0] % 12;
    PromSdConfig c = {.refresh_ms = 1};
    c.docker.host_networking_host = STR("localhost");
    c.docker.all_networks = data[0] & 16;
    c.consul.tag_separator = STR(",");
    if (what >= 6) {
        kubernetes(text, what - 6);
        return 0;
    }
    SdBuilder b = sd_builder();
    size_t half = str_find(text, STR("\n---\n"));
    Str second = half == SIZE_MAX ? STR("[]") : str_skip(text, half + 5);
    switch (what) {
    case 0: (void)sd_parse_json_groups(text, STR("__meta_x"), STR("y"), &b, NULL); break;
    case 1: (void)sd_parse_yaml_groups(text, STR("__meta_x"), STR("y"), &b, NULL); break;
    case 2:
    case 3: (void)sd_parse_docker(&c, half == SIZE_MAX ? text : str_slice(text, 0, half), second, &b, NULL); break;
    case 4: (void)sd_parse_consul(&c, STR("s"), STR("dc"), text, &b, NULL); break;
    default: kubeconfig(text); break;
    }
    check(&b);
    sd_builder_done(&b);
    return 0;
}
