// Amazon SNS (Publish) and STS (AssumeRole): Signature Version 4 is computed again from the request as it came.
import { createHash, createHmac } from "node:crypto";
import { refuse, type Answer, type Req } from "./world";

const hex = (text: string) => createHash("sha256").update(text).digest("hex");
const mac = (key: string | Buffer, text: string) => createHmac("sha256", key).update(text).digest();
const xml = (status: number, code: string, message: string) => ({ status, type: "text/xml",
  body: `<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error><RequestId>r-1</RequestId></ErrorResponse>` });
const no = (code: string, message: string, status = 400): never => {
  const a = xml(status, code, message);
  return refuse(status, a.body, `${code}: ${message}`);
};

export interface Key { id: string; secret: string; token?: string }

export class Aws {
  published: URLSearchParams[] = [];
  assumed: URLSearchParams[] = [];
  keys: Key[];
  constructor(key: Key, readonly region = "eu-west-1") { this.keys = [key]; }

  /** The key the request is signed with. */
  private verify(req: Req, service: string): Key {
    const [, credential, signed, signature] = /^AWS4-HMAC-SHA256 Credential=(\S+), ?SignedHeaders=(\S+), ?Signature=([0-9a-f]{64})$/.exec(String(req.headers.authorization)) ??
      no("IncompleteSignature", "Authorization header requires 'Credential' parameter.");
    const [id, date, region, name, end] = credential!.split("/"), stamp = String(req.headers["x-amz-date"]);
    const key = this.keys.find((k) => k.id === id) ?? no("InvalidClientTokenId", "The security token included in the request is invalid.", 403);
    if (region !== this.region || name !== service || end !== "aws4_request" || !stamp.startsWith(date!)) no("SignatureDoesNotMatch", `Credential should be scoped to a valid region: ${credential}`, 403);
    const at = Date.parse(stamp.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6Z"));
    if (!(Math.abs(at - Date.now()) < 300e3)) no("RequestExpired", `Request has expired. Timestamp date is ${stamp}`);
    const names = signed!.split(";");
    for (const must of ["host", "x-amz-date", ...(key.token ? ["x-amz-security-token"] : [])]) if (!names.includes(must)) no("SignatureDoesNotMatch", `${must} must be signed`, 403);
    if (key.token && req.headers["x-amz-security-token"] !== key.token) no("InvalidClientTokenId", "The security token included in the request is invalid.", 403);
    const [path, query = ""] = req.raw.split("?");
    const canonical = [req.method, path, query.split("&").sort().join("&"),
      ...names.map((n) => `${n}:${String(req.headers[n]).trim().replace(/ +/g, " ")}`), "", signed, hex(req.text)].join("\n");
    const text = ["AWS4-HMAC-SHA256", stamp, `${date}/${region}/${service}/aws4_request`, hex(canonical)].join("\n");
    const signing = [region!, service, "aws4_request"].reduce((k, part) => mac(k, part), mac("AWS4" + key.secret, date!));
    if (mac(signing, text).toString("hex") !== signature) no("SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.", 403);
    if (!/^application\/x-www-form-urlencoded/.test(String(req.headers["content-type"]))) no("InvalidParameter", `content type ${req.headers["content-type"]}`);
    return key;
  }

  sns = (req: Req): Answer => {
    this.verify(req, "sns");
    const f = req.form, get = (name: string) => f.get(name) ?? "";
    if (get("Action") !== "Publish" || get("Version") !== "2010-03-31") no("InvalidAction", `${get("Action")} ${get("Version")}`);
    if (["TopicArn", "TargetArn", "PhoneNumber"].filter((n) => f.has(n)).length !== 1) no("InvalidParameter", "Invalid parameter: TopicArn or TargetArn Reason: no value for required parameter");
    if (f.has("TopicArn") && !/^arn:aws:sns:[a-z0-9-]+:\d{12}:[\w-]{1,256}(\.fifo)?$/.test(get("TopicArn"))) no("InvalidParameter", "Invalid parameter: TopicArn");
    if (f.has("PhoneNumber") && !/^\+\d{8,15}$/.test(get("PhoneNumber"))) no("InvalidParameter", "Invalid parameter: PhoneNumber");
    const fifo = get("TopicArn").endsWith(".fifo");
    if (fifo !== f.has("MessageGroupId")) no("InvalidParameter", "Invalid parameter: The MessageGroupId parameter is required for FIFO topics");
    if (get("Message") === "" || Buffer.byteLength(get("Message")) > 262144) no("InvalidParameter", "Invalid parameter: Message too long");
    if (f.has("Subject") && (/[\n\r]|[^\x20-\x7E]/.test(get("Subject")) || get("Subject").length === 0 || get("Subject").length > 100)) no("InvalidParameter", "Invalid parameter: Subject");
    for (let i = 1; f.has(`MessageAttributes.entry.${i}.Name`); i++)
      if (get(`MessageAttributes.entry.${i}.Value.DataType`) !== "String" || get(`MessageAttributes.entry.${i}.Value.StringValue`) === "") no("ParameterValueInvalid", `attribute ${i}`);
    this.published.push(f);
    return { type: "text/xml", body: `<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>m-${this.published.length}</MessageId></PublishResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></PublishResponse>` };
  };

  sts = (req: Req): Answer => {
    this.verify(req, "sts");
    const f = req.form, get = (name: string) => f.get(name) ?? "";
    if (get("Action") !== "AssumeRole" || get("Version") !== "2011-06-15") no("InvalidAction", `${get("Action")} ${get("Version")}`);
    if (!/^arn:aws:iam::\d{12}:role\/.+$/.test(get("RoleArn"))) no("ValidationError", `${get("RoleArn")} is invalid`);
    if (!/^[\w+=,.@-]{2,64}$/.test(get("RoleSessionName"))) no("ValidationError", "roleSessionName");
    if (get("ExternalId") !== "ext") no("AccessDenied", "User is not authorized to perform: sts:AssumeRole", 403);
    this.assumed.push(f);
    const key = { id: `ASIA${this.assumed.length}`, secret: `temp/secret+${this.assumed.length}`, token: `tok/en+${this.assumed.length}==` };
    this.keys.push(key);
    return { type: "text/xml", body: `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>${key.id}</AccessKeyId><SecretAccessKey>${key.secret}</SecretAccessKey><SessionToken>${key.token}</SessionToken><Expiration>${new Date(Date.now() + 900e3).toISOString().replace(/\.\d+/, "")}</Expiration></Credentials><AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/r/s</Arn><AssumedRoleId>A:s</AssumedRoleId></AssumedRoleUser></AssumeRoleResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></AssumeRoleResponse>` };
  };
}
