// Slack, Mattermost, Rocket.Chat, Teams (connector and workflow), Webex, Discord, Telegram, WeChat, ntfy.
import { needJson, needText, refuse, runes, type Answer, type Req } from "./world";

interface Message { id: string; text: string; thread?: string; edits: number }

export class Chats {
  slackMessages: Message[] = [];
  telegramMessages: { id: number; thread?: string; text: string }[] = [];
  wechatTokens = 0;
  wechatMessages = 0;
  wechatGoodFor = Infinity;

  hook = (req: Req): Answer => {
    needJson(req, "bad");
    return { body: "ok" };
  };

  slack = (req: Req): Answer => {
    const no = (error: string): never => refuse(200, { ok: false, error }, error);
    needJson(req, { ok: false, error: "invalid_json" });
    const b = req.body;
    if ((b.attachments ?? []).length > 100) no("too_many_attachments");
    if (req.path === "/services/T/B/x") return { body: "ok" };
    if (req.headers.authorization !== "Bearer xoxb-slack") no("invalid_auth");
    if (!/^[#C]/.test(b.channel)) no("channel_not_found");
    if (req.path === "/api/chat.update") {
      const m = this.slackMessages.find((x) => x.id === b.ts) ?? no("message_not_found");
      if (b.channel !== "C1") no("channel_not_found"); // a name will not do here
      m.edits++;
      m.text = req.text;
      return { body: { ok: true, channel: "C1", ts: m.id, text: "" } };
    }
    if (req.path !== "/api/chat.postMessage") refuse(404, "", req.path);
    if (b.thread_ts && !this.slackMessages.some((m) => m.id === b.thread_ts)) no("thread_not_found");
    const id = `1700000000.${String(this.slackMessages.length + 1).padStart(6, "0")}`;
    this.slackMessages.push({ id, text: req.text, thread: b.thread_ts, edits: 0 });
    return { body: { ok: true, channel: "C1", ts: id, message: { text: "" } } };
  };

  mattermost = (req: Req): Answer => {
    const bad = (id: string) => ({ id, message: "Unable to parse incoming data.", detailed_error: "", request_id: "r", status_code: 400 });
    needJson(req, bad("web.incoming_webhook.parse.app_error"));
    const b = req.body;
    if (!/^\/hooks\/\w+$/.test(req.path)) refuse(404, bad("web.incoming_webhook.invalid.app_error"), req.path);
    if (!b.text && !(b.attachments ?? []).length) refuse(400, bad("web.incoming_webhook.text.app_error"), "no text and no attachment");
    if (runes(b.text ?? "") > 16383) refuse(400, bad("web.incoming_webhook.text.length.app_error"), "text over 16383");
    if (b.priority && !["urgent", "important", "standard"].includes(b.priority.priority)) refuse(400, bad("priority"), b.priority.priority);
    if (b.priority?.persistent_notifications && b.priority.priority !== "urgent") refuse(400, bad("priority"), "persistent but not urgent");
    for (const a of b.attachments ?? []) for (const f of a.fields ?? []) if (f.short !== undefined && typeof f.short !== "boolean") refuse(400, bad("fields"), "short");
    return { type: "text/plain", body: "ok" };
  };

  rocketchat = (req: Req): Answer => {
    if (req.path !== "/api/v1/chat.postMessage") refuse(404, { success: false, error: "no such path" }, req.path);
    if (req.headers["x-auth-token"] !== "rc-token" || req.headers["x-user-id"] !== "rc-id") refuse(401, { status: "error", message: "You must be logged in to do this." }, "token");
    needJson(req, { success: false, error: "Invalid JSON" });
    const b = req.body, known = ["channel", "roomId", "text", "parseUrls", "alias", "emoji", "avatar", "attachments", "actions"];
    for (const k of Object.keys(b)) if (!known.includes(k)) refuse(400, { success: false, error: `must NOT have additional properties: ${k}` }, k);
    if (!/^[#@]/.test(b.channel ?? "")) refuse(400, { success: false, error: "[invalid-channel]", errorType: "invalid-channel" }, `channel ${b.channel}`);
    for (const a of b.attachments ?? []) for (const f of a.fields ?? []) needText(f.title, 1e4, { success: false, error: "fields" }, "field title");
    return { body: { ts: Date.now(), channel: b.channel, message: { _id: "m" }, success: true } };
  };

  teams = (req: Req): Answer => {
    needJson(req, "Bad payload received by generic incoming webhook.");
    if (req.body.type !== "MessageCard" && req.body["@type"] !== "MessageCard") refuse(400, "Bad payload received by generic incoming webhook.", "@type");
    if (!req.body.summary && !req.body.text) refuse(400, "Summary or Text is required.", "summary");
    return { body: "1" };
  };

  workflow = (req: Req): Answer => {
    needJson(req, { error: { code: "InvalidRequestContent", message: "JSON" } });
    const card = req.body.attachments?.[0];
    if (req.body.type !== "message" || card?.contentType !== "application/vnd.microsoft.card.adaptive" || card.content?.type !== "AdaptiveCard" || !/^1\.[0-6]$/.test(card.content.version))
      refuse(400, { error: { code: "ActionFailed", message: "not an adaptive card" } }, "card");
    for (const e of card.content.body) if (e.type !== "TextBlock" || typeof e.text !== "string") refuse(400, { error: { code: "ActionFailed" } }, "TextBlock");
    return { status: 202 };
  };

  webex = (req: Req): Answer => {
    if (req.headers.authorization !== "Bearer wx-token") refuse(401, { message: "The request requires a valid access token set in the Authorization request header.", trackingId: "t" }, "authorization");
    needJson(req, { message: "JSON" });
    if (!req.body.roomId) refuse(400, { message: "roomId, toPersonEmail or toPersonId has to be present" }, "roomId");
    if (!req.body.markdown || Buffer.byteLength(req.body.markdown) > 7439) refuse(400, { message: "Message length limited to 7439 bytes" }, "markdown");
    return { body: { id: "m", roomId: req.body.roomId } };
  };

  discord = (req: Req): Answer => {
    const bad = { message: "Invalid Form Body", code: 50035 };
    needJson(req, bad);
    const b = req.body, e = b.embeds?.[0] ?? {};
    if (runes(b.content ?? "") > 2000 || runes(e.title ?? "") > 256 || runes(e.description ?? "") > 4096) refuse(400, bad, "lengths");
    if (!b.content && !e.title && !e.description) refuse(400, { message: "Cannot send an empty message", code: 50006 }, "empty");
    if (b.username !== undefined && (runes(b.username) > 80 || /discord/i.test(b.username))) refuse(400, bad, "username");
    if (!Number.isInteger(e.color) || e.color > 0xffffff) refuse(400, bad, "color");
    return { status: 204 };
  };

  telegram = (req: Req): Answer => {
    const no = (code: number, description: string): never => refuse(code, { ok: false, error_code: code, description }, description);
    if (!req.path.startsWith("/bottg-token/")) no(401, "Unauthorized");
    if (req.path !== "/bottg-token/sendMessage") no(404, "Not Found");
    if (!/^application\/json/.test(String(req.headers["content-type"]))) no(400, "Bad Request: content type");
    const b = req.body, visible = String(b.text).replace(/<[^>]*>/g, "").replace(/&\w+;/g, "x");
    if (String(b.chat_id) !== "-1001") no(400, "Bad Request: chat not found");
    if (!visible.trim()) no(400, "Bad Request: message text is empty");
    if (runes(b.parse_mode === "HTML" ? visible : b.text) > 4096) no(400, "Bad Request: message is too long");
    if (b.message_thread_id !== undefined && String(b.message_thread_id) !== "7") no(400, "Bad Request: message thread not found");
    if (b.parse_mode === "HTML") {
      const open: string[] = [];
      for (const [, close, name] of String(b.text).matchAll(/<(\/?)([a-z]+)[^>]*>/g))
        if (close ? open.pop() !== name : !open.push(name!)) no(400, `Bad Request: can't parse entities: unexpected end tag ${name}`);
      if (open.length) no(400, "Bad Request: can't parse entities: Can't find end tag");
    }
    const id = this.telegramMessages.length + 1;
    this.telegramMessages.push({ id, thread: b.message_thread_id && String(b.message_thread_id), text: b.text });
    return { body: { ok: true, result: { message_id: id, chat: { id: -1001, type: "supergroup" }, date: 1, text: "x" } } };
  };

  /** A token is given again while it is good, as the service does; it may end after some messages, whatever was said of its time. */
  wechat = (req: Req): Answer => {
    const fail = (errcode: number, errmsg: string) => ({ body: { errcode, errmsg } });
    if (req.path === "/cgi-bin/gettoken") {
      if (req.query.get("corpid") !== "corp") refuse(200, { errcode: 40013, errmsg: "invalid corpid" }, "corpid");
      if (req.query.get("corpsecret") !== "wx-secret") refuse(200, { errcode: 40001, errmsg: "invalid credential" }, "corpsecret");
      if (!this.wechatTokens || this.wechatMessages >= this.wechatGoodFor) {
        this.wechatTokens++;
        this.wechatMessages = 0;
      }
      return { body: { errcode: 0, errmsg: "ok", access_token: `wx-access-${this.wechatTokens}`, expires_in: 7200 } };
    }
    if (req.path !== "/cgi-bin/message/send") refuse(404, "", req.path);
    needJson(req, { errcode: 40033, errmsg: "JSON" });
    if (req.query.get("access_token") !== `wx-access-${this.wechatTokens}` || this.wechatMessages >= this.wechatGoodFor) return fail(this.wechatMessages >= this.wechatGoodFor ? 42001 : 40014, "access_token expired");
    this.wechatMessages++;
    const b = req.body;
    if (!["text", "markdown"].includes(b.msgtype) || !b[b.msgtype]?.content) refuse(200, { errcode: 44004, errmsg: "empty content" }, "content");
    if (!(b.touser || b.toparty || b.totag)) refuse(200, { errcode: 40035, errmsg: "no recipients" }, "recipients");
    if (b.agentid === undefined || !/^\d+$/.test(String(b.agentid))) refuse(200, { errcode: 40056, errmsg: "invalid agentid" }, "agentid");
    return { body: { errcode: 0, errmsg: "ok", msgid: "m" } };
  };

  ntfy = (req: Req): Answer => {
    const bad = (code: number, error: string) => ({ code, http: 400, error });
    if (req.headers.authorization !== "Bearer tk_ntfy") refuse(401, { code: 40101, http: 401, error: "unauthorized" }, "authorization");
    if (req.body === undefined || req.path !== "/") refuse(400, bad(40024, "invalid request: body must be message JSON"), "JSON");
    const b = req.body;
    if (!/^[-_A-Za-z0-9]{1,64}$/.test(b.topic)) refuse(400, bad(40009, "invalid request: topic invalid"), `topic ${b.topic}`);
    if (b.priority !== undefined && !(Number.isInteger(b.priority) && b.priority >= 1 && b.priority <= 5)) refuse(400, bad(40007, "invalid priority parameter"), "priority");
    if (b.tags !== undefined && !Array.isArray(b.tags)) refuse(400, bad(40024, "invalid tags"), "tags");
    if (Buffer.byteLength(b.message ?? "") > 4096) refuse(400, bad(40012, "message too large"), "message");
    return { body: { id: "n", time: 1, event: "message", topic: b.topic } };
  };
}
