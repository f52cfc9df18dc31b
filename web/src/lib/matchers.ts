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

/** The expression an alert compares and the number it compares with, when it ends in a plain comparison. TraceQL's durations
 * are seconds. */
export function thresholdOf(expr: string): { expr: string; threshold: number } | null {
  const m = /^([\s\S]+?)\s*(?:>=|<=|==|!=|>|<)\s*(?:bool\s+)?([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)(ns|us|µs|ms|s|m|h)?\s*$/i.exec(expr.trim());
  if (!m) return null;
  const open = (text: string) => [...text.replace(/"(?:[^"\\]|\\.)*"/g, '')].reduce((n, c) => n + (c === '(' || c === '{' || c === '[' ? 1 : c === ')' || c === '}' || c === ']' ? -1 : 0), 0);
  if (open(m[1]) !== 0 || /\b(and|or|unless)\b/.test(m[1].replace(/"(?:[^"\\]|\\.)*"|\([^()]*\)/g, ''))) return null;
  return { expr: m[1], threshold: Number(m[2]) * (m[3] ? unitSeconds[m[3]] : 1) };
}
