// Jira's REST API, versions 2 (texts) and 3 (documents): search, create, update, transitions.
import { needJson, refuse, runes, type Answer, type Req } from "./world";

interface Issue { key: string; fields: Record<string, any>; status: "To Do" | "Done"; resolution?: string; resolved?: number; history: string[] }
const bad = (errors: Record<string, string>) => ({ errorMessages: [], errors });
const statuses = { "To Do": { name: "To Do", statusCategory: { id: 2, key: "new", name: "To Do" } }, Done: { name: "Done", statusCategory: { id: 3, key: "done", name: "Done" } } };

export class Jira {
  issues: Issue[] = [];
  constructor(readonly auth: string) {}

  serve = (req: Req): Answer => {
    if (req.headers.authorization !== this.auth) refuse(401, { message: "Client must be authenticated to access this resource.", "status-code": 401 }, "authorization");
    const [, version, rest] = /^\/rest\/api\/([23])\/(.*)$/.exec(req.path) ?? refuse(404, { errorMessage: "dead link" }, "path");
    if (req.method !== "GET") needJson(req, { errorMessages: ["There was an error parsing JSON. Check that your request body is valid."] });
    if (rest === "search" || (rest === "search/jql" && version === "3")) return this.search(req);
    const [, key, sub] = /^issue(?:\/([A-Z]+-\d+))?(\/transitions)?$/.exec(rest!) ?? refuse(404, { errorMessage: "dead link" }, "path");
    if (!key) return this.create(req, version!);
    const issue = this.issues.find((i) => i.key === key) ?? refuse(404, { errorMessages: ["Issue does not exist or you do not have permission to see it."], errors: {} }, key);
    if (sub) return this.transitions(req, issue);
    if (req.method !== "PUT") refuse(405, "", req.method);
    this.check(req.body.fields, version!, false);
    Object.assign(issue.fields, req.body.fields);
    issue.history.push("updated");
    return { status: 204 };
  };

  private search(req: Req): Answer {
    const { jql, maxResults, fields } = req.body;
    if (!Number.isInteger(maxResults) || !Array.isArray(fields)) refuse(400, bad({}), "maxResults, fields");
    const [conditions, order] = String(jql).split(" order by ");
    if (order !== "status ASC,resolutiondate DESC") refuse(400, { errorMessages: ["Error in the JQL Query"] }, `order by ${order}`);
    const found = this.issues.filter((i) => conditions!.split(/ and (?![^(]*\))/).every((c) => this.matches(i, c)))
      .sort((a, b) => Number(a.status === "Done") - Number(b.status === "Done") || (b.resolved ?? 0) - (a.resolved ?? 0));
    return { body: { issues: found.slice(0, maxResults).map((i) => ({ key: i.key, fields: { status: statuses[i.status] } })) } };
  }

  private matches(i: Issue, condition: string): boolean {
    const reopen = /^\(resolutiondate is EMPTY OR resolutiondate >= -(\d+)m\)$/.exec(condition);
    if (reopen) return !i.resolved || i.resolved >= Date.now() - Number(reopen[1]) * 60e3;
    const wontFix = /^\(resolution is EMPTY or resolution != "(.*)"\)$/.exec(condition);
    if (wontFix) return i.resolution !== wontFix[1];
    if (condition === "statusCategory != Done") return i.status !== "Done";
    const equal = /^(project|labels)="(.*)"$/.exec(condition);
    if (!equal) return refuse(400, { errorMessages: [`Error in the JQL Query: ${condition}`] }, `condition ${condition}`);
    return equal[1] === "project" ? i.fields.project.key === equal[2] : i.fields.labels.includes(equal[2]);
  }

  private check(f: Record<string, any>, version: string, creating: boolean): void {
    if (creating && f?.project?.key !== "OPS") refuse(400, bad({ project: "valid project is required" }), "project");
    if (creating && f.issuetype?.name !== "Bug") refuse(400, bad({ issuetype: "The issue type selected is invalid." }), "issuetype");
    if (creating && !f.summary) refuse(400, bad({ summary: "You must specify a summary of the issue." }), "summary");
    if (f.summary !== undefined && runes(f.summary) > 255) refuse(400, bad({ summary: "Summary must be less than 255 characters." }), "summary");
    if (String(f.summary ?? "").includes("\n")) refuse(400, bad({ summary: "The summary is invalid because it contains newline characters." }), "summary");
    for (const label of f.labels ?? []) if (/\s/.test(label)) refuse(400, bad({ labels: `The label '${label}' contains spaces which is invalid.` }), "labels");
    if (f.priority && !["Highest", "High", "Medium", "Low", "Lowest"].includes(f.priority.name)) refuse(400, bad({ priority: "The priority selected is invalid." }), "priority");
    if (f.description === undefined) return;
    const isText = typeof f.description === "string", isDocument = f.description?.type === "doc" && f.description.version === 1 && Array.isArray(f.description.content);
    if (version === "2" ? !isText || runes(f.description) > 32767 : !isDocument)
      refuse(400, bad({ description: version === "2" ? "Operation value must be a string" : "Operation value must be an Atlassian Document" }), "description");
  }

  private create(req: Req, version: string): Answer {
    if (req.method !== "POST") refuse(405, "", req.method);
    this.check(req.body.fields, version, true);
    const key = `OPS-${this.issues.length + 1}`;
    this.issues.push({ key, fields: req.body.fields, status: "To Do", history: ["created"] });
    return { status: 201, body: { id: String(10000 + this.issues.length), key, self: `https://jira.example/rest/api/2/issue/${key}` } };
  }

  private transitions(req: Req, issue: Issue): Answer {
    const possible = issue.status === "Done" ? { id: "41", name: "Reopen" } : { id: "31", name: "Resolve" };
    if (req.method === "GET") return { body: { expand: "transitions", transitions: [{ id: "11", name: "Start" }, possible] } };
    if (req.body.transition?.id !== possible.id)
      refuse(400, { errorMessages: ["It seems that you have tried to perform an illegal workflow operation."], errors: {} }, `transition ${req.text}`);
    issue.status = possible.name === "Resolve" ? "Done" : "To Do";
    issue.resolved = issue.status === "Done" ? Date.now() : undefined;
    issue.resolution = issue.resolved ? "Done" : undefined;
    issue.history.push(possible.name);
    return { status: 204 };
  }
}
