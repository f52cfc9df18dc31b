// PagerDuty (events v1 and v2), Opsgenie, VictorOps, Pushover, incident.io.
import { needJson, needText, refuse, runes, type Answer, type Req } from "./world";

export class Pagers {
  /** By key: the last action. */
  pagerduty = new Map<string, string>();
  opsgenie = new Map<string, { open: boolean; count: number; message: string }>();
  victorops = new Map<string, string>();

  pd2 = (req: Req): Answer => {
    const bad = (...errors: string[]) => ({ status: "invalid event", message: "Event object is invalid", errors });
    needJson(req, bad("JSON"));
    const b = req.body, p = b.payload;
    if (req.path !== "/v2/enqueue") refuse(404, "", req.path);
    if (Buffer.byteLength(req.text) > 512 * 1024) refuse(413, "", "event over 512 KB");
    needText(b.routing_key, 32, bad("Invalid routing key"), "routing_key");
    needText(b.dedup_key, 255, bad("Length of 'dedup_key' is incorrect (should be <= 255)"), "dedup_key");
    if (!["trigger", "resolve", "acknowledge"].includes(b.event_action)) refuse(400, bad("'event_action' is invalid"), b.event_action);
    needText(p.summary, 1024, bad("Length of 'summary' is incorrect"), "summary");
    needText(p.source, 1024, bad("'payload.source' is missing or blank"), "source");
    if (!["critical", "error", "warning", "info"].includes(p.severity)) refuse(400, bad("'severity' is invalid"), `severity ${p.severity}`);
    if (b.event_action === "resolve" && !this.pagerduty.has(b.routing_key + b.dedup_key)) refuse(400, bad("no such alert"), "resolve of the unknown");
    for (const l of b.links ?? []) needText(l.href, 2048, bad("links"), "href");
    for (const i of b.images ?? []) needText(i.src, 2048, bad("images"), "src");
    this.pagerduty.set(b.routing_key + b.dedup_key, b.event_action);
    return { status: 202, body: { status: "success", message: "Event processed", dedup_key: b.dedup_key } };
  };

  pd1 = (req: Req): Answer => {
    const bad = (...errors: string[]) => ({ status: "invalid event", message: "Event object is invalid", errors });
    needJson(req, bad("JSON"));
    if (req.path !== "/generic/2010-04-15/create_event.json") refuse(404, "", req.path);
    needText(req.body.service_key, 32, bad("Service key is the wrong length"), "service_key");
    if (!["trigger", "resolve", "acknowledge"].includes(req.body.event_type)) refuse(400, bad("Event type is invalid"), req.body.event_type);
    needText(req.body.description, 1024, bad("Description is too long"), "description");
    this.pagerduty.set(req.body.service_key + req.body.incident_key, req.body.event_type);
    return { body: { status: "success", message: "Event processed", incident_key: req.body.incident_key } };
  };

  og = (req: Req): Answer => {
    const bad = (message: string) => ({ message, took: 0.001, requestId: "r" });
    if (req.headers.authorization !== "GenieKey og-key") refuse(401, bad("Could not authenticate"), "authorization");
    needJson(req, bad("Body is not a valid JSON."));
    const ok = { status: 202, body: { result: "Request will be processed", took: 0.1, requestId: "r" } };
    const [, alias, what] = /^\/v2\/alerts(?:\/([^/]+)\/(close|message|description))?$/.exec(req.path) ?? refuse(404, bad("No such path"), req.path);
    if (!alias) {
      const b = req.body;
      needText(b.message, 130, bad("Request body is not processable."), "message");
      needText(b.alias, 512, bad("alias"), "alias");
      if (b.description !== undefined && runes(b.description) > 15000) refuse(422, bad("description"), "description");
      if (b.priority !== undefined && !/^P[1-5]$/.test(b.priority)) refuse(422, bad("Priority should be one of [ P1, P2, P3, P4, P5 ]"), b.priority);
      for (const r of b.responders ?? []) if (!["team", "user", "escalation", "schedule"].includes(r.type) || !(r.id || r.name || r.username)) refuse(422, bad("responders"), JSON.stringify(r));
      const before = this.opsgenie.get(b.alias);
      this.opsgenie.set(b.alias, before?.open ? { ...before, count: before.count + 1 } : { open: true, count: 1, message: b.message });
      return ok;
    }
    if (req.query.get("identifierType") !== "alias") refuse(422, bad("identifier"), "identifierType");
    const alert = this.opsgenie.get(alias) ?? refuse(404, bad("Alert not found"), alias!);
    if (what === "message") { needText(req.body.message, 130, bad("message"), "message"); alert.message = req.body.message; }
    if (what === "close") alert.open = false;
    return ok;
  };

  vo = (req: Req): Answer => {
    const bad = (message: string) => ({ result: "failure", message });
    needJson(req, bad("JSON"));
    if (req.path !== "/alert/vo-key/team") refuse(404, bad("Invalid routing"), req.path);
    if (!["CRITICAL", "WARNING", "INFO", "ACKNOWLEDGEMENT", "RECOVERY"].includes(req.body.message_type)) refuse(400, bad("message_type"), req.body.message_type);
    needText(req.body.entity_id, 512, bad("entity_id"), "entity_id");
    if (runes(req.body.state_message) > 20480) refuse(400, bad("state_message"), "state_message");
    this.victorops.set(req.body.entity_id, req.body.message_type);
    return { body: { result: "success", entity_id: req.body.entity_id } };
  };

  pushover = (req: Req): Answer => {
    const q = req.query, get = (name: string) => q.get(name) ?? "";
    const bad = (errors: string[]) => ({ status: 0, request: "r", errors });
    if (req.path !== "/1/messages.json" || req.method !== "POST") refuse(404, bad(["no such path"]), req.path);
    if (get("token") !== "po-token") refuse(400, bad(["application token is invalid"]), "token");
    if (get("user") !== "po-user") refuse(400, bad(["user identifier is not a valid user, group, or subscribed user key"]), "user");
    needText(get("message"), 1024, bad(["message cannot be blank"]), "message");
    if (runes(get("title")) > 250 || runes(get("url")) > 512) refuse(400, bad(["title or url is too long"]), "lengths");
    if (!/^-?[0-2]$/.test(get("priority"))) refuse(400, bad(["priority is invalid"]), get("priority"));
    if (get("priority") === "2" && !(Number(get("retry")) >= 30 && Number(get("expire")) <= 10800)) refuse(400, bad(["retry", "expire"]), "retry and expire of an emergency");
    return { body: { status: 1, request: "r" } };
  };

  incidentio = (req: Req): Answer => {
    if (req.headers.authorization !== "Bearer io-token") refuse(401, { type: "authentication_error", status: 401, errors: [{ code: "unauthorized", message: "no token" }] }, "authorization");
    needJson(req, { type: "validation_error", status: 422, errors: [{ code: "invalid", message: "JSON" }] });
    if (Buffer.byteLength(req.text) > 512 * 1024) refuse(413, "", "over 512 KB");
    if (!["firing", "resolved"].includes(req.body.status) || !Array.isArray(req.body.alerts) || req.body.version !== "1")
      refuse(422, { type: "validation_error", status: 422, errors: [{ code: "is_invalid", message: "body", source: { field: "status" } }] }, "body");
    return { status: 202, body: { deduplication_key: req.body.groupKey, message: "Event accepted for processing", status: "success" } };
  };
}
