// What a chart does with values before it draws them.

export type Values = (number | null)[];

/** Running sums from the first series to the last; hidden ones count nothing. A hole counts as nought where another
 * series has a value. */
export function stack(rows: Values[], hidden: boolean[]): Values[] {
  const n = rows[0]?.length ?? 0;
  const sum = new Array<number>(n).fill(0);
  return rows.map((row, i) => {
    if (hidden[i]) return row.map(() => null);
    return row.map((v, k) => {
      sum[k] += v ?? 0;
      return v === null && rows.every((r) => r[k] === null) ? null : sum[k];
    });
  });
}

/** A logarithm takes positive values only. */
export const positive = (row: Values): Values => row.map((v) => (v !== null && v > 0 ? v : null));

/** Counts start at nought; a flat line gets air around it. */
export function spread(min: number | null, max: number | null): [number, number] {
  if (min === null || max === null) return [0, 1];
  if (min === max) return min === 0 ? [0, 1] : [Math.min(0, min * 1.2), Math.max(0, max * 1.2)];
  const pad = (max - min) * 0.08;
  const low = min >= 0 && min < (max - min) * 1.5 ? 0 : min - pad;
  return [low, max + pad];
}

/** Whole powers of ten around the values. */
export function spreadLog(min: number | null, max: number | null): [number, number] {
  if (min === null || max === null || min <= 0) return [1, 10];
  const low = 10 ** Math.floor(Math.log10(min)), high = 10 ** Math.ceil(Math.log10(max));
  return [low, high > low ? high : low * 10];
}
