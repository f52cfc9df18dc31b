// Two answers of Prometheus' API, compared: types, labels, times exactly; values to a relative 1e-9.
export interface Answer { status: number; text: string; json?: any }

export async function ask(url: string, init?: RequestInit): Promise<Answer> {
  const response = await fetch(url, init);
  const text = await response.text();
  let json: any;
  try { json = JSON.parse(text); } catch { /* a text */ }
  return { status: response.status, text, json };
}

const labelKey = (metric: Record<string, string>) => JSON.stringify(Object.entries(metric).sort(([a], [b]) => (a < b ? -1 : 1)));

export function valueDiffers(a: string, b: string): boolean {
  if (a === b) return false;
  const x = Number(a), y = Number(b);
  if (!Number.isFinite(x) || !Number.isFinite(y)) return true;
  return Math.abs(x - y) > 1e-9 * Math.max(Math.abs(x), Math.abs(y));
}

type Point = [number, string];

function pointsDiffer(theirs: Point[], ours: Point[]): string | undefined {
  for (let i = 0; i < Math.max(theirs.length, ours.length); i++) {
    const a = theirs[i], b = ours[i];
    if (!a || !b || a[0] !== b[0] || valueDiffers(a[1], b[1])) return `point ${i}: theirs ${JSON.stringify(a)}, ours ${JSON.stringify(b)}`;
  }
  return undefined;
}

/** What is different, or undefined. ordered: the order of an instant vector counts (sort, topk). */
export function resultDiffers(theirs: any, ours: any, ordered: boolean): string | undefined {
  if (theirs.resultType !== ours.resultType) return `type ${theirs.resultType}, ours ${ours.resultType}`;
  if (theirs.resultType === "scalar") return pointsDiffer([theirs.result], [ours.result]);
  if (theirs.resultType === "string") return JSON.stringify(theirs.result) === JSON.stringify(ours.result) ? undefined : `${theirs.result} / ${ours.result}`;
  const list = (r: any[]) => {
    const rows = r.map((s: any) => ({ key: labelKey(s.metric), points: (s.values ?? [s.value]) as Point[] }));
    return theirs.resultType === "matrix" ? rows : rows.sort((a, b) => (a.key < b.key ? -1 : 1));
  };
  // Which of two equal values comes first is not promised.
  if (ordered) for (let i = 0; i < Math.min(theirs.result.length, ours.result.length); i++)
    if (valueDiffers(theirs.result[i].value[1], ours.result[i].value[1])) return `order: at ${i} theirs ${theirs.result[i].value[1]}, ours ${ours.result[i].value[1]}`;
  const a = list(theirs.result), b = list(ours.result);
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    if (a[i]?.key !== b[i]?.key) return `series ${i} of ${a.length}/${b.length}: theirs ${a[i]?.key} ${a[i]?.points[0]}, ours ${b[i]?.key} ${b[i]?.points[0]}`;
    const points = pointsDiffer(a[i].points, b[i].points);
    if (points) return `${a[i].key} ${points}`;
  }
  return undefined;
}

/** As resultDiffers, for whole answers: an error is compared by status, errorType and text. */
export function answerDiffers(theirs: Answer, ours: Answer, ordered = false): string | undefined {
  if (theirs.status !== ours.status || theirs.json?.status !== ours.json?.status) return `theirs ${theirs.status} ${theirs.text.slice(0, 400)}\n      ours ${ours.status} ${ours.text.slice(0, 400)}`;
  if (theirs.json?.status === "success") return resultDiffers(theirs.json.data, ours.json.data, ordered);
  const pick = (a: Answer) => JSON.stringify(a.json ? [a.json.errorType, a.json.error] : a.text);
  return pick(theirs) === pick(ours) ? undefined : `theirs ${pick(theirs)}\n      ours ${pick(ours)}`;
}

/** What the two remark on a query that both answer: all warnings and infos, in any order. Prometheus 3.14 counts the samples
 * that were "fixed for monotonicity" several times over in range queries. */
export function remarksDiffer(theirs: Answer, ours: Answer): string | undefined {
  const all = (a: Answer) => JSON.stringify([a.json?.warnings ?? [], a.json?.infos ?? []].map((list: string[]) => list.map((text) => text.replace(/over \d+ samples/, "over samples")).sort()));
  return all(theirs) === all(ours) ? undefined : `remarks: theirs ${all(theirs)}\n      ours ${all(ours)}`;
}
