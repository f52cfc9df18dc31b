// A query's text box: grows with the text, Enter runs, suggestions under it.
import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';

export interface Suggestion {
  text: string; // what replaces the word
  kind: 'function' | 'label' | 'value' | 'keyword';
  info?: string;
}

export interface Completion {
  from: number;
  to: number;
  items: Suggestion[];
}

interface Props {
  label: string;
  value: string;
  placeholder: string;
  onInput: (text: string) => void;
  onRun: () => void;
  complete?: (text: string, cursor: number, signal: AbortSignal) => Promise<Completion | null>;
}

export function QueryBox({ label, value, placeholder, onInput, onRun, complete }: Props) {
  const area = useRef<HTMLTextAreaElement>(null);
  const [list, setList] = useState<Completion | null>(null);
  const [active, setActive] = useState(-1);
  const abort = useRef<AbortController | null>(null);
  const wanted = useRef<number | null>(null);
  const id = useId();

  useLayoutEffect(() => {
    const el = area.current;
    if (!el) return;
    el.style.height = 'auto';
    el.style.height = `${Math.min(el.scrollHeight + 2, 240)}px`;
    if (wanted.current !== null) {
      el.setSelectionRange(wanted.current, wanted.current);
      wanted.current = null;
    }
  }, [value]);
  useEffect(() => () => abort.current?.abort(), []);
  useEffect(() => {
    if (active >= 0) document.getElementById(`${id}-${active}`)?.scrollIntoView({ block: 'nearest' });
  }, [active]);

  const close = () => {
    abort.current?.abort();
    setList(null);
    setActive(-1);
  };
  const suggest = async (text: string, cursor: number) => {
    abort.current?.abort();
    if (!complete) return;
    const own = new AbortController();
    abort.current = own;
    const found = await complete(text, cursor, own.signal).catch(() => null);
    if (own.signal.aborted) return;
    setList(found && found.items.length ? found : null);
    setActive(-1);
  };
  const take = (i: number) => {
    if (!list) return;
    const item = list.items[i];
    const tail = item.kind === 'function' ? '(' : '';
    const rest = value.slice(list.to);
    const insert = item.text + (tail && !rest.startsWith('(') ? tail : '');
    wanted.current = list.from + insert.length;
    onInput(value.slice(0, list.from) + insert + rest);
    close();
    area.current?.focus();
  };
  const onKey = (e: KeyboardEvent) => {
    const n = list?.items.length ?? 0;
    if (n && (e.key === 'ArrowDown' || e.key === 'ArrowUp')) {
      setActive((active + (e.key === 'ArrowDown' ? 1 : active < 0 ? 0 : -1) + n) % n);
      e.preventDefault();
    } else if (n && (e.key === 'Tab' || e.key === 'Enter') && active >= 0) {
      take(active);
      e.preventDefault();
    } else if (n && e.key === 'Escape') {
      close();
      e.preventDefault();
    } else if (e.key === 'Enter' && !e.shiftKey) {
      close();
      onRun();
      e.preventDefault();
    } else if (e.key === ' ' && e.ctrlKey) {
      void suggest(value, area.current?.selectionStart ?? value.length);
      e.preventDefault();
    }
  };
  return (
    <div class="query">
      <textarea ref={area} class="input query-text mono" rows={1} spellcheck={false} autoCapitalize="off" autoComplete="off"
        aria-label={label} aria-autocomplete={complete ? 'list' : undefined} aria-controls={list ? id : undefined}
        aria-activedescendant={active >= 0 ? `${id}-${active}` : undefined} placeholder={placeholder} value={value}
        onInput={(e) => { onInput(e.currentTarget.value); void suggest(e.currentTarget.value, e.currentTarget.selectionStart); }}
        onKeyDown={onKey} onBlur={() => setTimeout(close, 120)} />
      {list && (
        <ul class="suggestions" role="listbox" id={id} aria-label={`Suggestions for ${label}`}>
          {list.items.map((s, i) => (
            <li key={s.kind + s.text} id={`${id}-${i}`} role="option" aria-selected={i === active} class={`suggestion suggestion-${s.kind}`}
              onMouseDown={(e) => { e.preventDefault(); take(i); }}>
              <span class="suggestion-kind" aria-hidden="true">{s.kind[0]}</span><span class="mono">{s.text}</span>
              {s.info && <span class="suggestion-info">{s.info}</span>}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
