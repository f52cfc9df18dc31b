// Drawing on a canvas of our own: as wide as its place, sharp on any screen, drawn again when the theme changes.
import type { RefObject } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { theme } from '../lib/store';

/** A canvas that draw fills whenever its width, the theme or one of deps changes; width is 0 until it is laid out. */
export function useCanvas(height: number, draw: (g: CanvasRenderingContext2D, width: number) => void, deps: unknown[]): { ref: RefObject<HTMLCanvasElement | null>; width: number } {
  const ref = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const watch = new ResizeObserver(() => ref.current && setWidth(ref.current.clientWidth));
    if (ref.current) watch.observe(ref.current);
    return () => watch.disconnect();
  }, []);
  useEffect(() => {
    const el = ref.current;
    if (!el || !width) return;
    const scale = devicePixelRatio || 1;
    el.width = width * scale;
    el.height = height * scale;
    const g = el.getContext('2d')!;
    g.scale(scale, scale);
    draw(g, width);
  }, [width, height, theme.value, ...deps]);
  return { ref, width };
}

interface Drag { from: number; to: number } // pixels, from <= to

/** Dragging across a canvas; what is shorter than a few pixels was a click. */
export function useDrag(onPick: (d: Drag) => void): { drag: Drag | null; start: (e: MouseEvent) => void; move: (e: MouseEvent) => void; finish: () => void; cancel: () => void } {
  const [raw, setRaw] = useState<{ at: number; to: number } | null>(null);
  const drag = raw && { from: Math.min(raw.at, raw.to), to: Math.max(raw.at, raw.to) };
  return {
    drag,
    start: (e) => setRaw({ at: e.offsetX, to: e.offsetX }),
    move: (e) => raw && setRaw({ ...raw, to: e.offsetX }),
    finish: () => {
      if (drag && drag.to - drag.from > 4) onPick(drag);
      setRaw(null);
    },
    cancel: () => setRaw(null),
  };
}

/** A tooltip beside x, on the side where there is more room. */
export const tipStyle = (x: number, width: number, top: string) =>
  x < width / 2 ? { top, left: `${x + 14}px`, right: 'auto' } : { top, left: 'auto', right: `${width - x + 14}px` };
