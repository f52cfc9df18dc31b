// Series and service colours. The palette is ordered so that neighbours differ in hue and lightness; the same ones
// work on both themes' surfaces (3:1 at least).

import { keep, remembered } from './store';

export const palette = [
  '#4c8dff', '#f2994a', '#27ae7f', '#e0559b', '#9b6bf2', '#c9a227', '#1fa7c4', '#ee6352',
  '#7a9e2e', '#b06ab3', '#5c7cfa', '#d9772b', '#2f9e9e', '#cf5c78', '#8f8f3c', '#6b87a8',
];

export const seriesColor = (i: number) => palette[i % palette.length];

/** Services: no reds, which mean errors. */
const nameColors = [
  '#4c8dff', '#f2994a', '#27ae7f', '#9b6bf2', '#c9a227', '#1fa7c4', '#e0559b', '#7a9e2e',
  '#b06ab3', '#5c7cfa', '#2f9e9e', '#a07a56', '#8f8f3c', '#6b87a8', '#c77dff', '#4aa96c',
];
const givenMax = 500;
let given: Map<string, number> | undefined;

/** What earlier pages gave, so that a service keeps its colour whichever page is opened first. */
function recallGiven(): Map<string, number> {
  try {
    return new Map(Object.entries(JSON.parse(remembered('colors', '{}')) as Record<string, number>).filter(([, slot]) => slot in nameColors));
  } catch {
    return new Map();
  }
}

/** The same name has the same colour on every page: its hash says which, or the next that no other name has yet. */
export function nameColor(name: string): string {
  given ??= recallGiven();
  let slot = given.get(name);
  if (slot === undefined) {
    let h = 2166136261;
    for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 16777619);
    slot = ((h ^ (h >>> 15)) >>> 0) % nameColors.length;
    const taken = new Set(given.values());
    for (let i = 0; i < nameColors.length && taken.has(slot); i++) slot = (slot + 5) % nameColors.length;
    given.set(name, slot);
    if (given.size <= givenMax) keep('colors', JSON.stringify(Object.fromEntries(given)));
  }
  return nameColors[slot];
}

export type Level = 'critical' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'unknown';

export const levelColors: Record<Level, string> = {
  critical: '#b06ab3', error: '#ee6352', warn: '#e0a126', info: '#4c8dff', debug: '#27a38f', trace: '#6b87a8',
  unknown: '#7d8794',
};
export const levelOrder: Level[] = ['unknown', 'trace', 'debug', 'info', 'warn', 'error', 'critical'];

/** Value of a CSS custom property, for canvases. */
export const cssVar = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
