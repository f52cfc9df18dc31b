// Matchers as people write them: alertname="X", severity=~"warn.*" - and labels: a="b" or a=b.

export interface Matcher { name: string; value: string; isRegex: boolean; isEqual: boolean }

const item = /^\s*(?:"((?:[^"\\]|\\.)*)"|([^\s{}!=~,"'`\\]+))\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\.)*)"|([^\s{}!=~,"'`]*))\s*(?:,|$)/;
const unescape = (text: string) => text.replace(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c === 't' ? '\t' : c));

/** The matchers, or what is wrong and where. Braces around them are fine. */
export function parseMatchers(text: string): { matchers: Matcher[]; error?: string } {
  let rest = text.trim().replace(/^\{([\s\S]*)\}$/, '$1').trim();
  const matchers: Matcher[] = [];
  while (rest) {
    const m = item.exec(rest);
    if (!m) return { matchers, error: `Not a matcher: ${rest.slice(0, 60)}. Write alertname="X" or severity=~"warn.*"` };
    const [whole, quotedName, name, op, quoted, plain] = m;
    matchers.push({ name: quotedName !== undefined ? unescape(quotedName) : name, value: quoted !== undefined ? unescape(quoted) : plain ?? '', isRegex: op.endsWith('~'), isEqual: op[0] === '=' });
    rest = rest.slice(whole.length).trim();
  }
  return { matchers };
}

const quote = (text: string) => `"${text.replace(/["\\]/g, '\\$&').replace(/\n/g, '\\n')}"`;
const nameText = (name: string) => (/^[^\s{}!=~,"'`\\]+$/.test(name) ? name : quote(name));

export const matcherText = (m: Matcher) => `${nameText(m.name)}${m.isEqual ? (m.isRegex ? '=~' : '=') : m.isRegex ? '!~' : '!='}${quote(m.value)}`;
export const matchersText = (list: Matcher[]) => list.map(matcherText).join(', ');
export const labelMatchers = (labels: Record<string, string>) =>
  matchersText(Object.entries(labels).map(([name, value]) => ({ name, value, isRegex: false, isEqual: true })));

/** Labels for a question such as "where would these go"; null when it is not a list of name=value. */
export function parseLabels(text: string): Record<string, string> | null {
  const { matchers, error } = parseMatchers(text);
  if (error || matchers.some((m) => m.isRegex || !m.isEqual)) return null;
  return Object.fromEntries(matchers.map((m) => [m.name, m.value]));
}

const unitSeconds: Record<string, number> = { ns: 1e-9, us: 1e-6, 'µs': 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600 };

/** Whether labels meet all matchers, as the Alertmanager decides: expressions are anchored, an absent label is "". */
export function matchLabels(matchers: Matcher[], labels: Record<string, string>): boolean {
  return matchers.every((m) => {
    const value = labels[m.name] ?? '';
    if (!m.isRegex) return (value === m.value) === m.isEqual;
    try {
      return new RegExp(`^(?:${m.value})$`, 's').test(value) === m.isEqual;
    } catch {
      return false;
    }
  });
}

export type Comparison = '>=' | '<=' | '==' | '!=' | '>' | '<';
export interface Threshold { expr: string; op: Comparison; threshold: number }

/** The expression an alert compares and the number it compares with, when it ends in a plain comparison. TraceQL's durations
 * are seconds. */
export function thresholdOf(expr: string): Threshold | null {
  const m = /^([\s\S]+?)\s*(>=|<=|==|!=|>|<)\s*(?:bool\s+)?([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)(ns|us|µs|ms|s|m|h)?\s*$/i.exec(expr.trim());
  if (!m) return null;
  const open = (text: string) => [...text.replace(/"(?:[^"\\]|\\.)*"/g, '')].reduce((n, c) => n + (c === '(' || c === '{' || c === '[' ? 1 : c === ')' || c === '}' || c === ']' ? -1 : 0), 0);
  if (open(m[1]) !== 0 || /\b(and|or|unless)\b/.test(m[1].replace(/"(?:[^"\\]|\\.)*"|\([^()]*\)/g, ''))) return null;
  return { expr: m[1], op: m[2] as Comparison, threshold: Number(m[3]) * (m[4] ? unitSeconds[m[4]] : 1) };
}

export function meets(value: number, { op, threshold }: Threshold): boolean {
  switch (op) {
    case '>': return value > threshold;
    case '>=': return value >= threshold;
    case '<': return value < threshold;
    case '<=': return value <= threshold;
    case '==': return value === threshold;
    default: return value !== threshold;
  }
}

/** The lines that a LogQL metric counts: its first selector with the filters behind it; null when there is none. */
export function linesOf(expr: string): string | null {
  const m = /\{(?:[^"`}]|"(?:[^"\\]|\\.)*"|`[^`]*`)*\}(?:[^"`[]|"(?:[^"\\]|\\.)*"|`[^`]*`)*(?=\[)/.exec(expr);
  return m && m[0].replace(/\|\s*unwrap\s[^|]*/, '').trim();
}

/** Whether a TraceQL metric is a time, in seconds: a function of a duration that nothing is calculated with. */
export const isTime = (expr: string) =>
  /(?:quantile|avg|min|max|sum)_over_time\(\s*(?:(?:span|trace):duration|duration|traceDuration|event:timeSinceStart)\b/.test(expr) && !/[*/]\s*[(\d]|\)\s*[*/]/.test(expr);
