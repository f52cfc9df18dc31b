/* config_sd.c - the *_sd_configs keys. Each item of a list is a PromSdConfig with its defaults. */
#include "metrics/config/prom_config_int.h"

#define SD(field) offsetof(PromSdConfig, field)
#define WITH_HTTP(keys)                                                                                                \
    {                                                                                                                  \
        {(keys), ARRAY_LEN(keys), 0}, { config_http_keys, config_http_keys_n, SD(http) }                               \
    }

static void require(ConfigReader *r, const YamlNode *node, bool ok, const char *what) {
    if (!ok) config_error(r, node->line, node->col, 1, NULL, "%s", what);
}

static void set_key(ConfigReader *r, PromSdConfig *c, const YamlNode *node) {
    Buf b = {0};
    buf_printf(&b, "%d\n", (int)c->kind);
    config_put_node(&b, node, false, NULL);
    c->key = arena_copy(r->arena, buf_str(&b));
    if (!c->key.p) config_exhausted(r);
    buf_done(&b);
}

typedef void (*ReadItem)(ConfigReader *r, const YamlNode *node, PromSdConfig *c);

static void read_list(ConfigReader *r, const YamlNode *node, void *out, SdKind kind, ReadItem read) {
    PromSdConfigs *list = out;
    if (!config_expect(r, node, YAML_SEQUENCE, "a list")) return;
    for (const YamlNode *it = node->first; it; it = it->next) {
        PromSdConfig c = {.kind = kind, .line = it->line};
        if (!config_item(r, it, "service discovery section")) continue;
        read(r, it, &c);
        set_key(r, &c, it);
        if (!avec_push(r->arena, list, c)) return config_exhausted(r);
    }
}

/* --- static: the whole list is one discovery --- */
static void read_static(ConfigReader *r, const YamlNode *node, void *out) {
    static const ConfigKey keys[] = {
        {STR_INIT("targets"), CONFIG_STRINGS, offsetof(PromTargetGroup, targets), NULL},
        {STR_INIT("labels"), CONFIG_LABELS, offsetof(PromTargetGroup, labels), NULL},
    };
    PromSdConfigs *list = out;
    if (!config_expect(r, node, YAML_SEQUENCE, "a list of target groups")) return;
    PromTargetGroup *v = ARENA_ARRAY(r->arena, PromTargetGroup, node->n);
    if (!v) return config_exhausted(r);
    PromSdConfig c = {.kind = SD_STATIC, .line = node->line};
    c.groups.v = v;
    for (const YamlNode *it = node->first; it; it = it->next) {
        if (!config_item(r, it, "section in static_configs")) continue;
        v[c.groups.n] = (PromTargetGroup){0};
        if (config_mapping(r, it, STR("static_configs"), keys, ARRAY_LEN(keys), &v[c.groups.n])) c.groups.n++;
    }
    set_key(r, &c, node);
    if (!avec_push(r->arena, list, c)) config_exhausted(r);
}

void config_check_targets(ConfigReader *r, const PromSdConfigs *sd, RelabelRules relabel) {
    for (size_t i = 0; i < sd->n && relabel.n == 0; i++) {
        const PromSdConfig *c = &sd->v[i];
        for (size_t g = 0; c->kind == SD_STATIC && g < c->groups.n; g++) {
            for (size_t k = 0; k < c->groups.v[g].targets.n; k++) {
                Str t = c->groups.v[g].targets.v[k];
                if (str_find_char(t, '/') != SIZE_MAX)
                    config_error(r, c->line, 1, 1,
                        "a target is host:port; the path is metrics_path, the scheme is scheme",
                        "\"%" STR_FMT "\" is not a valid hostname", STR_ARG(t));
            }
        }
    }
}

/* --- file --- */
static bool is_file_pattern(Str s) {
    static const Str ends[] = {STR_INIT(".json"), STR_INIT(".yml"), STR_INIT(".yaml")};
    size_t star = str_find_char(s, '*');
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        if (!str_ends_with(s, ends[i]) || s.n == ends[i].n) continue;
        return star == SIZE_MAX || str_find_char(str_skip(s, star), '/') == SIZE_MAX; /* wildcards in the last part */
    }
    return false;
}

static void read_file_item(ConfigReader *r, const YamlNode *node, PromSdConfig *c) {
    static const ConfigKey keys[] = {
        {STR_INIT("files"), CONFIG_PATHS, SD(files), NULL},
        {STR_INIT("refresh_interval"), CONFIG_DURATION, SD(refresh_ms), NULL},
    };
    c->refresh_ms = 300000;
    config_mapping(r, node, STR("file_sd_configs"), keys, ARRAY_LEN(keys), c);
    require(r, node, c->files.n > 0, "file service discovery config must contain at least one path name");
    for (size_t i = 0; i < c->files.n; i++) {
        if (!is_file_pattern(c->files.v[i]))
            config_error_key(
                r, node, "files", "path name \"%" STR_FMT "\" is not valid for file discovery", STR_ARG(c->files.v[i]));
    }
}

static void read_file(ConfigReader *r, const YamlNode *node, void *out) {
    read_list(r, node, out, SD_FILE, read_file_item);
}

/* --- http --- */
static void read_http_item(ConfigReader *r, const YamlNode *node, PromSdConfig *c) {
    static const ConfigKey keys[] = {
        {STR_INIT("url"), CONFIG_STR, SD(url), NULL},
        {STR_INIT("refresh_interval"), CONFIG_DURATION, SD(refresh_ms), NULL},
    };
    const ConfigTable tables[] = WITH_HTTP(keys);
    c->refresh_ms = 60000;
    config_mapping_of(r, node, STR("http_sd_configs"), tables, ARRAY_LEN(tables), c);
    config_check_http(r, node, &c->http);
    const YamlNode *url = yaml_get(node, STR("url"));
    require(r, node, c->url.n > 0, "URL is missing");
    if (c->url.n) config_check_url(r, url, c->url, "URL", DIAG_ERROR);
}

static void read_http(ConfigReader *r, const YamlNode *node, void *out) {
    read_list(r, node, out, SD_HTTP, read_http_item);
}

/* --- dns --- */
static void read_dns_type(ConfigReader *r, const YamlNode *node, void *out) {
    static const Str types[] = {STR_INIT("A"), STR_INIT("AAAA"), STR_INIT("SRV"), STR_INIT("MX"), STR_INIT("NS")};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (!str_eq_nocase(node->text, types[i])) continue;
        ((PromSdConfig *)out)->dns.type = (SdDnsType)i;
        return;
    }
    config_error(
        r, node->line, node->col, node->len, NULL, "invalid DNS-SD records type %" STR_FMT, STR_ARG(node->text));
}

static void read_dns_item(ConfigReader *r, const YamlNode *node, PromSdConfig *c) {
    static const ConfigKey keys[] = {
        {STR_INIT("names"), CONFIG_STRINGS, SD(dns.names), NULL},
        {STR_INIT("type"), CONFIG_CUSTOM, 0, read_dns_type},
        {STR_INIT("port"), CONFIG_PORT, SD(dns.port), NULL},
        {STR_INIT("refresh_interval"), CONFIG_DURATION, SD(refresh_ms), NULL},
    };
    c->refresh_ms = 30000;
    c->dns.type = SD_DNS_SRV;
    config_mapping(r, node, STR("dns_sd_configs"), keys, ARRAY_LEN(keys), c);
    require(r, node, c->dns.names.n > 0, "DNS-SD config must contain at least one SRV record name");
    require(r, node, c->dns.type == SD_DNS_SRV || c->dns.port != 0,
        "a port is required in DNS-SD configs for all record types except SRV");
}

static void read_dns(ConfigReader *r, const YamlNode *node, void *out) {
    read_list(r, node, out, SD_DNS, read_dns_item);
}

/* --- docker --- */
static void read_docker_filters(ConfigReader *r, const YamlNode *node, void *out) {
    static const ConfigKey keys[] = {
        {STR_INIT("name"), CONFIG_STR, offsetof(PromHttpHeader, name), NULL},
        {STR_INIT("values"), CONFIG_STRINGS, offsetof(PromHttpHeader, values), NULL},
    };
    PromSdConfig *c = out;
    if (!config_expect(r, node, YAML_SEQUENCE, "a list of filters")) return;
    PromParam *v = ARENA_ARRAY(r->arena, PromParam, node->n);
    if (!v) return config_exhausted(r);
    size_t n = 0;
    for (const YamlNode *it = node->first; it; it = it->next) {
        PromHttpHeader x = {0};
        if (config_mapping(r, it, STR("filters"), keys, ARRAY_LEN(keys), &x))
            v[n++] = (PromParam){x.name, x.values.v, x.values.n};
    }
    c->docker.filters = (PromParams){v, n};
}

static void read_docker_item(ConfigReader *r, const YamlNode *node, PromSdConfig *c) {
    static const ConfigKey keys[] = {
        {STR_INIT("host"), CONFIG_STR, SD(docker.host), NULL},
        {STR_INIT("port"), CONFIG_PORT, SD(docker.port), NULL},
        {STR_INIT("host_networking_host"), CONFIG_STR, SD(docker.host_networking_host), NULL},
        {STR_INIT("match_first_network"), CONFIG_NOT_BOOL, SD(docker.all_networks), NULL},
        {STR_INIT("filters"), CONFIG_CUSTOM, 0, read_docker_filters},
        {STR_INIT("refresh_interval"), CONFIG_DURATION, SD(refresh_ms), NULL},
    };
    const ConfigTable tables[] = WITH_HTTP(keys);
    c->refresh_ms = 60000;
    c->docker.port = 80;
    c->docker.host_networking_host = STR("localhost");
    config_mapping_of(r, node, STR("docker_sd_configs"), tables, ARRAY_LEN(tables), c);
    config_check_http(r, node, &c->http);
    require(r, node, c->docker.host.n > 0, "host missing");
    if (c->docker.host.n && str_find(c->docker.host, STR("://")) == SIZE_MAX)
        config_error_key(r, node, "host", "host must be a URL like unix:///var/run/docker.sock or tcp://10.0.0.1:2375");
}

static void read_docker(ConfigReader *r, const YamlNode *node, void *out) {
    read_list(r, node, out, SD_DOCKER, read_docker_item);
}

/* --- consul --- */
static void read_consul_item(ConfigReader *r, const YamlNode *node, PromSdConfig *c) {
    static const ConfigKey keys[] = {
        {STR_INIT("server"), CONFIG_STR, SD(consul.server), NULL},
        {STR_INIT("path_prefix"), CONFIG_STR, SD(consul.path_prefix), NULL},
        {STR_INIT("token"), CONFIG_STR, SD(consul.token), NULL},
        {STR_INIT("datacenter"), CONFIG_STR, SD(consul.datacenter), NULL},
        {STR_INIT("namespace"), CONFIG_STR, SD(consul.ns), NULL},
        {STR_INIT("partition"), CONFIG_STR, SD(consul.partition), NULL},
        {STR_INIT("tag_separator"), CONFIG_STR, SD(consul.tag_separator), NULL},
        {STR_INIT("scheme"), CONFIG_STR, SD(consul.scheme), NULL},
        {STR_INIT("username"), CONFIG_STR, SD(http.username), NULL},
        {STR_INIT("password"), CONFIG_STR, SD(http.password), NULL},
        {STR_INIT("allow_stale"), CONFIG_NOT_BOOL, SD(consul.no_stale), NULL},
        {STR_INIT("services"), CONFIG_STRINGS, SD(consul.services), NULL},
        {STR_INIT("tags"), CONFIG_STRINGS, SD(consul.tags), NULL},
        {STR_INIT("node_meta"), CONFIG_LABELS, SD(consul.node_meta), NULL},
        {STR_INIT("filter"), CONFIG_STR, SD(consul.filter), NULL},
        {STR_INIT("health_filter"), CONFIG_STR, SD(consul.health_filter), NULL},
        {STR_INIT("refresh_interval"), CONFIG_DURATION, SD(refresh_ms), NULL},
    };
    const ConfigTable tables[] = WITH_HTTP(keys);
    c->refresh_ms = 30000;
    c->consul.server = STR("localhost:8500");
    c->consul.scheme = STR("http");
    c->consul.tag_separator = STR(",");
    config_mapping_of(r, node, STR("consul_sd_configs"), tables, ARRAY_LEN(tables), c);
    config_check_http(r, node, &c->http);
    require(r, node, str_trim(c->consul.server).n > 0, "consul SD configuration requires a server address");
    bool user = yaml_get(node, STR("username")) || yaml_get(node, STR("password"));
    require(r, node, !(user && yaml_get(node, STR("basic_auth"))),
        "at most one of consul SD configuration username and password and basic auth can be configured");
    require(r, node, !(c->consul.token.n && (c->http.auth_type.n || c->http.oauth2)),
        "at most one of consul SD token, authorization, or oauth2 can be configured");
}

static void read_consul(ConfigReader *r, const YamlNode *node, void *out) {
    read_list(r, node, out, SD_CONSUL, read_consul_item);
}

/* --- kubernetes --- */
static const Str roles[] = {STR_INIT("node"), STR_INIT("pod"), STR_INIT("service"), STR_INIT("endpoints"),
    STR_INIT("endpointslice"), STR_INIT("ingress")};

static void read_role(ConfigReader *r, const YamlNode *node, void *out) {
    int i = config_word(r, node, roles, ARRAY_LEN(roles), "Kubernetes SD role");
    if (i >= 0) ((PromSdConfig *)out)->kubernetes.role = (SdKubernetesRole)i;
}

static void read_selector_role(ConfigReader *r, const YamlNode *node, void *out) {
    int i = config_word(r, node, roles, ARRAY_LEN(roles), "Kubernetes SD role");
    if (i >= 0) ((SdSelector *)out)->role = (SdKubernetesRole)i;
}

/* Which objects a role watches, and so may select. */
static bool role_selects(SdKubernetesRole role, SdKubernetesRole selector) {
    static const uint8_t allowed[] = {
        [SD_K8S_NODE] = 1 << SD_K8S_NODE,
        [SD_K8S_POD] = 1 << SD_K8S_POD | 1 << SD_K8S_NODE,
        [SD_K8S_SERVICE] = 1 << SD_K8S_SERVICE,
        [SD_K8S_ENDPOINTS] = 1 << SD_K8S_POD | 1 << SD_K8S_SERVICE | 1 << SD_K8S_ENDPOINTS,
        [SD_K8S_ENDPOINTSLICE] = 1 << SD_K8S_POD | 1 << SD_K8S_SERVICE | 1 << SD_K8S_ENDPOINTSLICE,
        [SD_K8S_INGRESS] = 1 << SD_K8S_INGRESS,
    };
    return (allowed[role] >> selector & 1) != 0;
}

/* key=value, key==value, key!=value, separated by commas. */
static bool is_field_selector(Str s) {
    Str part;
    if (str_trim(s).n == 0) return true;
    while (str_split_next(&s, ',', &part)) {
        size_t at = str_find_char(part, '=');
        if (str_trim(part).n && (at == SIZE_MAX || at == 0)) return false;
    }
    return true;
}

static void read_selectors(ConfigReader *r, const YamlNode *node, void *out) {
    static const ConfigKey keys[] = {
        {STR_INIT("role"), CONFIG_CUSTOM, 0, read_selector_role},
        {STR_INIT("label"), CONFIG_STR, offsetof(SdSelector, label), NULL},
        {STR_INIT("field"), CONFIG_STR, offsetof(SdSelector, field), NULL},
    };
    PromSdConfig *c = out;
    if (!config_expect(r, node, YAML_SEQUENCE, "a list of selectors")) return;
    SdSelector *v = ARENA_ARRAY(r->arena, SdSelector, node->n);
    if (!v) return config_exhausted(r);
    size_t n = 0;
    for (const YamlNode *it = node->first; it; it = it->next) {
        v[n] = (SdSelector){0};
        if (!config_mapping(r, it, STR("selectors"), keys, ARRAY_LEN(keys), &v[n])) continue;
        if (!is_field_selector(v[n].field))
            config_error_key(
                r, it, "field", "invalid selector: '%" STR_FMT "'; can't understand it", STR_ARG(v[n].field));
        for (size_t i = 0; i < n; i++) {
            if (v[i].role == v[n].role)
                config_error_key(r, it, "role", "duplicated selector role: %" STR_FMT, STR_ARG(roles[v[n].role]));
        }
        n++;
    }
    c->kubernetes.selectors = v;
    c->kubernetes.n_selectors = n;
}

static void read_namespaces(ConfigReader *r, const YamlNode *node, void *out) {
    static const ConfigKey keys[] = {
        {STR_INIT("own_namespace"), CONFIG_BOOL, SD(kubernetes.own_namespace), NULL},
        {STR_INIT("names"), CONFIG_STRINGS, SD(kubernetes.namespaces), NULL},
    };
    config_mapping(r, node, STR("namespaces"), keys, ARRAY_LEN(keys), out);
}

static void read_attach(ConfigReader *r, const YamlNode *node, void *out) {
    static const ConfigKey keys[] = {
        {STR_INIT("node"), CONFIG_BOOL, SD(kubernetes.attach_node), NULL},
        {STR_INIT("namespace"), CONFIG_BOOL, SD(kubernetes.attach_namespace), NULL},
        {STR_INIT("deployment"), CONFIG_BOOL, SD(kubernetes.attach_deployment), NULL},
        {STR_INIT("job"), CONFIG_BOOL, SD(kubernetes.attach_job), NULL},
        {STR_INIT("cronjob"), CONFIG_BOOL, SD(kubernetes.attach_cronjob), NULL},
    };
    config_mapping(r, node, STR("attach_metadata"), keys, ARRAY_LEN(keys), out);
}

static bool has_http_key(const YamlNode *node) {
    for (size_t i = 0; i < config_http_keys_n; i++) {
        if (!yaml_is_null(yaml_get(node, config_http_keys[i].name))) return true;
    }
    return false;
}

static void read_kubernetes_item(ConfigReader *r, const YamlNode *node, PromSdConfig *c) {
    static const ConfigKey keys[] = {
        {STR_INIT("api_server"), CONFIG_STR, SD(kubernetes.api_server), NULL},
        {STR_INIT("kubeconfig_file"), CONFIG_FILE, SD(kubernetes.kubeconfig_file), NULL},
        {STR_INIT("role"), CONFIG_CUSTOM, 0, read_role},
        {STR_INIT("namespaces"), CONFIG_CUSTOM, 0, read_namespaces},
        {STR_INIT("selectors"), CONFIG_CUSTOM, 0, read_selectors},
        {STR_INIT("attach_metadata"), CONFIG_CUSTOM, 0, read_attach},
    };
    const ConfigTable tables[] = WITH_HTTP(keys);
    if (!config_mapping_of(r, node, STR("kubernetes_sd_configs"), tables, ARRAY_LEN(tables), c)) return;
    config_check_http(r, node, &c->http);
    bool server = c->kubernetes.api_server.n, file = c->kubernetes.kubeconfig_file.n, own = c->kubernetes.own_namespace;
    require(r, node, !yaml_is_null(yaml_get(node, STR("role"))),
        "role missing (one of: pod, service, endpoints, endpointslice, node, ingress)");
    require(r, node, !(server && file), "cannot use 'kubeconfig_file' and 'api_server' simultaneously");
    require(r, node, !(file && has_http_key(node)),
        "cannot use a custom HTTP client configuration together with 'kubeconfig_file'");
    require(r, node, server || file || !has_http_key(node),
        "to use custom HTTP client configuration please provide the 'api_server' URL explicitly");
    require(r, node, !(server && own), "cannot use 'api_server' and 'namespaces.own_namespace' simultaneously");
    require(r, node, !(file && own), "cannot use 'kubeconfig_file' and 'namespaces.own_namespace' simultaneously");
    for (size_t i = 0; i < c->kubernetes.n_selectors; i++) {
        SdKubernetesRole role = c->kubernetes.selectors[i].role;
        if (!role_selects(c->kubernetes.role, role))
            config_error_key(r, node, "selectors", "%" STR_FMT " role does not support %" STR_FMT " selectors",
                STR_ARG(roles[c->kubernetes.role]), STR_ARG(roles[role]));
    }
}

static void read_kubernetes(ConfigReader *r, const YamlNode *node, void *out) {
    read_list(r, node, out, SD_KUBERNETES, read_kubernetes_item);
}

#define UNSUPPORTED(name)                                                                                              \
    { STR_INIT(name "_sd_configs"), CONFIG_UNSUPPORTED, 0, NULL }
const ConfigKey config_sd_keys[] = {
    {STR_INIT("static_configs"), CONFIG_CUSTOM, 0, read_static},
    {STR_INIT("file_sd_configs"), CONFIG_CUSTOM, 0, read_file},
    {STR_INIT("http_sd_configs"), CONFIG_CUSTOM, 0, read_http},
    {STR_INIT("dns_sd_configs"), CONFIG_CUSTOM, 0, read_dns},
    {STR_INIT("kubernetes_sd_configs"), CONFIG_CUSTOM, 0, read_kubernetes},
    {STR_INIT("docker_sd_configs"), CONFIG_CUSTOM, 0, read_docker},
    {STR_INIT("consul_sd_configs"), CONFIG_CUSTOM, 0, read_consul},
    UNSUPPORTED("aws"),
    UNSUPPORTED("azure"),
    UNSUPPORTED("digitalocean"),
    UNSUPPORTED("dockerswarm"),
    UNSUPPORTED("ec2"),
    UNSUPPORTED("eureka"),
    UNSUPPORTED("gce"),
    UNSUPPORTED("hetzner"),
    UNSUPPORTED("huawei"),
    UNSUPPORTED("ionos"),
    UNSUPPORTED("kuma"),
    UNSUPPORTED("lightsail"),
    UNSUPPORTED("linode"),
    UNSUPPORTED("marathon"),
    UNSUPPORTED("nerve"),
    UNSUPPORTED("nomad"),
    UNSUPPORTED("oci"),
    UNSUPPORTED("openstack"),
    UNSUPPORTED("outscale"),
    UNSUPPORTED("ovhcloud"),
    UNSUPPORTED("puppetdb"),
    UNSUPPORTED("scaleway"),
    UNSUPPORTED("serverset"),
    UNSUPPORTED("stackit"),
    UNSUPPORTED("triton"),
    UNSUPPORTED("uyuni"),
    UNSUPPORTED("vultr"),
};
const size_t config_sd_keys_n = ARRAY_LEN(config_sd_keys);
