// Requests other than PromQL itself: parameters, listings, metadata. %A and %B are the ends of the data, %T within.

/** Wrong parameters: status, errorType and text are compared. */
export const wrongRequests: string[] = [
  "query?query=up&timeout=abc", "query?query=up&timeout=1e400", "query?query=up&timeout=Inf", "query?query=up&timeout=1e10",
  "query_range?query=up&start=1&end=2&step=1e400", "query_range?query=up&start=1&end=2&step=-Inf",
  "query_range?query=up&start=1&end=2&step=0x1p-2x",
  "query_range", "query_range?query=up", "query_range?query=up&start=1", "query_range?query=up&start=1&end=2",
  "query_range?query=up&start=x&end=2&step=1", "query_range?query=up&start=1&end=y&step=1", "query_range?query=up&start=1&end=2&step=z",
  "query_range?query=up&start=1&end=2&step=0",
  "query_range?query=up&start=1&end=2&step=-5", "query_range?query=up&start=2&end=1&step=1", "query_range?query=up&start=0&end=11001&step=1",
  "query_range?query=up&start=0&end=12000&step=1s", "query_range?query=up&start=1&end=2&step=1e10", "query_range?query=up&start=1&end=2&step=5x",
  "query_range?query=up&start=1&end=2&step=1&timeout=abc",
  "labels?match[]=up%7B", "label/job/values?match[]=up%7B", "labels?match[]=%7B%7D", "series", "series?start=abc", "series?match[]=up%7B",
  "series?match[]=rate(up)", "series?match[]=%7B%7D", "metadata?limit=abc", "targets/metadata?limit=abc",
  "targets/metadata?match_target=up%7B", "query_exemplars?query=up&start=2&end=1",
];

/** Where 3.x has other words for what 2.42 refuses as well. */
export const knownRequests: [path: string, ours: string, why: string][] = [
  ["query_range?query=up&start=1&end=2&step=NaN", 'cannot parse \\"NaN\\" to a valid duration. It overflows int64', "3.16 has no duration for it"],
  ...["query?query=up&time=abc", "query?query=up&time=2020-13-01T00:00:00Z", "query?query=up&time=1e400", "query?query=up&time=%20", "query?query=up&time=2020-01-01",
    "labels?start=abc", "labels?end=abc", "label/job/values?start=abc", "label/job/values?end=abc",
    "series?match[]=up&start=abc",
    "query_exemplars?query=up&end=abc"].map((path): [string, string, string] => {
    const [, name, value] = /(time|start|end)=(.*)/.exec(path)!;
    return [path, `invalid parameter \\"${name}\\": invalid time value for '${name}': cannot parse \\"${decodeURIComponent(value)}\\" to a valid timestamp`, "3.x begins the text with a small letter"];
  }),
  ["query", "unknown position: parse error: no expression found in input", "3.x has no place for an error in nothing"],
  ["query?time=1", "unknown position: parse error: no expression found in input", "3.x has no place for an error in nothing"],
  ["series?match[]=", "unknown position: parse error: unexpected end of input", "3.x has no place for an error in nothing"],
  ["query?query=up&time=NaN", `cannot parse \\"NaN\\" to a valid timestamp`, "Prometheus takes it for the beginning of time"],
  ["query?query=time()&time=-62135596800", '[-62135596800,"-62135596800"]', "Prometheus' nanoseconds overflow before 1678 and after 2262"],
  ["query_range?query=time()&start=0&end=0.002&step=0.0004", '[[0,"0"],[0.001,"0.001"],[0.002,"0.002"]]', "Prometheus divides by zero: the step is taken as a millisecond"],
  ["label/a-b/values", '"data":[]', "any UTF-8 is a label's name in 3.x"],
];

/** Right ones: the data are equal, lists in the same order. */
export const rightRequests: string[] = [
  "labels?start=%A&end=%B&match[]={job=~'.%2B'}", "labels?start=%A&end=%B&match[]=up", "labels?start=%A&end=%B&match[]=up&match[]=odd",
  "labels?start=%A&end=%B&match[]=build_info{version='2.0'}", "labels?start=%A&end=%B&match[]=nothing",
  "label/job/values?start=%A&end=%B&match[]=up", "label/__name__/values?start=%A&end=%B&match[]={instance='a:80'}",
  "label/__name__/values?start=%A&end=%B&match[]=up&match[]=odd", "label/instance/values?start=%A&end=%B&match[]={job='db'}",
  "label/le/values?start=%A&end=%B&match[]={instance=~'[a-e]:.*'}", "label/text/values?start=%A&end=%B", "label/nothing/values",
  "label/code/values?match[]=http_requests_total{code!='200'}", "series?start=%A&end=%B&match[]=up", "series?start=%A&end=%B&match[]={job='api'}",
  "series?start=%A&end=%B&match[]=up&match[]={__name__=~'up|odd'}", "series?start=%A&end=%B&match[]=texts", "series?start=%A&end=%B&match[]=nothing",
  "series?start=0&end=1&match[]=up", "query_exemplars?query=up", "query_exemplars?query=1",
  "query?query=up&time=%T&timeout=30", "query?query=up&time=%T&timeout=1m", "query?query=time()&time=1970-01-01T00:00:00Z",
  "query?query=time()&time=2015-07-01T20:10:30.781Z", "query?query=time()&time=2015-07-01T20:10:30.781%2B02:00",
  "query?query=time()&time=1435781430.781", "query?query=time()&time=1.0015", "query?query=time()&time=-6213559680", "query?query=time()&time=1e9",
  "query?query=time()&time=0.0004", "query?query=time()&time=1435781430.7815", "query_range?query=time()&start=0&end=3&step=1",
  "query_range?query=time()&start=0&end=3&step=0.7", "query_range?query=time()&start=0&end=600&step=1m30s",
  "query_range?query=time()&start=1970-01-01T00:00:00Z&end=1970-01-01T00:01:00.5Z&step=20s", "query_range?query=time()&start=5&end=5&step=1",
  "query_range?query=1&start=0&end=11000&step=1",
  "query_range?query=time()&start=0&end=0.01&step=0.0014", "query_range?query=nothing&start=0&end=10&step=1",
  "query_range?query=vector(1)&start=-10&end=10&step=5", "alerts", "rules",
];

/** What Grafana 11 asks a data source of this kind. */
export const grafana = (start: string, end: string): [path: string, form?: Record<string, string>][] => [
  ["/api/v1/query_range", { query: "sum by (job) (rate(http_requests_total[5m]))", start, end, step: "30" }],
  ["/api/v1/query", { query: "1+1", time: end }],
  ["/api/v1/query", { query: "topk(2, temperature_celsius)", time: end }],
  ["/api/v1/series", { "match[]": 'up{job="api"}', start, end }],
  ["/api/v1/labels", { "match[]": "up", start, end }],
  [`/api/v1/label/instance/values?${new URLSearchParams({ "match[]": 'up{job="api"}', start, end })}`],
  [`/api/v1/label/__name__/values?${new URLSearchParams({ "match[]": '{__name__=~".*total"}', start, end })}`],
  [`/api/v1/query_exemplars`, { query: "latency_seconds_bucket", start, end }],
];
