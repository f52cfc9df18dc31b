/* sd_k8s_config.c - where the Kubernetes API is and how it wants to be spoken to: api_server with an http_config, a
 * kubeconfig, or the environment and files of a pod. */
#include "base/num.h"
#include "codec/yaml.h"
#include "metrics/sd/sd_k8s_int.h"
#include "sys/fs.h"

#include <stdlib.h>

#define KUBECONFIG_BYTES_MAX ((size_t)4 << 20)
#define ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount/"

static Str copy(K8sApi *a, Str s) { return arena_copy(a->arena, s); }

/* --- kubeconfig --- */
static Str scalar(const YamlNode *n, const char *key) {
    const YamlNode *v = yaml_get(n, str_cstr(key));
    return v && v->kind == YAML_SCALAR ? v->text : STR("");
}

/* The item of a list of {name, <what>} with that name; its <what>. */
static const YamlNode *named(const YamlNode *root, const char *list, Str name, const char *what) {
    const YamlNode *v = yaml_get(root, str_cstr(list));
    for (const YamlNode *it = v && v->kind == YAML_SEQUENCE ? v->first : NULL; it; it = it->next) {
        if (str_eq(scalar(it, "name"), name)) return yaml_get(it, str_cstr(what));
    }
    return NULL;
}

static Str decode(K8sApi *a, Str base64) {
    Buf b = {0};
    Str out = num_parse_base64(base64, &b) ? copy(a, buf_str(&b)) : STR("");
    buf_done(&b);
    return out;
}

static Str path_of(K8sApi *a, Str dir, Str path) {
    if (path.n == 0 || path.p[0] == '/' || dir.n == 0) return copy(a, path);
    return arena_printf(a->arena, "%" STR_FMT "/%" STR_FMT, STR_ARG(dir), STR_ARG(path));
}

static ErrCode read_cluster(const YamlNode *cluster, Str dir, K8sApi *a, Err *reterr) {
    PromTlsConfig *t = &a->http.tls;
    bool insecure = false;
    a->server = copy(a, scalar(cluster, "server"));
    if (!a->server.n) return err_set(reterr, ERR_INVALID, "the cluster has no server");
    t->ca_file = path_of(a, dir, scalar(cluster, "certificate-authority"));
    t->ca = decode(a, scalar(cluster, "certificate-authority-data"));
    t->server_name = copy(a, scalar(cluster, "tls-server-name"));
    if (yaml_bool(yaml_get(cluster, STR("insecure-skip-tls-verify")), &insecure)) t->insecure_skip_verify = insecure;
    a->http.proxy.url = copy(a, scalar(cluster, "proxy-url"));
    return OK;
}

static ErrCode read_user(const YamlNode *user, Str dir, K8sApi *a, Err *reterr) {
    PromHttpConfig *h = &a->http;
    if (!user) return OK; /* anonymous */
    if (yaml_get(user, STR("exec")) || yaml_get(user, STR("auth-provider")))
        return err_set(reterr, ERR_NOT_IMPLEMENTED,
            "users that get their credentials from a program (exec, auth-provider) are not supported: use a token or a "
            "certificate");
    h->credentials = copy(a, scalar(user, "token"));
    h->credentials_file = h->credentials.n ? STR("") : path_of(a, dir, scalar(user, "tokenFile"));
    if (h->credentials.n || h->credentials_file.n) h->auth_type = STR("Bearer");
    h->username = copy(a, scalar(user, "username"));
    h->password = copy(a, scalar(user, "password"));
    h->tls.cert_file = path_of(a, dir, scalar(user, "client-certificate"));
    h->tls.key_file = path_of(a, dir, scalar(user, "client-key"));
    h->tls.cert = decode(a, scalar(user, "client-certificate-data"));
    h->tls.key = decode(a, scalar(user, "client-key-data"));
    return OK;
}

ErrCode k8s_parse_kubeconfig(Str text, Str dir, K8sApi *ret, Err *reterr) {
    DiagList diags;
    YamlNode *root;
    diag_init(&diags, STR(""), text);
    ErrCode code = yaml_parse(text, ret->arena, &root, &diags);
    if (code != OK)
        err_set_at(reterr, code, diags.items.n ? diags.items.v[0].line : 0, 1, "%s",
            diags.items.n ? diags.items.v[0].msg : "malformed YAML");
    diag_done(&diags);
    if (code != OK) return code;
    Str name = scalar(root, "current-context");
    const YamlNode *context = named(root, "contexts", name, "context");
    if (!context) return err_set(reterr, ERR_INVALID, "context \"%" STR_FMT "\" does not exist", STR_ARG(name));
    const YamlNode *cluster = named(root, "clusters", scalar(context, "cluster"), "cluster");
    if (!cluster)
        return err_set(
            reterr, ERR_INVALID, "cluster \"%" STR_FMT "\" does not exist", STR_ARG(scalar(context, "cluster")));
    code = read_cluster(cluster, dir, ret, reterr);
    return code == OK ? read_user(named(root, "users", scalar(context, "user"), "user"), dir, ret, reterr) : code;
}

static ErrCode from_file(Str file, K8sApi *ret, Err *reterr) {
    Buf text = {0};
    size_t slash = str_rfind_char(file, '/');
    Str dir = slash == SIZE_MAX ? STR("") : str_slice(file, 0, MAX(slash, (size_t)1));
    ErrCode code = fs_read_file(fs_real(), arena_copy(ret->arena, file).p, KUBECONFIG_BYTES_MAX, &text, reterr);
    if (code == OK && (code = k8s_parse_kubeconfig(copy(ret, buf_str(&text)), dir, ret, reterr)) != OK)
        err_prefix(reterr, "%" STR_FMT, STR_ARG(file));
    buf_done(&text);
    return code;
}

/* --- in a pod --- */
static ErrCode from_pod(K8sApi *ret, Err *reterr) {
    const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
    if (!host || !port || !*host || !*port) {
        err_set(reterr, ERR_INVALID,
            "not in a Kubernetes cluster: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set");
        return ERR_INVALID;
    }
    ret->server = arena_printf(ret->arena, strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s", host, port);
    ret->http.auth_type = STR("Bearer");
    ret->http.credentials_file = STR(ACCOUNT "token");
    ret->http.tls.ca_file = STR(ACCOUNT "ca.crt");
    return OK;
}

static void read_own_namespace(K8sApi *ret) {
    Buf text = {0};
    if (fs_read_file(fs_real(), ACCOUNT "namespace", 1024, &text, NULL) == OK)
        ret->own_namespace = copy(ret, str_trim(buf_str(&text)));
    buf_done(&text);
}

ErrCode k8s_api_find(const PromSdConfig *c, K8sApi *ret, Err *reterr) {
    *ret = (K8sApi){.arena = arena_create((size_t)64 << 20)};
    ErrCode code = OK;
    if (c->kubernetes.api_server.n) {
        ret->http = c->http;
        ret->server = c->kubernetes.api_server;
    } else {
        code = c->kubernetes.kubeconfig_file.n ? from_file(c->kubernetes.kubeconfig_file, ret, reterr)
                                               : from_pod(ret, reterr);
    }
    if (c->kubernetes.own_namespace) read_own_namespace(ret);
    while (ret->server.n && ret->server.p[ret->server.n - 1] == '/') ret->server.n--;
    return code;
}
