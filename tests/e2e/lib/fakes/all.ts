// Every service of the world, and a configuration that sends to all of them.
import { Aws } from "./aws";
import { Chats } from "./chats";
import { Jira } from "./jira";
import { Pagers } from "./pagers";
import { refuse, World, type Req } from "./world";

export class Cloud {
  jira2 = new Jira("Basic " + Buffer.from("me:jira-token").toString("base64"));
  jira3 = new Jira("Bearer jira-pat");
  aws = new Aws({ id: "AKIDEXAMPLE", secret: "aws/secret+key" });
  pagers = new Pagers();
  chats = new Chats();
  tokens = 0;
  uses = 0;
  world!: World;

  /** A token is good for three requests: a server may forget what it gave. */
  oauth = (req: Req) => {
    if (req.path === "/token") {
      if (req.headers.authorization !== "Basic " + Buffer.from("client:oa-secret").toString("base64")) refuse(401, { error: "invalid_client" }, "client");
      if (req.form.get("grant_type") !== "client_credentials" || req.form.get("scope") !== "a b" || req.form.get("audience") !== "x y") refuse(400, { error: "invalid_request" }, req.text);
      this.uses = 0;
      return { body: { access_token: `oa-token-${++this.tokens}`, token_type: "Bearer", expires_in: 3600 } };
    }
    if (req.headers.authorization !== `Bearer oa-token-${this.tokens}` || ++this.uses > 3) return { status: 401, body: "token has expired" };
    return { body: "ok" };
  };

  static async start(tls: { key: string; cert: string }): Promise<Cloud> {
    const c = new Cloud();
    c.world = await World.start({
      jira2: c.jira2.serve, jira3: c.jira3.serve, sns: c.aws.sns, sts: c.aws.sts, pd2: c.pagers.pd2, pd1: c.pagers.pd1, og: c.pagers.og, vo: c.pagers.vo,
      pushover: c.pagers.pushover, incidentio: c.pagers.incidentio, hook: c.chats.hook, slack: c.chats.slack, mattermost: c.chats.mattermost,
      rocketchat: c.chats.rocketchat, teams: c.chats.teams, workflow: c.chats.workflow, webex: c.chats.webex, discord: c.chats.discord,
      telegram: c.chats.telegram, wechat: c.chats.wechat, ntfy: c.chats.ntfy, oauth: c.oauth,
    }, { "api.pushover.net": "pushover", "events.pagerduty.com": "pd1", "slack.com": "slack", "sts.eu-west-1.amazonaws.com": "sts" }, tls);
    return c;
  }
}

/** Hosts that the proxy stands for. */
export const hosts = ["api.pushover.net", "events.pagerduty.com", "slack.com", "sts.eu-west-1.amazonaws.com"];

export type Style = "defaults" | "own" | "long" | "tokens";
/** Receivers by product; old: those that Alertmanager 0.25 knows as well, with the keys it knows. */
export function receivers(w: World, ca: string, style: Style): { old: string; newer: string; own: string } {
  const proxy = `proxy_url: '${w.url("")}', tls_config: {ca_file: '${ca}'}`;
  const aws = "sigv4: {region: eu-west-1, access_key: AKIDEXAMPLE, secret_key: 'aws/secret+key'}";
  const say = (keys: Record<string, string>) => style === "defaults" ? "" :
    Object.entries(keys).map(([k, v]) => `, ${k}: '${style === "own" ? v : `{{ template "long" . }}${v}`}'`).join("");
  const fields = style === "own" ? ", fields: [{title: '{{ .Status }}', value: '{{ len .Alerts }} é<&>', short: true}, {title: b, value: c}, {title: d, value: e, short: false}]" : "";
  const own = (text: string) => (style === "own" ? text : "");
  const old = `
  webhook_configs: [{url: '${w.url("/hook/a")}'}]
  pagerduty_configs:
  - {routing_key: pd-routing, url: '${w.url("/pd2/v2/enqueue")}', severity: '{{ with .CommonLabels.severity }}{{ . }}{{ else }}error{{ end }}', details: {firing: x, note: '{{ .CommonLabels.team | toUpper }} <&é>', num_firing: few, num_resolved: none, resolved: r}, class: c, component: d, group: e,
     images: [{src: '{{ .ExternalURL }}/i.png', alt: a, href: 'http://h'}], links: [{href: 'http://l/{{ .Status }}', text: t}]${say({ description: "{{ .Status }} ünïcode" })}}
  - {service_key: pd-service, http_config: {${proxy}}, details: {firing: x, num_firing: few, num_resolved: none, resolved: r}${say({ description: "{{ .Status }} ünïcode" })}}
  slack_configs: [{api_url: '${w.url("/slack/services/T/B/x")}', channel: '#ops'${say({ title: "{{ .Status }} ö", text: "*{{ .Status }}*", pretext: "{{ len .Alerts }}" })}${fields}${own(", short_fields: true, mrkdwn_in: [text], image_url: 'http://i', thumb_url: 'http://t', link_names: true, icon_emoji: ':x:', actions: [{type: button, text: 'Go {{ .Status }}', url: 'http://x', style: danger, confirm: {text: sure}}, {type: button, text: T, name: n, value: v, confirm: {text: sure, title: t, ok_text: o, dismiss_text: d}}]")}}]
  opsgenie_configs: [{api_key: og-key, api_url: '${w.url("/og/")}', update_alerts: ${style === "own"}${say({ message: "{{ .Status }} ö" })}${own(", description: 'd {{ .Status }}', tags: 'a, b,,{{ .Status }}', actions: 'x,y', note: n, priority: P2, entity: e, source: s, details: {severity: own, k: '{{ .Status }}'}, responders: [{name: 'a,b', type: teams}, {id: i, type: user}, {username: u, type: '{{ \"schedule\" }}'}]")}}]
  victorops_configs: [{api_key: vo-key, api_url: '${w.url("/vo/alert/")}', routing_key: team${say({ state_message: "{{ .Status }} ö" })}${own(", message_type: '{{ \"WARNING\" }}', entity_display_name: '{{ .Status }}', custom_fields: {a: '{{ .Status }}', z: é}")}}]
  telegram_configs:
  - {bot_token: tg-token, chat_id: -1001, api_url: '${w.url("/telegram")}', parse_mode: ${style === "own" ? "MarkdownV2" : "HTML"}${say(style === "long" ? {} : { message: "{{ .Status }} <b>" })}}
  - {bot_token: tg-token, chat_id: -1001, api_url: '${w.url("/telegram")}', parse_mode: '', disable_notifications: true${say({ message: "<i>{{ .Status }}</i> & {{ len .Alerts }}" })}}
  discord_configs: [{webhook_url: '${w.url("/discord/api/webhooks/1/x")}'${say({ title: "{{ .Status }} ö", message: "m {{ .Status }}" })}}]
  webex_configs: [{room_id: room, api_url: '${w.url("/webex/v1/messages")}', http_config: {authorization: {credentials: wx-token}}${say({ message: "{{ .Status }} öö" })}}]
  sns_configs:
  - {topic_arn: 'arn:aws:sns:eu-west-1:123456789012:t', api_url: '${w.url("/sns/")}', ${aws}${style === "long" ? ", message: '{{ template \"huge\" . }}'" : say({ message: "{{ .Status }} ö +&=~*", subject: "{{ .Status }}" })}}
  - {topic_arn: 'arn:aws:sns:eu-west-1:123456789012:t.fifo', api_url: '${w.url("/sns")}', ${aws}, subject: s, attributes: {a: '{{ .Status }} é'}}
  - {phone_number: '+4915112345678', api_url: '${w.url("/sns/")}', ${aws}, subject: ''${say({ message: "{{ .Status }}" })}}
  - {target_arn: 'arn:aws:sns:eu-west-1:123456789012:endpoint/APNS/x', api_url: '${w.url("/sns/")}', ${aws}, subject: 'x', message: m}
  pushover_configs: [{user_key: po-user, token: po-token, http_config: {${proxy}}, retry: 1m, expire: 1h${say({ title: "{{ .Status }} ö", message: " {{ .Status }} +&<b> ", url: "http://x/?a=b&c={{ .Status }}" })}${own(", html: true, sound: s, url_title: 't t', priority: '{{ 1 }}'")}}]
  wechat_configs: [{api_secret: wx-secret, corp_id: corp, api_url: '${w.url("/wechat/cgi-bin/")}', to_user: u, to_party: '{{ .Status }}', agent_id: '12'${own(", message_type: markdown, message: '**{{ .Status }}**', to_tag: t")}, send_resolved: true}]
`;
  const values = ["'{{ len .Alerts }}'", "'5'", "5", "0x1F", "'0x1F'", "0123", "'1_000'", "1.50", "'1.50'", "1e21", "'1e21'", "1e-7", "'yes'", "off", "'On'", "'~'", "null", "'null'", "''",
    "'{{ .CommonLabels.nope }}'", "'\"quoted\"'", "'{{ \"a: b\" }}'", "'a:'", "'[1, two, \"3\", 4.0]'", "'{{ .CommonLabels | toJson }}'", "'{x: [y, {z: 1}], \"k\": true}'", "2020-01-01", "'2020-01-01T00:00:00Z'",
    "'18446744073709551615'", "'-9223372036854775808'", "'99999999999999999999'", "'.5'", "'+7'", "'- a'", "'# c'", "'a # c'", "'%x'", "'{{ \"{a\" }}'", "'*x'", "'!!str 5'", "'  sp  '", "'two\n  lines'", "[1, '2', {a: '3', b: '{{ .Status }}'}]", "'p95 <b> & é'"];
  const tree = `{${values.map((v, i) => `k${i}: ${v}`).join(", ")}}`;
  const newer = `
  webhook_configs: [{url: '${w.url("/hook/b")}', payload: ${tree}}, {url: '${w.url("/hook/c")}', max_alerts: 1}]
  pagerduty_configs: [{routing_key: pd-routing2, url: '${w.url("/pd2/v2/enqueue")}', details: ${tree}}]
  mattermost_configs: [{webhook_url: '${w.url("/mattermost/hooks/x1")}', channel: town${say({ text: "{{ .Status }} ö" })}${fields}${own(", username: '{{ .Status }}', icon_url: 'http://i', icon_emoji: ':x:', type: custom_x, props: {card: '{{ .Status }}'}, priority: {priority: '{{ \"Important\" }}', requested_ack: true, persistent_notifications: true}, attachments: [{text: '{{ .Status }}', color: red, fields: [{title: a, value: '{{ .Status }}', short: true}, {title: b, value: c}]}, {pretext: p, title: t, title_link: 'http://l', footer: f, author_name: n}]")}}]
  rocketchat_configs: [{api_url: '${w.url("/rocketchat/")}', token: rc-token, token_id: rc-id, channel: '#ops'${say({ title: "{{ .Status }} ö", text: "t {{ .Status }}" })}${fields}${own(", short_fields: true, emoji: ':x:', icon_url: 'http://i', image_url: 'http://j', thumb_url: 'http://k', link_names: true, actions: [{type: button, text: 'Go {{ .Status }}', url: 'http://x', msg: m}]")}}]
  msteams_configs: [{webhook_url: '${w.url("/teams/x")}'${say({ title: "{{ .Status }} ö", text: "t {{ .Status }}", summary: "s" })}}]
  msteamsv2_configs: [{webhook_url: '${w.url("/workflow/x")}'${say({ title: "{{ .Status }} ö", text: "t {{ .Status }}" })}}]
  incidentio_configs: [{url: '${w.url("/incidentio/v2/alert_events/http/x")}', alert_source_token: io-token${own(", max_alerts: 2, timeout: 5s")}}]
  jira_configs:
  - {api_url: '${w.url("/jira2/rest/api/2/")}', project: OPS, issue_type: Bug, http_config: {basic_auth: {username: me, password: jira-token}}, resolve_transition: Resolve, reopen_transition: Reopen, reopen_duration: 30m${own(", wont_fix_resolution: \"Won't Fix\", labels: ['x-{{ .Status }}', alertmanager], fields: {customfield_1: '{{ .Status }}', customfield_2: {value: '{{ .Status }}'}, customfield_3: [{id: '1'}], customfield_4: 3, customfield_5: 1.50, customfield_6: true}, summary: {template: '{{ .Status }} <s>', enable_update: false}")}${style === "long" ? ", summary: '{{ template \"long\" . }}', description: '{{ template \"huge\" . }}'" : ""}}
  - {api_url: '${w.url("/jira3/rest/api/3")}', api_type: cloud, project: '{{ "OPS" }}', issue_type: '{{ "Bug" }}', http_config: {authorization: {credentials: jira-pat}}, resolve_transition: Resolve, description: '{"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": [{"type": "text", "text": {{ .Status | toJson }}}]}]}'}
`;
  const ours = `
  ntfy_configs: [{topic: alerts, url: '${w.url("/ntfy/")}', token: tk_ntfy${say({ title: "{{ .Status }} ö", message: "m {{ .Status }}" })}${own(", tags: 'a, b', click: 'http://c', icon: 'http://i', markdown: true, priority: '2'")}}]
`;
  return { old, newer, own: ours };
}
