// PromQL to compare two servers with: a hand-written table, every function over every kind of series, and random trees.
import { randomizer } from "./promdata";

const cross = (...lists: string[][]): string[][] => lists.reduce<string[][]>((acc, list) => acc.flatMap((head) => list.map((x) => [...head, x])), [[]]);

// --- one function or operator at a time, over every kind of series ---

const ranges = ["90s", "5m", "17m30s"];
const series = ["http_requests_total", "cpu_seconds_total{mode='user'}", "temperature_celsius", "gappy", "flapping", "switch_on", "odd", "short_lived_total", "slow_total"];
const counters = ["http_requests_total", "cpu_seconds_total{mode='user'}", "gappy_total", "short_lived_total", "slow_total", "latency_seconds_sum"];
const overTime = ["avg", "min", "max", "sum", "count", "stddev", "stdvar", "last", "present", "absent"].map((f) => `${f}_over_time`)
  .concat("irate", "delta", "idelta", "deriv", "changes", "resets");
const oneArgument = ["abs", "ceil", "floor", "exp", "ln", "log2", "log10", "sqrt", "sgn", "round", "acos", "acosh", "asin", "asinh", "atan", "atanh", "cos",
  "cosh", "sin", "sinh", "tan", "tanh", "deg", "rad", "timestamp", "absent", "scalar", "year", "month", "day_of_month", "day_of_week", "day_of_year",
  "days_in_month", "hour", "minute", "sort", "sort_desc", "-", "+"];
const gauges = ["odd", "temperature_celsius", "memory_bytes", "ranked"];
const aggregations = ["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"];
const groupings = ["", "by (job)", "by (instance, code)", "without (instance)", "without (method, code)", "by (nothing)", "by ()", "without ()"];
const arithmetic = ["+", "-", "*", "/", "%", "^"], comparison = ["==", "!=", "<", ">", "<=", ">="];

/** Leaves out of odd what the two answer differently by design: see the table of known differences. */
const notAlike = (f: string, s: string): string =>
  s !== "odd" ? s : f.startsWith("sort") ? "odd{kind!~'negzero|mixed'}" : /^(ln|log10)$/.test(f) ? "odd{kind!='tiny'}" : f === "rad" ? "odd{kind!='huge'}" : f === "quantile" ? "odd{kind!~'(neg)?inf|mixed'}" : /^std/.test(f) ? "odd{kind!~'nan|n?e?g?inf|mixed|sometimes'}" : s;

export function generated(): string[] {
  return [
    ...cross(overTime, series, ranges).map(([f, s, r]) => `${f}(${s}[${r}])`),
    ...cross(["rate", "increase"], counters, ranges.concat("1h")).map(([f, s, r]) => `${f}(${s}[${r}])`),
    ...cross(["-0.5", "0", "0.3", "0.99", "1", "1.2", "NaN"], ["temperature_celsius", "odd", "gappy"], ["5m"]).map(([q, s, r]) => `quantile_over_time(${q}, ${notAlike("quantile", s)}[${r}])`),
    ...cross(["-600", "0", "3600.5"], ["temperature_celsius", "cpu_seconds_total", "gappy"], ["5m", "20m"]).map(([x, s, r]) => `predict_linear(${s}[${r}], ${x})`),
    ...cross(oneArgument, gauges).map(([f, s]) => `${f}(${notAlike(f, s)})`),
    ...cross(["round(%, 0.1)", "round(%, 5)", "round(%, -0.3)", "round(%, 0)", "round(%, 1e-7)", "clamp(%, -2, 3)", "clamp(%, 3, -2)", "clamp(%, NaN, 1)", "clamp_min(%, 2)",
      "clamp_max(%, 2)", "clamp_max(%, NaN)"], gauges).map(([f, s]) => f.replace("%", s)),
    ...cross(aggregations, groupings, ["http_requests_total", "odd", "temperature_celsius"]).map(([a, g, s]) => `${a} ${g} (${notAlike(a, s)})`),
    ...cross(["0", "0.25", "0.5", "0.9", "1", "-1", "2", "NaN"], ["", "by (job)"], ["temperature_celsius", "odd"]).map(([q, g, s]) => `quantile ${g} (${q}, ${notAlike("quantile", s)})`),
    ...cross(["topk", "bottomk"], ["0", "1", "3", "100", "-1", "2.9"], ["", "by (group)"],
      ["ranked * 1.01 + scalar(ranked{item='item-3'}) * 0 + on (item) group_left ln(ranked + 10)"])
      .map(([f, k, g, s]) => `${f} ${g} (${k}, ${s})`),
    ...cross(['count_values("v", ranked)', 'count_values by (group) ("v", ranked)',
      'count_values("job", queue_length)', 'count_values without (instance) ("x", up)', 'count_values("v", odd)']).flat(),
    ...cross(arithmetic.concat(comparison, comparison.map((c) => `${c} bool`)),
      ["temperature_celsius % ranked", "odd % 2", "2.5 % odd", "queue_length % 3", "odd % odd", "3 % 7"])
      .filter(([op, pair]) => pair !== "3 % 7" || !comparison.includes(op)).map(([op, pair]) => pair.replace("%", op)),
    ...cross(arithmetic.concat(comparison), [
      "http_requests_total{code='500'} % ignoring (code) http_requests_total{code='200'}",
      "http_requests_total % ignoring (code) group_left sum without (code) (http_requests_total)", "queue_length % on (instance) group_left (version, region) build_info",
      "build_info % on (instance) group_right (region) http_requests_total", "up % on (job, instance) switch_on", "sum by (job) (up) % on (job) group_right up"])
      .map(([op, pair]) => pair.replace("%", op)),
    ...cross(["and", "or", "unless"], ["up % flapping", "up % on (instance) flapping",
      "http_requests_total % ignoring (code, method) up", "gappy % on () vector(1)", "odd{kind=~'n.*'} % odd",
      "temperature_celsius > 21 % temperature_celsius < 23", "gappy % nothing", "nothing % gappy"]).map(([op, pair]) => pair.replace("%", op)),
    ...cross(["-0.1", "0", "0.1", "0.5", "0.95", "1", "1.1", "NaN"], [
      "latency_seconds_bucket", "rate(latency_seconds_bucket[5m])", "sum by (le) (rate(latency_seconds_bucket[5m]))",
      "sum by (job, le) (increase(latency_seconds_bucket[10m]))", "latency_seconds_bucket{le!='+Inf'}", "latency_seconds_bucket{le=~'0.1|\\\\+Inf'}"]).map(([q, s]) => `histogram_quantile(${q}, ${s})`),
    ...cross(["offset 7m", "offset -3m", "@ start()", "@ end()", "@ %T", "@ %T offset 90s", "offset 2h", "offset 1m30s @ end()"],
      ["temperature_celsius", "rate(http_requests_total[5m] #)", "sum_over_time(flapping[3m] #)"])
      .map(([m, s]) => (s.includes("#") ? s.replace("#", m) : `${s} ${m}`)),
    ...cross(["avg", "max", "sum", "count", "stddev", "last"], ["10m:1m", "10m:", "7m:13s", "20m:5m", "3m:40s"], ["temperature_celsius", "rate(http_requests_total{code='200'}[2m])", "sum by (job) (gappy)"])
      .map(([f, r, s]) => `${f}_over_time(${s}[${r}])`),
    ...cross(["10m:1m", "10m:30s"], ["offset 5m", "@ end()", "@ %T", "offset -2m"]).map(([r, m]) => `max_over_time(sum by (job) (http_requests_total)[${r}] ${m})`),
  ];
}

// --- by hand ---

export const byHand: string[] = [
  // selectors
  "up", "{__name__='up'}", "{__name__=~'up|gappy'}", "up{job!='api'}", "up{instance=~'[ab]:.*'}", "up{instance!~'[ab]:.*', job='api'}",
  "up{nothing=''}", "up{nothing!=''}", "up{job=~'.*'}",
  "texts", "texts{text=''}", "texts{text!=''}", "texts{text='line\\nbreak'}", 'texts{text="quote\\"d"}', "texts{text=`back\\slash`}",
  "texts{text=~'.*d'}", "texts{text=~'ünï.+'}", "once",
  "nothing", "{job='db',__name__!~'.*_total|.*bucket'}", "up{job=~'a.i'}", "up{job=~'(?i:API)'}", "up{job=~'ap|db'}", "up{job=~''}",
  "odd{kind=~'(neg)?zero|inf'}",
  // literals and scalars
  "1", "-1^2", "2^3^2", "0x1F", "1e-3", ".5", "1e400", "-Inf", "NaN", "1/0", "-1/0", "0/0", "5 % 3", "-5 % 3", "5 % -3", "5.5 % 0", "1 == bool 2",
  "2 > bool 1", "NaN == bool NaN", "0.1 + 0.2",
  "1e21", "1e20", "123456789012345678", "0.000001", "0.0000001", "-0.0", "3.0", "'text'", '"a\\tb\\u00e9\\x41"', "`raw\\n`", "time()", "time() - 60",
  "pi()", "vector(1.5)", "vector(time())",
  "scalar(vector(2)) + 1", "scalar(up)", "scalar(nothing)", "1 - -1", "+1", "--1", "1 atan2 2", "(odd + 0) atan2 2", "2.5 atan2 (-odd)",
  "sum by (job) (up) atan2 on (job) group_right (queue_length + 0)", "(odd * 1) atan2 (odd * 1)", "10 - 5 - 2", "2 * 3 % 4", "1 < bool 2 == bool 1",
  "1 + 2 * 3 ^ 2",
  // range vectors as they are
  "up{job='db'}[1m]", "flapping{job='db'}[20m]", "odd[45s]", "once[1h]", "gappy[10m] offset 20m", "up{instance='a:80'}[5m:1m]", "(sum(up))[5m:1m]",
  "rate(slow_total[3m])[10m:2m]", "nothing[5m]", "1[5m:1m]",
  "memory_bytes[30s] @ %T", "texts{n='0'}[2m:30s] offset 1m",
  // time functions
  "minute()", "hour()", "day_of_week()", "day_of_month()", "day_of_year()", "days_in_month()", "month()", "year()", "year(vector(0))",
  "month(vector(1456790399))", "day_of_month(vector(-1))",
  "days_in_month(vector(951782400))", "days_in_month(vector(4107542400))", "day_of_year(vector(1735603200))", "day_of_week(vector(1e9))",
  "hour(vector(1e11))", "minute(vector(NaN))", "timestamp(up)", "timestamp(timestamp(up))",
  "timestamp(up offset 5m)", "timestamp(up + 0)", "timestamp(vector(1))", "time() - timestamp(up)", "timestamp(up @ %T)", "timestamp((up))",
  // labels
  'label_replace(up, "host", "$1", "instance", "(.*):.*")', 'label_replace(up, "host", "$2", "instance", "(.*):.*")',
  'label_replace(up, "host", "${1}x$1", "instance", "(.*):(.*)")', 'label_replace(up, "host", "$name", "instance", "(?P<name>.*):(.*)")',
  'label_replace(up, "host", "fixed", "nothing", "")', 'label_replace(up, "host", "fixed", "instance", "x")',
  'label_replace(up, "instance", "", "instance", ".*")', 'label_replace(up, "__name__", "other", "job", "api")',
  'label_replace(up, "job", "$1$1", "job", "(.)(.*)")', 'label_replace(texts, "t", "<$1>", "text", "(?s)(.*)")',
  'label_replace(up, "x", "$$1", "job", "(.*)")', 'label_replace(up, "x", "$10-$1_a", "job", "(.*)")',
  'label_replace(up, "x", "é$1", "job", "(.)(.)(.*)")',
  'label_join(up, "j", "-", "job", "instance")', 'label_join(up, "j", "")', 'label_join(up, "j", ",", "nothing", "job")',
  'label_join(up, "job", "", "nothing")', 'label_join(up, "__name__", "_", "job", "instance")', 'label_join(up, "j", "é", "job", "job", "job")',
  'sum by (host) (label_replace(up, "host", "$1", "instance", "(.).*"))',
  'rate(http_requests_total{code="200"}[5m]) * on (instance) group_left (host) label_replace(up, "host", "$1", "instance", "(.*):.*")',
  // absent
  "absent(nothing)", "absent(nothing{a='b',c!='d',e=~'f'})", "absent(nothing{a='b',a='c'})", "absent(up)", "absent(sum(nothing))",
  "absent_over_time(nothing[5m])", "absent_over_time(nothing{a='b',c=~'d'}[5m])", "absent_over_time(flapping[2m])",
  "absent(nothing{job='x'} + 1)", "absent_over_time(rate(nothing{a='b'}[5m])[5m:1m])", "absent(-nothing{a='b'})", "absent((nothing{a='b'}))",
  // matching
  "up + up", "up * 2 - up", "up == up", "up != up", "sum(up) / count(up)", "http_requests_total - http_requests_total offset 5m",
  "up / on () group_left sum(up)", "sum(up) + on () group_right up", "-up", "-(up + 1)", "+up", "up + on () vector(3)", "1 - up",
  "up > bool 0", "0 < bool up", "up > 0", "0 < up", "up == 1", "1 == up", "http_requests_total > 1000 < 5000", "up and up", "up unless up",
  "up or up", "up or on (job) vector(1)", "vector(1) or up", "up and on (job) (up{instance='d:5432'})",
  "rate(http_requests_total{code='500'}[5m]) / ignoring (code) rate(http_requests_total{code='200'}[5m])",
  "sum by (job, code) (rate(http_requests_total[5m])) / on (job) group_left sum by (job) (rate(http_requests_total[5m]))",
  "sum without (code) (http_requests_total) / ignoring (code) group_right http_requests_total", "up * on (instance) group_left (version) build_info",
  "build_info * on (instance, job) group_right (version) up", "up * on (instance) group_left (job) build_info",
  "count by (version) (build_info)", "http_requests_total{code='404'} + on (instance, method) http_requests_total{code='500'}",
  "up + ignoring (instance) up{instance='zzz'}", "queue_length > queue_length offset 1m", "queue_length >= bool queue_length offset 1m",
  "ranked == 3", "ranked != 3", "ranked % 3", "ranked ^ 2", "2 ^ ranked", "ranked / 0", "ranked % 0", "odd + odd", "odd == odd", "odd != odd",
  "odd >= 0", "odd <= 0",
  // order
  "sort(ranked)", "sort_desc(ranked)", "topk(5, odd{kind!~'negzero|mixed'})", "bottomk(5, odd{kind!~'negzero|mixed'})",
  "topk by (job) (1, temperature_celsius)", "bottomk without (instance, zone) (2, temperature_celsius)", "topk(3, temperature_celsius)",
  "topk(2, sum by (code) (http_requests_total))",
  "topk(scalar(count(up) or vector(4)) - 3, temperature_celsius)", "quantile(scalar(vector(0.3)), temperature_celsius)",
  "sort(topk(2, temperature_celsius))", "sort_desc(sum by (code) (http_requests_total))",
  // aggregates
  "sum(up)", "sum by (job, job) (up)", "sum(sum by (job) (up))", "avg(odd{kind=~'zero|negzero'})", "sum(odd{kind=~'huge|big'})",
  "avg(odd{kind='huge'})", "max(odd{kind=~'nan|mixed'})", "min(odd{kind='nan'})", "count(nothing)", "sum(nothing)", "group(up) by (job)",
  "sum(up) by (__name__)", "sum without (__name__) (up)",
  "count by (text) (texts)", "stddev(ranked)", "stdvar by (group) (ranked)", "max by (group) (ranked)", "sum by (le) (latency_seconds_bucket)",
  "sum by (__name__, job) ({__name__=~'up|queue_length'})", "count({job='api'})", "count by (__name__) ({job=~'.+'})",
  "avg by (job) (rate(cpu_seconds_total{mode!='idle'}[5m]))",
  'count_values("version", build_info)', 'count_values by (job) ("n", queue_length)', "quantile(0.5, up)", "sum(avg_over_time(up[5m])) by (job)",
  "group without (instance) (http_requests_total)",
  // what operators ask
  "100 * (1 - avg by (instance) (rate(cpu_seconds_total{mode='idle'}[5m])) / 15)",
  "sum(rate(http_requests_total{code=~'5..'}[5m])) / sum(rate(http_requests_total[5m]))",
  "sum(rate(latency_seconds_sum[5m])) by (job) / sum(rate(latency_seconds_count[5m])) by (job)",
  "histogram_quantile(0.99, sum(rate(latency_seconds_bucket[5m])) by (le, job, instance))",
  "histogram_quantile(0.9, label_replace(latency_seconds_bucket, 'le', 'bad', 'le', '2.5'))", "histogram_quantile(0.9, nothing)",
  "histogram_quantile(0.9, up)", "histogram_quantile(scalar(vector(0.5)), latency_seconds_bucket)",
  "histogram_quantile(0.5, latency_seconds_bucket{le=~'0.1|1'} )",
  "avg_over_time((sum(rate(http_requests_total[2m])))[30m:2m])", "max_over_time(rate(http_requests_total{code='200'}[1m])[10m:30s] offset 5m)",
  "increase(young_total[10s15ms])", "rate(young_total[50s])", "sum(increase(http_requests_total[1h])) by (code)", "changes(switch_on[30m])",
  "resets(http_requests_total{instance='b:80'}[1h])", "min_over_time(up[1h]) == 0", "avg_over_time(up[1h]) * 100",
  "predict_linear(memory_bytes[30m], 4 * 3600) < 0", "deriv(temperature_celsius[10m]) > bool 0", "delta(temperature_celsius[10m])",
  "rate(short_lived_total[5m])", "increase(short_lived_total[1h])", "irate(once[1h])", "rate(once[1h])", "count_over_time(once[1h])",
  "last_over_time(once[1h])", "last_over_time(flapping[30m])", "present_over_time(flapping[1m])",
  "sum_over_time(up[5m] @ end())", "rate(http_requests_total{code='200'}[5m] @ %T)", "up @ -1", "up @ 1e10",
  "http_requests_total{code='200'} - http_requests_total{code='200'} @ start()", "sum(up @ %T) + sum(up offset 30m)",
  "quantile_over_time(0.5, temperature_celsius[10m:1m])", "stddev_over_time(odd{kind='huge'}[5m])", "avg_over_time(odd{kind='huge'}[5m])",
  "min(min_over_time(temperature_celsius[5m])) - max(max_over_time(temperature_celsius[5m]))", "sum_over_time(vector(1)[10m:1m])",
  "sum_over_time(time()[5m:1m])", "sum_over_time(vector(time())[5m:1m])", "rate(vector(time())[5m:30s])", "rate(time()[5m:30s])",
  "max_over_time(hour()[1h:10m])", "count_over_time((up == 0)[30m:1m])", "avg_over_time((up > 0)[10m:])", "absent(up == 0)",
  "(up == 0) or (up == 1)", "# a comment\nup # more", "sum(\n  up\n)",
  "max_over_time(max_over_time(sum(queue_length)[5m7s:1m])[20m:5m])",
  "sum(rate(http_requests_total[5m])) by (job) > 1 and on (job) count(up) by (job) > 2",
  "clamp(ranked, scalar(min(ranked)) + 1, scalar(max(ranked)) - 1)", "round(ranked / 3, 0.5)", "round(-2.5)", "round(vector(2.5))",
  "round(vector(-0.5))", "sgn(vector(-0))", "ln(vector(-1))", "sqrt(vector(-1))", "abs(vector(-0))",
];

// --- wrong ---

export const wrong: string[] = [
  " ", "up{", "up}", "up{job}", "up{job=}", "up{job='a'", "up{job='a',,}", "{}", "{job=''}", "{job=~'.*'}", "{job!='x'}", "up{job=~'*'}",
  "up{job=~'a**'}", "up{job=~'[z-a]'}", "up{__name__='down'}", "up[5m", "up[0m]", "up[5m:0s]", "up[5m]]", "up[5m][5m]", "up[1m5h]",
  "rate(up)", "rate(up[5m]", "rate()", "rate(up[5m], 1)", "sum", "sum()", "sum(up", "sum(up))", "sum by job (up)", "sum by (job (up)", "sum(1)",
  "sum('a')", "sum(up[5m])", "sum(up, up)", "topk(up)", "topk(up, up)", "topk('a', up)", "topk()", "quantile('a', up)", "count_values(1, up)",
  "count_values(up)",
  "nofunction(up)", "nofunction()", "abs()", "abs(1)", "abs('a')", "abs(up, up)", "time(1)", "vector(up)", "scalar(1)", "histogram_quantile(up, up)",
  "histogram_quantile(0.9)", "label_replace(up)", "label_replace(up, 1, 2, 3, 4)", 'label_replace(up, "a", "b", "c", "(")', 'label_join(up)',
  'label_join(up, "a")', "round(up, up)", "clamp(up, 1)", "clamp_min(up)", "predict_linear(up[5m])", "predict_linear(up, 1)",
  "absent(1)", "absent_over_time(up)", "timestamp(1)", "day_of_week(1)", "sort(1)", "1 +", "+", "1 + + ", "* 1", "1 1", "up up", "1 == 2", "1 and 2",
  "up and 1", "1 or up", "up + 'a'", "'a' + 'b'", "'a' == 'b'", "up[5m] + 1", "up == bool", "up + bool 1", "1 + bool 2", "up and bool up",
  "up + on up", "up + on (job", "up + on () group_left (a) 1", "up + group_left up",
  "up and on (job) group_left () up", "up or group_left up", "1 + on (a) 2", "up + on (a) 1", "up + on (a) group_left (a) up", "-'a'", "-up[5m]",
  "!up", "up = 1", "up =~ 1", "up && up", "up || up", "a-b-", "(", ")", "()", "(up", "up)", "[5m]", "{", "}", "'", '"', "`", "'abc", '"abc',
  "'a\nb'", "'\\q'", "'\\xZZ'", "'\\u00'", "up offset 5m offset 5m", "1 offset 5m", "sum(up) offset 5m",
  "rate(up[5m]) offset 5m", "up @", "up @ x", "up @ start", "up @ start(", "up @ 1 @ 2", "1 @ 2", "sum(up) @ 2", "up @ NaN", "up @ Inf", "up @ -Inf",
  "up @ 1e30", "1[5m]", "'a'[5m:1m]", "sum(up)[5m]", "rate(up[5m])[5m]", "rate(sum(up)[5m])", "up[5m:1m][5m:1m]", "rate(rate(up[5m]))", "0b12",
  "up[5m] offset 1m @ 3 offset 2m", "sum by (job) by (job) (up)", "sum without", "by (job)", "bool", "offset",
  "up{job='a' or job='b'}", "up{1='a'}", "up{job==\"a\"}", "up{job<'a'}", "up{job='a';}", "up @ 5 [5m]", "up offset 5m [5m]", "$x", "up $", "up;",
  "ünï", "up{ünï='a'}", "up{job=1}", "up{job=job}", "\x01", "up\u00a0", "sum(up) by (job) without (job)", "topk by (job) (1)", "(up)[5m]",
  "(up[5m])[1m]",
  // at execution
  "rate({__name__=~'up|queue_length'}[5m])", "-{__name__=~'up|queue_length'}", 'label_replace(up, "instance", "x", "job", ".*")',
  'label_join(up, "instance", "-", "job")', 'label_replace(up, "a", "$1", "job", "(.*")', "abs({__name__=~'up|queue_length'})",
  "sum_over_time({__name__=~'up|queue_length'}[5m])",
  "{__name__=~'up|queue_length'} > bool 0", "{__name__=~'up|queue_length'} + 1",
];

// --- where Prometheus 3 answers otherwise than 2.42 ---

/** query; part of Meerkat's answer; why the other one's is different. */
export const known: [query: string, ours: string, why: string][] = [
  ["", "unknown position: parse error: no expression found in input", "3.x has no place for an error in nothing"],
  ["quantile_over_time(1, odd{kind='inf'}[5m])", "+Inf", "3.16 takes the value of an exact rank as it is"],
  ["rad(odd{kind='huge'})", "3.13756", "3.16 does not overflow on the way"],
  ["increase(young_total[1h] @ %T)", "452.466", "3.x guesses a counter's zero no further back than half an interval when the series begins well inside of the window"],
  ["texts{text=~'.*n.*'}", "line\\nbreak", "3.x: a dot in a regular expression matches a line's end"],
  ["up{job=~'('}", 'missing closing ): `(`', "3.16 tells the expression bare"],
  ["topk(NaN, up)", "Parameter value is NaN", "wording of 3.x"],
  ["ln(odd{kind='tiny'})", "-744.4400719213812", "Go's logarithm on amd64 does not know denormal numbers"],
  ["log10(odd{kind='tiny'})", "-323.3062153431158", "Go's logarithm on amd64 does not know denormal numbers"],
  ["stddev(odd{kind='inf'})", "NaN", "3.x: the deviation of an infinity is NaN"],
  ["stdvar by (kind) (odd{kind='neginf'})", "NaN", "3.x: the deviation of an infinity is NaN"],
  ["up atan2 1", '"metric":{"instance"', "3.x: atan2 drops the metric's name like every operator"],
  ["max_over_time(predict_linear(temperature_celsius[5m] @ %T, 600)[5m:1m])", '"success"', "2.42 moves the window of predict_linear with @ from step to step"],
  ["up + on (job) up", '[{__name__=\\"up\\", instance=\\"a:80\\", job=\\"api\\"}, {__name__=\\"up\\", instance=\\"b:80\\"', "3.x sorts the two series in the error's text"],
  ["up * on (job) group_left build_info", `on the right hand-side of the operation: [{__name__=\\"build_info\\", instance=\\"a:80\\"`, "3.x sorts the two series in the error's text"],
  ["build_info + on (region) group_right up", `on the left hand-side of the operation: [{__name__=\\"build_info\\", instance=\\"a:80\\"`, "3.x sorts the two series in the error's text"],
  ["up[5]", '"success"', "3.x: durations may be numbers of seconds"],
  ["up offset 5", '"success"', "3.x: durations may be numbers of seconds"],
  ["5m", ',"300"]', "3.x: numbers may be durations"],
  ["up[]", `unexpected \\"]\\" in subquery or range selector, expected number, duration, step(), or range()`, "duration expressions of 3.x"],
  ["up[5x]", 'bad number or duration syntax: \\"5\\"', "duration expressions of 3.x"],
  ["up[-5m]", "duration must be greater than 0", "duration expressions of 3.x"],
  ["up offset", "unexpected end of input in offset, expected number, duration, step(), or range()", "duration expressions of 3.x"],
  ["up offset -", "unexpected end of input in offset, expected number, duration, step(), or range()", "duration expressions of 3.x"],
  ["1e", 'bad number or duration syntax: \\"1e\\"', "numbers with underscores of 3.x"],
  ["1.2.3", 'bad number or duration syntax: \\"1.2.\\"', "numbers with underscores of 3.x"],
  ["08.5.1", 'bad number or duration syntax: \\"08.5.\\"', "numbers with underscores of 3.x"],
  ["1_000x", 'bad number or duration syntax: \\"1_000\\"', "numbers with underscores of 3.x"],
  ["1_000", '"1000"', "numbers with underscores of 3.x"],
  ["sum by ('job') (up)", '"success"', "names in quotes of 3.x"],
  ["{'up', 'job'='api'}", '"success"', "names in quotes of 3.x"],
  ['count_values("a-b c", up)', '"a-b c":"1"', "any UTF-8 is a label's name in 3.x"],
  ["mad_over_time(up[5m])", '"success"', "a function of 3.x"],
  ["sort_by_label(up, 'instance')", '"success"', "a function of 3.x"],
  ["limitk(1, up)", '"success"', "an aggregation of 3.x"],
];

// --- random trees ---

const pick = <T>(random: () => number, list: readonly T[]): T => list[Math.floor(random() * list.length)];

/** modern: with what Prometheus 3 has and 2.42 has not. */
export function randomQueries(n: number, seed: number, modern = false): string[] {
  const random = randomizer(seed), p = <T>(list: readonly T[]) => pick(random, list);
  const names = ["http_requests_total", "cpu_seconds_total", "temperature_celsius", "queue_length", "up", "gappy", "flapping", "switch_on", "latency_seconds_count", "build_info", "memory_bytes"];
  const counterNames = ["http_requests_total", "cpu_seconds_total", "latency_seconds_count", "latency_seconds_bucket", "gappy_total"];
  const binary = arithmetic.filter((op) => op !== "%"); // it makes much of the last digit
  const plain = aggregations.filter((a) => !a.startsWith("std")); // of NaN: see known
  const matcher = () => p(["", "", "{job='api'}", "{instance=~'[a-c].*'}", "{job!='api'}", "{code=~'2..|4..'}", "{code!='200'}", "{instance='b:80'}"]);
  const modifier = () => p(["", "", "", " offset 5m", " offset -90s", " @ end()", " @ %T", " offset 3m @ start()"].concat(modern ? [" offset (2m * 2)", " offset -(step() + 1m)"] : []));
  const grouping = () => p(["", " by (job)", " by (instance)", " by (job, code)", " without (instance)", " without (code, method)", " by (nothing)"]);
  const width = () => p(["2m", "5m", "11m", "1h"].concat(modern ? ["2m * 3", "min_of(7m, 1h)", "step() * 2 + 90s"] : []));
  const scalar = (depth: number): string =>
    (depth <= 0 || random() < 0.6 ? p(["2", "0.5", "-3", "10", "time() / 1e9", "pi()"]) : p([() => `scalar(sum(${vector(depth - 1)}))`, () => `(${scalar(depth - 1)} ${p(binary)} ${scalar(depth - 1)})`])());
  const direct = (modifiers = modifier): string => `${p(counterNames)}${matcher()}[${width()}]${modifiers()}`;
  const subModifier = () => p(["", "", " offset 2m", " @ end()", " offset -1m @ %T"]);
  const range = (depth: number): string =>
    (depth <= 0 || random() < 0.7 ? `${p(names)}${matcher()}[${width()}]${modifier()}` : `(${vector(depth - 1)})[${p(["5m7s:1m", "12m7s:90s", "10m7s:"])}]${subModifier()}`);
  const buckets = () => `${p(["rate", "increase", "delta"])}(latency_seconds_bucket${p(["", "", "{job='api'}", "{le!='0.1'}"])}[${width()}]${modifier()})`;
  const newer = (depth: number): string => p([
    () => `mad_over_time(${range(depth - 1)})`, () => `first_over_time(${range(depth - 1)})`,
    () => `ts_of_${p(["min", "max", "first", "last"])}_over_time(${range(depth - 1)})`,
    () => `double_exponential_smoothing(${range(0)}, 0.4, 0.3)`,
    () => `count(limitk${grouping()} (${p(["1", "3", "0", "2.7"])}, ${vector(depth - 1)}))`, // which ones depends on the store
    () => `limit_ratio(${p(["0.3", "-0.7", "1", "0.5", "1.5"])}, ${vector(depth - 1)})`,
    () => `${p(["rate", "increase", "delta"])}(${p(counterNames)}${matcher()}[${width()}] ${p(["anchored", "smoothed"])}${modifier()})`,
    () => `${p(["changes", "resets"])}(${p(names)}[${width()}] anchored)`,
    () => `${p(names)}${matcher()} smoothed`,
    () => `(${vector(depth - 1)} ${p(binary)} ${p(["", "on (job, instance) ", "ignoring (code, method) "])}${p(["fill(0) ", "fill_left(1.5) ", "fill_right(-2) ", "fill_left(0) fill_right(1) "])}${p(plain)} by (job, instance) (${vector(depth - 2)}))`,
    () => `sort_by_label${p(["", "_desc"])}(${vector(depth - 1)}, "instance", "job")`,
    () => `info(${p(names)}${matcher()}${p(["", ", {__name__=~'build_info'}", ", {__name__='build_info', version=~'.+'}", ", {region=~'.+', __name__='build_info'}"])})`,
    () => `histogram_quantiles(sum by (le, job) (${buckets()}), "q", 0.5, 0.9, ${p(["1", "0.99", "-1", "2"])})`,
    () => `histogram_fraction(${p(["0, 0.1", "0.05, 2.5", "-Inf, 1", "0.3, +Inf", "2, 1"])}, ${p(["", "sum by (le) "])}(${buckets()}))`,
    () => `(${vector(depth - 1)} * ${p(["start()", "end()", "range()", "step()", "max_of(1, step())", "min_of(time(), end())"])})`,
  ])();
  const vector = (depth: number): string => {
    if (depth <= 0) return `${p(names)}${matcher()}${modifier()}`;
    if (modern && random() < 0.3) return newer(depth);
    return p([
      () => `${p(overTime)}(${range(depth - 1)})`, () => `${p(overTime)}(${range(depth - 1)})`,
      () => `${p(plain)}${grouping()} (${vector(depth - 1)})`, () => `${p(plain)}${grouping()} (${vector(depth - 1)})`,
      () => `${p(["abs", "ceil", "floor", "sqrt", "sgn", "round", "exp", "ln", "timestamp", "-", "sort"])}(${vector(depth - 1)})`,
      () => `(${vector(depth - 1)} ${p(binary.concat(comparison))} ${scalar(depth - 1)})`,
      () => `(${scalar(depth - 1)} ${p(binary.concat(comparison.map((c) => c + " bool")))} ${vector(depth - 1)})`,
      () => `(${vector(depth - 1)} ${p(binary)} on (job, instance) group_left () ${p(plain)} by (job, instance) (${vector(depth - 2)}))`,
      () => `(${vector(depth - 1)} ${p(binary.concat(comparison, comparison.map((c) => c + " bool")))} on (job, instance) group_left (version, region) build_info${p(["", " offset 10m"])})`,
      () => `(build_info ${p(["*", "+", ">"])} on (instance) group_right (region) ${p(plain)} by (instance, code, method) (${vector(depth - 1)}))`,
      () => `(${vector(depth - 1)} ${p(comparison.concat(comparison.map((c) => c + " bool")))} ${p(["", "ignoring (zone) "])}${vector(depth - 1)})`,
      () => `(${vector(depth - 1)} ${p(["and", "or", "unless"])} ${p(["", "on (instance) ", "ignoring (code, method) ", "on (job) ", "on () "])}${vector(depth - 1)})`,
      () => `quantile${grouping()} (${p(["0.1", "0.5", "0.99"])}, ${vector(depth - 1)})`,
      () => `${p(["topk", "bottomk"])}${grouping()} (${p(["1", "3", "20"])}, ${p(["temperature_celsius", "memory_bytes", "gappy"])}${modifier()})`,
      () => `count_values${grouping()} ("v", ${p(["queue_length", "switch_on", "up", "build_info"])}${matcher()}${modifier()})`,
      () => `histogram_quantile(${p(["0.5", "0.9", "0.99", "0", "1"])}, ${p(["", "sum by (le) ", "sum by (le, job) ", "sum without (instance) ", "max by (le) "])}(${buckets()}))`,
      () => `label_replace(${vector(depth - 1)}, "host", "$1", "instance", "(.*):.*")`,
      () => `label_join(${vector(depth - 1)}, "where", "/", "job", "instance", "nothing")`,
      () => `quantile_over_time(0.8, ${range(depth - 1)})`,
      () => `absent(${vector(depth - 1)})`,
      () => `predict_linear(${direct(() => p(["", " offset 2m"]))}, 600)`,
      () => `${p(["rate", "increase"])}(${direct()})`, () => `${p(["rate", "increase"])}(${direct()})`,
      () => `clamp(${vector(depth - 1)}, -5, ${scalar(depth - 1)})`,
    ])();
  };
  return Array.from({ length: n }, (_, i) => vector(1 + (i % 4)));
}
