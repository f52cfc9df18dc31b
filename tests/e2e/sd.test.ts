// Service discovery against small servers that speak the APIs: targets, meta labels, changes, errors.
import assert from "node:assert/strict";
import { createServer, type Server as HttpServer } from "node:http";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { type Answer, dnsServer, FakeKubernetes, jsonServer, listen } from "./lib/fakesd";
import { eventually, Server } from "./lib/server";

const dir = mkdtempSync(join(tmpdir(), "meerkat-sd-"));
let server: Server, target: HttpServer, targetPort = 0;
const closers: (() => void)[] = [];

// --- http ---
let httpGroups: any = [], httpAuth = "";
const httpSd = jsonServer((_, request) => { httpAuth = request.headers.authorization ?? ""; return httpGroups; });
let tokenRequests = 0;
const tokens = jsonServer(() => { tokenRequests++; return { access_token: "t0ken", token_type: "Bearer", expires_in: 3600 }; });

// --- dns ---
const records = new Map<string, Answer[]>();

// --- consul ---
let consulIndex = 5, consulServices: Record<string, string[]> = {}, consulNodes: Record<string, any[]> = {};
const waiting: (() => void)[] = [];
const consul = jsonServer((url, _, response) => {
  if (url.pathname === "/v1/agent/self") return { Config: { Datacenter: "dc7" } };
  const answer = () => {
    const service = url.pathname.match(/^\/v1\/health\/service\/(.*)$/)?.[1];
    response.writeHead(200, { "Content-Type": "application/json", "X-Consul-Index": String(consulIndex) });
    response.end(JSON.stringify(service ? consulNodes[service] ?? [] : consulServices));
  };
  if (Number(url.searchParams.get("index") ?? 0) === consulIndex) waiting.push(answer); else answer();
  return undefined;
});
const consulChange = (fn: () => void) => { fn(); consulIndex++; for (const answer of waiting.splice(0)) answer(); };

// --- docker ---
const containers = [
  {
    Id: "c1", Names: ["/web"], Image: "web:1", ImageID: "sha256:1", Labels: { "com.example/app": "web" }, HostConfig: { NetworkMode: "bridge" },
    Ports: [{ IP: "0.0.0.0", PrivatePort: 80, PublicPort: 8080, Type: "tcp" }, { PrivatePort: 53, Type: "udp" }],
    NetworkSettings: { Networks: { bridge: { IPAddress: "172.17.0.2", NetworkID: "n1" }, zeta: { IPAddress: "10.0.0.9", NetworkID: "n2" } } },
  },
  { Id: "c2", Names: ["/sidecar"], Labels: {}, HostConfig: { NetworkMode: "container:c1" }, Ports: [], NetworkSettings: { Networks: {} } },
  { Id: "c3", Names: ["/agent"], Labels: {}, HostConfig: { NetworkMode: "host" }, Ports: [], NetworkSettings: { Networks: { host: { IPAddress: "", NetworkID: "n3" } } } },
];
const networks = [{ Id: "n1", Name: "bridge", Scope: "local", Internal: false, Ingress: false, Labels: { team: "x" } }];
let dockerFilters = "";
const docker = jsonServer((url) => {
  if (url.pathname === "/containers/json") { dockerFilters = url.searchParams.get("filters") ?? ""; return containers; }
  return url.pathname === "/networks" ? networks : null;
});

// --- kubernetes ---
const k8s = new FakeKubernetes();
const pod = (name: string, ip: string, ready = "True") => ({
  metadata: { name, namespace: "shop", uid: `u-${name}`, labels: { app: "web", "app.kubernetes.io/name": "web" }, annotations: { "prometheus.io/scrape": "true" },
    ownerReferences: [{ kind: "ReplicaSet", name: "web-1", controller: true }], managedFields: [{ manager: "x" }] },
  spec: { nodeName: "node-a", containers: [{ name: "app", image: "web:1", ports: [{ name: "http", containerPort: 8080, protocol: "TCP" }, { name: "admin", containerPort: 9000, protocol: "TCP" }] }],
    initContainers: [{ name: "init", image: "init:1" }] },
  status: { podIP: ip, hostIP: "10.1.1.1", phase: "Running", conditions: [{ type: "Ready", status: ready }], containerStatuses: [{ name: "app", containerID: "cri://1" }] },
});
k8s.objects.set("/api/v1/namespaces/shop/pods", [pod("web-1", "10.2.0.1"), pod("web-2", "10.2.0.2", "False"), pod("pending", "")]);
k8s.objects.set("/api/v1/nodes", [{
  metadata: { name: "node-a", labels: { zone: "z1" } }, spec: { providerID: "aws:///i-1" },
  status: { addresses: [{ type: "Hostname", address: "node-a.local" }, { type: "InternalIP", address: "10.1.1.1" }], conditions: [{ type: "Ready", status: "True" }], daemonEndpoints: { kubeletEndpoint: { Port: 10250 } } },
}]);
k8s.objects.set("/api/v1/namespaces/shop/services", [{
  metadata: { name: "web", namespace: "shop", labels: { tier: "front" }, annotations: {} },
  spec: { type: "ClusterIP", clusterIP: "10.96.0.1", ports: [{ name: "http", port: 80, protocol: "TCP" }] },
}]);
k8s.objects.set("/api/v1/namespaces/shop/endpoints", [{
  metadata: { name: "web", namespace: "shop" },
  subsets: [{ addresses: [{ ip: "10.2.0.1", nodeName: "node-a", targetRef: { kind: "Pod", name: "web-1", namespace: "shop" } }], notReadyAddresses: [{ ip: "10.9.9.9" }], ports: [{ name: "http", port: 8080, protocol: "TCP" }] }],
}]);
k8s.objects.set("/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices", [{
  metadata: { name: "web-abc", namespace: "shop", labels: { "kubernetes.io/service-name": "web" } }, addressType: "IPv4",
  endpoints: [{ addresses: ["10.2.0.1"], conditions: { ready: true, serving: true, terminating: false }, zone: "z1", nodeName: "node-a", targetRef: { kind: "Pod", name: "web-1", namespace: "shop" } }],
  ports: [{ name: "http", port: 8080, protocol: "TCP" }],
}]);
k8s.objects.set("/apis/networking.k8s.io/v1/namespaces/shop/ingresses", [{
  metadata: { name: "front", namespace: "shop" },
  spec: { ingressClassName: "nginx", tls: [{ hosts: ["*.example.org"] }], rules: [{ host: "shop.example.org", http: { paths: [{ path: "/api" }, {}] } }, { host: "plain.org" }] },
}]);
// What controls pods, and what controls that.
const owned = (name: string, kind: string, owner: string) =>
  ({ metadata: { name, namespace: "night", ownerReferences: [{ kind: "Other", name: "no" }, { kind, name: owner, controller: true }] } });
const ownedPod = (name: string, ip: string, kind: string, owner: string) =>
  ({ ...owned(name, kind, owner), spec: { containers: [{ name: "app" }] }, status: { podIP: ip } });
k8s.objects.set("/api/v1/namespaces/night/pods", [
  ownedPod("web", "10.3.0.1", "ReplicaSet", "web-1"), ownedPod("lone", "10.3.0.2", "ReplicaSet", "lone-1"),
  ownedPod("nightly", "10.3.0.3", "Job", "nightly-1"), ownedPod("once", "10.3.0.4", "Job", "once"), ownedPod("set", "10.3.0.5", "StatefulSet", "web-1"),
]);
k8s.objects.set("/apis/apps/v1/namespaces/night/replicasets", [owned("web-1", "Deployment", "web"), owned("lone-1", "Rollout", "lone")]);
k8s.objects.set("/apis/batch/v1/namespaces/night/jobs", [owned("nightly-1", "CronJob", "nightly"), { metadata: { name: "once", namespace: "night" } }]);
k8s.objects.set("/api/v1/namespaces/night/services", []);
k8s.objects.set("/api/v1/namespaces/night/endpoints", [{
  metadata: { name: "web", namespace: "night" },
  subsets: [{ addresses: [{ ip: "10.3.0.1", targetRef: { kind: "Pod", name: "web", namespace: "night" } }], ports: [{ port: 80, protocol: "TCP" }] }],
}]);
k8s.objects.set("/api/v1/namespaces", [{ metadata: { name: "shop", labels: { env: "prod" } } }]);

const ports: Record<string, number> = {};
const config = (extra = "") => `
global: {scrape_interval: 2s}
scrape_configs:
- job_name: file
  file_sd_configs: [{files: ["sd/*.json", "sd/*.yml"], refresh_interval: 1h}]
- job_name: http
  http_sd_configs:
  - url: http://127.0.0.1:${ports.http}/targets
    refresh_interval: 300ms
    oauth2: {client_id: me, client_secret: s, token_url: "http://127.0.0.1:${ports.tokens}/token"}
- job_name: dns
  dns_sd_configs:
  - {names: [_app._tcp.test.lan], refresh_interval: 300ms}
  - {names: [a.test.lan], type: A, port: 9100, refresh_interval: 300ms}
  - {names: [test.lan], type: MX, port: 25, refresh_interval: 300ms}
- job_name: consul
  consul_sd_configs: [{server: "127.0.0.1:${ports.consul}", refresh_interval: 100ms}]
- job_name: docker
  docker_sd_configs: [{host: "unix://${dir}/docker.sock", refresh_interval: 1s, filters: [{name: status, values: [running]}]}]
  relabel_configs: [{source_labels: [__meta_docker_container_name], target_label: container}]
${["node", "pod", "service", "endpoints", "endpointslice", "ingress"].map((role) => `
- job_name: k8s-${role}
  kubernetes_sd_configs:
  - role: ${role}
    api_server: http://127.0.0.1:${ports.k8s}
    namespaces: {names: [shop]}
    attach_metadata: {node: ${role !== "service" && role !== "ingress"}, namespace: true}
  relabel_configs: [{source_labels: [__address__], regex: "10.*", action: drop}, {source_labels: [__meta_kubernetes_ingress_path], target_label: path}]`).join("")}
${["pod", "endpoints"].map((role) => `
- job_name: k8s-owners-${role}
  kubernetes_sd_configs:
  - {role: ${role}, api_server: "http://127.0.0.1:${ports.k8s}", namespaces: {names: [night]}, attach_metadata: {deployment: true, job: true, cronjob: true}}
  relabel_configs: [{source_labels: [__address__], regex: "10.*", action: drop}]`).join("")}
- job_name: broken
  http_sd_configs: [{url: "http://127.0.0.1:1/x", refresh_interval: 1s}]
${extra}`;

before(async () => {
  target = createServer((_, response) => response.end("app_up 1\n"));
  targetPort = await listen(target);
  ports.http = await listen(httpSd); ports.tokens = await listen(tokens); ports.consul = await listen(consul); ports.k8s = await listen(k8s.server);
  await listen(docker, join(dir, "docker.sock"));
  const dns = await dnsServer(records);
  for (const s of [target, httpSd, tokens, consul, docker, k8s.server]) closers.push(() => { s.close(); (s as any).closeAllConnections?.(); });
  closers.push(() => dns.socket.close());
  httpGroups = [{ targets: [`127.0.0.1:${targetPort}`], labels: { __meta_team: "a", env: "x" } }];
  records.set("_app._tcp.test.lan", [{ type: "SRV", port: targetPort, target: "localhost." }]);
  records.set("a.test.lan", [{ type: "A", ip: "127.0.0.9" }]);
  records.set("test.lan", [{ type: "MX", target: "mail.test.lan." }]);
  consulServices = { web: ["v1", "prod"] };
  consulNodes.web = [{
    Node: { Node: "n1", Address: "10.5.0.1", Meta: { "rack-no": "7" }, TaggedAddresses: { lan: "10.5.0.1" } },
    Service: { ID: "web-1", Service: "web", Tags: ["v1", "prod"], Address: "", Port: targetPort, Meta: { version: "2" } },
    Checks: [{ CheckID: "c", Status: "passing" }, { CheckID: "d", Status: "warning" }],
  }];
  const { mkdirSync } = await import("node:fs");
  mkdirSync(join(dir, "sd"));
  writeFileSync(join(dir, "sd/a.json"), JSON.stringify([{ targets: [`127.0.0.1:${targetPort}`], labels: { from: "json" } }]));
  writeFileSync(join(dir, "prometheus.yml"), config());
  writeFileSync(join(dir, "meerkat.yml"), `scrape: {dns_servers: "127.0.0.1:${dns.port}"}\n`);
  server = await Server.start({ args: ["--config", join(dir, "meerkat.yml"), "--prometheus.config", join(dir, "prometheus.yml")] });
});
after(async () => {
  await server?.stop();
  for (const close of closers) close();
  rmSync(dir, { recursive: true, force: true });
});

const targets = async (pool: string) => {
  const { data } = await server.json("prometheus", `/api/v1/targets?scrapePool=${pool}`);
  return [...data.activeTargets, ...data.droppedTargets].map((t: any) => t.discoveredLabels as Record<string, string>);
};
const found = (pool: string, n: number) => eventually(`${n} targets of ${pool}`, async () => { const t = await targets(pool); return t.length === n ? t : undefined; });
const meta = (labels: Record<string, string>, prefix: string) =>
  Object.fromEntries(Object.entries(labels).filter(([k]) => k.startsWith(`__meta_${prefix}`)).map(([k, v]) => [k.slice(`__meta_${prefix}`.length), v]));

it("file: JSON and YAML, seen when they change; a broken file keeps what there was and says why", async () => {
  const [one] = await found("file", 1);
  assert.equal(one.from, "json");
  assert.equal(one.__meta_filepath, join(dir, "sd/a.json"));
  assert.equal(await eventually("its samples", () => server.promValue('app_up{job="file",from="json"}')), 1);
  writeFileSync(join(dir, "sd/b.yml"), "- targets: ['h:1', 'h:2']\n  labels: {from: yaml}\n");
  await found("file", 3);
  writeFileSync(join(dir, "sd/b.yml"), "- targets: ['h:1'\n");
  const { data } = await eventually("the error", async () => {
    const answer = await server.json("prometheus", "/api/v1/targets?scrapePool=file");
    return answer.data.discovery[0].lastError ? answer : undefined;
  });
  assert.match(data.discovery[0].lastError, /b\.yml:\d+:\d+: /);
  assert.equal((await targets("file")).length, 3);
});

it("http: asked with a token of the client credentials grant; changes arrive; errors keep the last answer", async () => {
  const [one] = await found("http", 1);
  assert.deepEqual([one.env, one.__meta_team, one.__meta_url], ["x", "a", `http://127.0.0.1:${ports.http}/targets`]);
  assert.equal(httpAuth, "Bearer t0ken");
  httpGroups = [...httpGroups, { targets: ["h:1"] }];
  await found("http", 2);
  assert.equal(tokenRequests, 1);
  httpGroups = { not: "a list" };
  await eventually("the error", async () => /list of target groups/.test((await server.json("prometheus", "/api/v1/targets?scrapePool=http")).data.discovery[0].lastError));
  assert.equal((await targets("http")).length, 2);
});

it("dns: SRV, A and MX records", async () => {
  const all = await found("dns", 3), by = (address: string) => all.find((t) => t.__address__ === address)!;
  assert.deepEqual(meta(by(`localhost:${targetPort}`), "dns_"), { name: "_app._tcp.test.lan", srv_record_target: "localhost.", srv_record_port: String(targetPort) });
  assert.deepEqual(meta(by("127.0.0.9:9100"), "dns_"), { name: "a.test.lan" });
  assert.deepEqual(meta(by("mail.test.lan:25"), "dns_"), { name: "test.lan", mx_record_target: "mail.test.lan." });
  records.set("a.test.lan", [{ type: "A", ip: "127.0.0.9" }, { type: "A", ip: "127.0.0.10" }]);
  await found("dns", 4);
  records.delete("a.test.lan");
  await found("dns", 2);
});

it("consul: instances with tags and health; a change ends the blocking query", async () => {
  const [one] = await found("consul", 1);
  assert.equal(one.__address__, `10.5.0.1:${targetPort}`);
  assert.deepEqual(meta(one, "consul_"), {
    address: "10.5.0.1", node: "n1", tags: ",v1,prod,", service: "web", service_id: "web-1", service_port: String(targetPort),
    dc: "dc7", health: "warning", metadata_rack_no: "7", service_metadata_version: "2", tagged_address_lan: "10.5.0.1",
  });
  consulChange(() => { consulServices.db = []; consulNodes.db = [{ Node: { Node: "n2", Address: "10.5.0.2" }, Service: { ID: "db", Tags: [], Address: "10.6.0.1", Port: 5432 }, Checks: [] }]; });
  const two = await found("consul", 2);
  assert.ok(two.some((t) => t.__address__ === "10.6.0.1:5432" && t.__meta_consul_health === "passing"));
  consulChange(() => { delete consulServices.web; });
  await found("consul", 1);
});

it("docker: a target per network and TCP port", async () => {
  const all = await found("docker", 3), by = (name: string) => all.find((t) => t.__meta_docker_container_name === name)!;
  assert.deepEqual(JSON.parse(dockerFilters), { status: ["running"] });
  assert.equal(by("/web").__address__, "172.17.0.2:80");
  assert.deepEqual(meta(by("/web"), "docker_"), {
    container_id: "c1", container_name: "/web", container_image: "web:1", container_image_id: "sha256:1", container_network_mode: "bridge",
    container_label_com_example_app: "web", network_ip: "172.17.0.2", port_private: "80", port_public: "8080", port_public_ip: "0.0.0.0",
    network_id: "n1", network_name: "bridge", network_scope: "local", network_internal: "false", network_ingress: "false", network_label_team: "x",
  });
  assert.equal(by("/sidecar").__address__, "172.17.0.2:80"); // the other container's network, the default port
  assert.equal(by("/agent").__address__, "localhost");
});

it("kubernetes: attach_metadata names what controls the pods' controllers, and follows it", async () => {
  const owners = async (n = 5) => Object.fromEntries((await found("k8s-owners-pod", n)).map((t) => [t.__meta_kubernetes_pod_name,
    ["deployment", "job", "cronjob"].map((k) => t[`__meta_kubernetes_pod_${k}_name`] ?? "-").join(" ")]));
  assert.deepEqual(await owners(), { web: "web - -", lone: "- - -", nightly: "- nightly-1 nightly", once: "- once -", set: "- - -" });
  const [endpoint] = await found("k8s-owners-endpoints", 1);
  assert.equal(endpoint.__meta_kubernetes_pod_deployment_name, "web");
  k8s.put("/apis/apps/v1/namespaces/night/replicasets", owned("web-1", "Deployment", "renamed"));
  await eventually("the new owner", async () => (await owners()).web === "renamed - -");
  const before = (await found("k8s-pod", 6))[0];
  assert.equal(before.__meta_kubernetes_pod_deployment_name, undefined); // not asked for there
});

it("kubernetes: every role with its labels", async () => {
  const [node] = await found("k8s-node", 1);
  assert.equal(node.__address__, "10.1.1.1:10250");
  assert.equal(node.instance, "node-a");
  assert.deepEqual(meta(node, "kubernetes_node_"), {
    name: "node-a", provider_id: "aws:///i-1", condition_ready: "true", label_zone: "z1", labelpresent_zone: "true", address_Hostname: "node-a.local", address_InternalIP: "10.1.1.1",
  });
  const pods = await found("k8s-pod", 6), first = pods.find((t) => t.__address__ === "10.2.0.1:8080")!;
  assert.deepEqual(meta(first, "kubernetes_"), {
    namespace: "shop", namespace_label_env: "prod", namespace_labelpresent_env: "true",
    node_name: "node-a", node_label_zone: "z1", node_labelpresent_zone: "true",
    pod_name: "web-1", pod_ip: "10.2.0.1", pod_ready: "true", pod_phase: "Running", pod_node_name: "node-a", pod_host_ip: "10.1.1.1", pod_uid: "u-web-1",
    pod_controller_kind: "ReplicaSet", pod_controller_name: "web-1",
    pod_label_app: "web", pod_labelpresent_app: "true", pod_label_app_kubernetes_io_name: "web", pod_labelpresent_app_kubernetes_io_name: "true",
    pod_annotation_prometheus_io_scrape: "true", pod_annotationpresent_prometheus_io_scrape: "true",
    pod_container_name: "app", pod_container_id: "cri://1", pod_container_image: "web:1", pod_container_init: "false",
    pod_container_port_name: "http", pod_container_port_number: "8080", pod_container_port_protocol: "TCP",
  });
  assert.ok(pods.some((t) => t.__address__ === "10.2.0.1" && t.__meta_kubernetes_pod_container_init === "true"));
  const [service] = await found("k8s-service", 1);
  assert.equal(service.__address__, "web.shop.svc:80");
  assert.equal(service.__meta_kubernetes_service_cluster_ip, "10.96.0.1");
  const endpoints = await found("k8s-endpoints", 3), ready = endpoints.find((t) => t.__meta_kubernetes_endpoint_ready === "true")!;
  assert.equal(ready.__meta_kubernetes_service_label_tier, "front");
  assert.equal(ready.__meta_kubernetes_pod_name, "web-1");
  assert.equal(ready.__meta_kubernetes_pod_container_port_name, "http");
  assert.ok(endpoints.some((t) => t.__address__ === "10.2.0.1:9000")); // the pod's port that no endpoint names
  const slices = await found("k8s-endpointslice", 2), slice = slices.find((t) => t.__address__ === "10.2.0.1:8080")!;
  assert.equal(slice.__meta_kubernetes_endpointslice_endpoint_conditions_serving, "true");
  assert.equal(slice.__meta_kubernetes_endpointslice_name, "web-abc");
  assert.equal(slice.__meta_kubernetes_service_name, "web");
  const ingresses = await found("k8s-ingress", 3), api = ingresses.find((t) => t.__meta_kubernetes_ingress_path === "/api")!;
  assert.deepEqual(meta(api, "kubernetes_ingress_"), { name: "front", class_name: "nginx", scheme: "https", host: "shop.example.org", path: "/api" });
  assert.ok(ingresses.some((t) => t.__address__ === "plain.org" && t.__meta_kubernetes_ingress_scheme === "http"));
});

it("kubernetes: watches tell of changes; an expired version is listed again", async () => {
  const path = "/api/v1/namespaces/shop/pods";
  k8s.put(path, pod("web-3", "10.2.0.3"));
  await found("k8s-pod", 9);
  k8s.remove(path, "web-3");
  await found("k8s-pod", 6);
  k8s.objects.get(path)!.push(pod("web-4", "10.2.0.4")); // while nobody watches
  const lists = k8s.lists;
  k8s.gone = true;
  k8s.endWatches();
  await eventually("a new list", async () => k8s.lists > lists);
  k8s.put(path, pod("web-4", "10.2.0.4"));
  await found("k8s-pod", 9);
});

it("says which pool's discovery fails, and counts dropped targets", async () => {
  const { data } = await server.json("prometheus", "/api/v1/targets?state=any");
  const broken = data.discovery.find((d: any) => d.scrapePool === "broken");
  assert.match(broken.lastError, /connect|refused/i);
  assert.equal(broken.known, false);
  assert.equal(data.droppedTargetCounts["k8s-pod"], 9);
  const pools = await server.json("prometheus", "/api/v1/scrape_pools");
  assert.ok(pools.data.scrapePools.includes("k8s-ingress"));
  const yaml = await server.json("prometheus", "/api/v1/scrape_pools/config?scrapePool=http");
  assert.match(yaml.data.yaml, /client_secret: <secret>/);
});

it("a reload that does not touch a source does not disturb it", async () => {
  const seen = k8s.seen.filter((path) => !path.includes("watch")).length;
  writeFileSync(join(dir, "prometheus.yml"), config("- job_name: late\n  static_configs: [{targets: ['h:9']}]\n"));
  server.child.kill("SIGHUP");
  await found("late", 1);
  assert.equal((await targets("k8s-pod")).length, 9);
  assert.equal(k8s.seen.filter((path) => !path.includes("watch")).length, seen);
});
