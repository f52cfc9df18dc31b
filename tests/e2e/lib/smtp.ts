// A mail server that remembers: plain, STARTTLS or TLS from the first byte; PLAIN, LOGIN and CRAM-MD5.
import { createHmac, randomUUID } from "node:crypto";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { createServer as createTls, TLSSocket, type SecureContextOptions } from "node:tls";

export interface Mail { from: string; to: string[]; data: string; auth?: string; tls: boolean; hello: string }
export interface SmtpOptions {
  key?: string; cert?: string; implicit?: boolean; auth?: string[]; refuse?: string;
  tls?: SecureContextOptions & { requestCert?: boolean; SNICallback?: (name: string, done: (e: null, c?: undefined) => void) => void };
  /** What to say instead, at CONNECT, EHLO, AUTH, MAIL, RCPT, DATA or "." (the end of the mail); "hang" and "close" do that. */
  trouble?: (step: string) => string | undefined;
}

export class SmtpServer {
  mails: Mail[] = [];
  sessions = 0;
  /** By STARTTLS or TLS: what the client called the server, whose certificate it showed, which version it speaks. */
  peers: { name?: string | false; subject?: string; version: string | null }[] = [];
  private sockets = new Set<Socket>();
  private constructor(readonly server: Server, readonly port: number) {}

  static async start(options: SmtpOptions = {}): Promise<SmtpServer> {
    const talk = (socket: Socket) => smtp.session(socket, options, !!options.implicit);
    const server = options.implicit ? createTls({ key: options.key, cert: options.cert, ...options.tls, rejectUnauthorized: false }, talk) : createServer(talk);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const smtp = new SmtpServer(server, (server.address() as AddressInfo).port);
    return smtp;
  }

  private session(socket: Socket, options: SmtpOptions, tls: boolean, mail: Mail = { from: "", to: [], data: "", tls, hello: "" }): void {
    let pending = "", step: ((line: string) => void) | undefined, body: string[] | undefined;
    this.sockets.add(socket);
    socket.on("close", () => this.sockets.delete(socket));
    const met = (s: TLSSocket) => this.peers.push({ name: (s as TLSSocket & { servername?: string | false }).servername, subject: (s.getPeerCertificate() as { subject?: { CN?: string } }).subject?.CN, version: s.getProtocol() });
    /** True when the step is not to go its way. */
    const trouble = (at: string): boolean => {
      const text = options.trouble?.(at);
      if (text === "close") socket.destroy();
      else if (text && text !== "hang") say(text);
      return text !== undefined;
    };
    const say = (text: string) => socket.write(text.split("\n").join("\r\n") + "\r\n");
    const ask = (text: string, next: (line: string) => void) => { step = (line) => { step = undefined; next(line); }; say(text); };
    const decode = (text: string) => Buffer.from(text, "base64").toString();
    const accept = (who: string) => { mail.auth = who; say("235 ok"); };
    const authenticate = (mechanism: string, first?: string) => {
      if (mechanism === "PLAIN") return first ? accept(decode(first).split("\0").join("|")) : ask("334 ", (line) => accept(decode(line).split("\0").join("|")));
      if (mechanism === "LOGIN")
        return ask("334 " + Buffer.from("Username:").toString("base64"), (user) =>
          ask("334 " + Buffer.from("Password:").toString("base64"), (password) => accept(`${decode(user)}|${decode(password)}`)));
      const challenge = `<${randomUUID()}@test>`;
      ask("334 " + Buffer.from(challenge).toString("base64"), (line) => {
        const [user, digest] = decode(line).split(" ");
        accept(`${user}|${digest === createHmac("md5", "s3cret").update(challenge).digest("hex")}`);
      });
    };
    const command = (line: string) => {
      const [verb, ...rest] = line.split(" ");
      if (trouble(verb!.toUpperCase())) return;
      switch (verb!.toUpperCase()) {
        case "EHLO": {
          mail.hello = rest[0] ?? "";
          const lines = ["test", ...(options.auth ? ["AUTH " + options.auth.join(" ")] : []), ...(options.cert && !mail.tls ? ["STARTTLS"] : []), "8BITMIME"];
          return say(lines.map((l, i) => `250${i < lines.length - 1 ? "-" : " "}${l}`).join("\n"));
        }
        case "STARTTLS": {
          say("220 go on");
          socket.removeAllListeners("data");
          const secure = new TLSSocket(socket, { isServer: true, key: options.key, cert: options.cert, ...options.tls, rejectUnauthorized: false });
          secure.on("error", () => undefined).on("secure", () => met(secure));
          return this.session(secure, options, true, { ...mail, tls: true });
        }
        case "AUTH": return authenticate(rest[0]!, rest[1]);
        case "MAIL": mail.from = /<(.*)>/.exec(line)![1]!; return say("250 ok");
        case "RCPT":
          if (options.refuse && line.includes(options.refuse)) return say("550 no such user");
          mail.to.push(/<(.*)>/.exec(line)![1]!);
          return say("250 ok");
        case "DATA": body = []; return say("354 go on");
        case "QUIT": say("221 bye"); return socket.end();
        default: return say("250 ok");
      }
    };
    const take = (line: string) => {
      if (!body) return step ? step(line) : command(line);
      if (line !== ".") return void body.push(line.startsWith("..") ? line.slice(1) : line);
      if (trouble(".")) return void (body = undefined);
      this.mails.push({ ...mail, data: body.join("\r\n") });
      body = undefined;
      say("250 queued");
    };
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => {
      pending += chunk.toString("latin1");
      for (let end = pending.indexOf("\r\n"); end >= 0; end = pending.indexOf("\r\n")) {
        const line = pending.slice(0, end);
        pending = pending.slice(end + 2);
        take(line);
      }
    });
    if (socket instanceof TLSSocket && !options.implicit) return; // went on from STARTTLS
    this.sessions++;
    if (socket instanceof TLSSocket) met(socket);
    if (!trouble("CONNECT")) say("220 test ESMTP");
  }

  async stop(): Promise<void> { for (const s of this.sockets) s.destroy(); await new Promise((resolve) => this.server.close(resolve)); }
}

/** Header by name and the parts by type, decoded. */
export function readMail(data: string): { headers: Record<string, string>; parts: Record<string, string> } {
  const [head, ...rest] = data.split("\r\n\r\n");
  const headers: Record<string, string> = {};
  for (const line of head!.replace(/\r\n[ \t]+/g, " ").split("\r\n")) headers[line.slice(0, line.indexOf(":")).toLowerCase()] = line.slice(line.indexOf(":") + 1).trim();
  const boundary = /boundary=(\S+)/.exec(headers["content-type"] ?? "")?.[1];
  const parts: Record<string, string> = {};
  for (const part of rest.join("\r\n\r\n").split(`--${boundary}`).slice(1, -1)) {
    const at = part.indexOf("\r\n\r\n"), type = /Content-Type: ([^;]+)/i.exec(part.slice(0, at))![1]!;
    const bytes = part.slice(at + 4).replace(/\r\n$/, "").replace(/=\r\n/g, "").replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
    parts[type] = Buffer.from(bytes, "latin1").toString("utf8").replace(/\r\n/g, "\n");
  }
  return { headers, parts };
}
