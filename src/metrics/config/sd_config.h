/* sd_config.h - where targets come from: the *_sd_configs of a scrape job or of alerting.alertmanagers. */
#ifndef MEERKAT_METRICS_CONFIG_SD_CONFIG_H
#define MEERKAT_METRICS_CONFIG_SD_CONFIG_H

#include "metrics/config/http_config.h"
#include "model/labels.h"

typedef enum SdKind { SD_STATIC, SD_FILE, SD_HTTP, SD_DNS, SD_KUBERNETES, SD_DOCKER, SD_CONSUL } SdKind;

typedef struct PromTargetGroup {
    PromStrings targets;
    Labels labels; /* sorted */
} PromTargetGroup;

typedef enum SdDnsType { SD_DNS_A, SD_DNS_AAAA, SD_DNS_SRV, SD_DNS_MX, SD_DNS_NS } SdDnsType;

typedef enum SdKubernetesRole {
    SD_K8S_NODE,
    SD_K8S_POD,
    SD_K8S_SERVICE,
    SD_K8S_ENDPOINTS,
    SD_K8S_ENDPOINTSLICE,
    SD_K8S_INGRESS
} SdKubernetesRole;

typedef struct SdSelector {
    SdKubernetesRole role; /* of the objects it selects */
    Str label, field;
} SdSelector;

typedef struct PromSdConfig {
    SdKind kind;
    int line; /* in the file */
    Str key;  /* what it says, whole: equal keys mean the same discovery */
    int64_t
        refresh_ms; /* FILE: how often files are looked at besides changes that are seen; HTTP, DNS, DOCKER, CONSUL */
    PromHttpConfig http; /* HTTP, KUBERNETES, DOCKER, CONSUL */
    struct {
        const PromTargetGroup *v;
        size_t n;
    } groups;          /* STATIC */
    PromStrings files; /* FILE: globs */
    Str url;           /* HTTP */
    struct {
        PromStrings names;
        SdDnsType type;
        uint16_t port;
    } dns;
    struct {
        Str api_server, kubeconfig_file;
        SdKubernetesRole role;
        PromStrings namespaces;
        bool own_namespace, attach_node, attach_namespace, attach_deployment, attach_job, attach_cronjob;
        const SdSelector *selectors;
        size_t n_selectors;
    } kubernetes;
    struct {
        Str host, host_networking_host;
        uint16_t port;
        bool all_networks; /* match_first_network: false */
        PromParams filters;
    } docker;
    struct {
        Str server, path_prefix, token, datacenter, ns, partition, scheme, tag_separator, filter, health_filter;
        PromStrings services, tags;
        Labels node_meta;
        bool no_stale; /* allow_stale: false */
    } consul;
} PromSdConfig;

typedef struct PromSdConfigs {
    PromSdConfig *v;
    size_t n, cap;
} PromSdConfigs;

#endif
