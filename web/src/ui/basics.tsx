// Buttons, cards, states, tabs, dialogs: the parts every view is made of.
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import type { ApiError } from '../lib/api';
import { shorten, visible } from '../lib/format';
import { toast, toasts } from '../lib/store';
import { Icon, type IconName } from './icons';

type ButtonProps = JSX.IntrinsicElements['button'] & {
  kind?: 'primary' | 'default' | 'ghost';
  icon?: IconName;
  small?: boolean;
  label?: string; // accessible name when there is no text
};

export function Button({ kind = 'default', icon, small, label, children, class: extra, ...rest }: ButtonProps) {
  const only = !children;
  return (
    <button type="button" aria-label={label} title={only ? label : undefined}
      class={`button button-${kind}${small ? ' button-small' : ''}${only ? ' button-icon' : ''} ${extra ?? ''}`} {...rest}>
      {icon && <Icon name={icon} size={small ? 14 : 16} />}
      {children}
    </button>
  );
}

export function Card({ title, actions, children, class: extra = '', flush }: {
  title?: ComponentChildren; actions?: ComponentChildren; children: ComponentChildren; class?: string; flush?: boolean;
}) {
  return (
    <section class={`card ${extra}`}>
      {(title || actions) && <header class="card-head"><h2>{title}</h2>{actions}</header>}
      <div class={flush ? 'card-flush' : 'card-body'}>{children}</div>
    </section>
  );
}

export function Stat({ label, value, hint, tone }: { label: string; value: string; hint?: string; tone?: 'good' | 'bad' | 'warn' }) {
  return (
    <div class="stat">
      <div class="stat-label">{label}</div>
      <div class={`stat-value${tone ? ` tone-${tone}` : ''}`}>{value}</div>
      {hint && <div class="stat-hint">{hint}</div>}
    </div>
  );
}

export function PageHead({ title, children, sub }: { title: ComponentChildren; children?: ComponentChildren; sub?: ComponentChildren }) {
  return (
    <header class="page-head">
      <div class="page-title"><h1>{title}</h1>{sub && <p class="muted">{sub}</p>}</div>
      <div class="page-actions">{children}</div>
    </header>
  );
}

export function Empty({ icon = 'inbox', title, children }: { icon?: IconName; title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <span class="empty-icon"><Icon name={icon} size={22} /></span>
      <p class="empty-title">{title}</p>
      {children && <div class="empty-text">{children}</div>}
    </div>
  );
}

/** What went wrong, in the words of who knows; a query's text keeps its line breaks. */
export function ErrorBox({ error, retry }: { error: ApiError | Error; retry?: () => void }) {
  return (
    <div class="alert" role="alert">
      <Icon name="warn" />
      <div class="alert-text">{error.message}</div>
      {retry && <Button small onClick={retry}>Retry</Button>}
    </div>
  );
}

export const Spinner = ({ label = 'Loading' }: { label?: string }) => <span class="spinner" role="status" aria-label={label} />;

/** A thin moving line under a header while an answer is on its way. */
export const Progress = ({ on }: { on: boolean }) => <div class={`progress${on ? ' progress-on' : ''}`} aria-hidden="true" />;

export function Toggle({ on, onChange, children }: { on: boolean; onChange: (on: boolean) => void; children: ComponentChildren }) {
  return <button type="button" class="toggle" aria-pressed={on} onClick={() => onChange(!on)}>{children}</button>;
}

export function Tabs<T extends string>({ label, tabs, value, onChange }: {
  label: string; tabs: [T, string][]; value: T; onChange: (value: T) => void;
}) {
  const list = useRef<HTMLDivElement>(null);
  const move = (e: KeyboardEvent) => {
    const step = e.key === 'ArrowRight' ? 1 : e.key === 'ArrowLeft' ? -1 : 0;
    if (!step) return;
    const at = tabs.findIndex(([id]) => id === value);
    const next = (at + step + tabs.length) % tabs.length;
    onChange(tabs[next][0]);
    (list.current?.children[next] as HTMLElement | undefined)?.focus();
    e.preventDefault();
  };
  return (
    <div class="tabs" role="tablist" aria-label={label} ref={list} onKeyDown={move}>
      {tabs.map(([id, text]) => (
        <button key={id} type="button" role="tab" aria-selected={id === value} tabIndex={id === value ? 0 : -1}
          class="tab" onClick={() => onChange(id)}>{text}</button>
      ))}
    </div>
  );
}

export function Field({ label, children, hint, grow }: { label: string; children: (id: string) => ComponentChildren; hint?: string; grow?: boolean }) {
  const id = useId();
  return (
    <div class={`field${grow ? ' field-grow' : ''}`}>
      <label for={id}>{label}</label>
      {children(id)}
      {hint && <p class="field-hint">{hint}</p>}
    </div>
  );
}

/** A dotted or underlined name that may break after its dots and underscores, not within its words. */
export const breakable = (name: string) => name.split(/(?<=[._/-])/).flatMap((part, i) => (i ? [<wbr key={i} />, part] : [part]));

/** A filter that came with the address. */
export const FilterChip = ({ text, onClear }: { text: string; onClear: () => void }) =>
  <span class="chip-filter">Only <code>{shorten(text, 120)}</code> <Button kind="ghost" small icon="close" label="Clear the filter" onClick={onClear} /></span>;

const valueMax = 160;

/** Labels as chips. A value keeps its direction to itself, and no value takes more than some lines: its tooltip has all. */
export const LabelChips = ({ labels, without = [] }: { labels: Record<string, string>; without?: string[] }) => (
  <span class="chips-inline">{Object.entries(labels).filter(([k]) => !without.includes(k)).map(([k, v]) => (
    <span key={k} class="label-chip mono" title={v.length > valueMax ? v : undefined}>{k}="<bdi>{visible(shorten(v, valueMax))}</bdi>"</span>
  ))}</span>
);

export function CopyButton({ text, label = 'Copy', small = true }: { text: string; label?: string; small?: boolean }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      copyByHand(text);
    }
    setDone(true);
    setTimeout(() => setDone(false), 1500);
  };
  return <Button kind="ghost" small={small} icon={done ? 'check' : 'copy'} label={done ? 'Copied' : label} onClick={copy} />;
}

/** Pages over plain http have no clipboard API. */
function copyByHand(text: string): void {
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'off-screen';
  document.body.append(area);
  area.select();
  if (!document.execCommand('copy')) toast('Copying is not allowed here', 'error');
  area.remove();
}

export function Code({ text, label }: { text: string; label: string }) {
  return (
    <div class="code">
      <pre tabIndex={0} role="region" aria-label={label}><code>{text}</code></pre>
      <CopyButton text={text} label={`Copy ${label}`} />
    </div>
  );
}

export function Dialog({ title, onClose, children, wide }: { title: string; onClose: () => void; children: ComponentChildren; wide?: boolean }) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current, before = document.activeElement;
    dialog?.showModal();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus(); // it is out of the page by now, so the browser does not
    };
  }, []);
  return (
    <dialog ref={ref} class={`dialog${wide ? ' dialog-wide' : ''}`} aria-labelledby={id} onClose={onClose}
      onCancel={(e) => { e.preventDefault(); onClose(); }}
      onClick={(e) => e.target === ref.current && onClose()}>
      <div class="dialog-inside">
        <header class="dialog-head"><h2 id={id}>{title}</h2><Button kind="ghost" small icon="close" label="Close" onClick={onClose} /></header>
        {children}
      </div>
    </dialog>
  );
}

/** A button with a panel under it; Escape and clicks elsewhere close it. */
export function Popover({ label, text, icon, children, kind = 'default', align = 'right', small, title }: {
  label: string; text?: ComponentChildren; icon?: IconName; kind?: 'default' | 'ghost'; align?: 'left' | 'right'; small?: boolean; title?: string;
  children: (close: () => void) => ComponentChildren;
}) {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const id = useId();
  useEffect(() => {
    if (!open) return;
    const outside = (e: Event) => box.current?.contains(e.target as Node) || setOpen(false);
    const escape = (e: KeyboardEvent) => {
      if (e.key !== 'Escape') return;
      setOpen(false);
      box.current?.querySelector('button')?.focus();
    };
    addEventListener('pointerdown', outside);
    addEventListener('keydown', escape);
    return () => {
      removeEventListener('pointerdown', outside);
      removeEventListener('keydown', escape);
    };
  }, [open]);
  return (
    <div class="popover-box" ref={box}>
      <Button kind={kind} icon={icon} small={small} aria-haspopup="dialog" aria-expanded={open} aria-controls={open ? id : undefined}
        aria-label={label} title={title} onClick={() => setOpen(!open)}>{text}</Button>
      {open && <div class={`popover popover-${align}`} role="dialog" aria-label={label} id={id}>{children(() => setOpen(false))}</div>}
    </div>
  );
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map((t) => <div key={t.id} class={`toast toast-${t.kind}`}>{t.text}</div>)}
    </div>
  );
}

/** Only the rows in view exist. Rows are of one height; the keyboard moves by the rows' own focus order. */
export function VirtualList<T>({ items, rowHeight, row, class: extra = '', label, scrollTo }: {
  items: T[]; rowHeight: number; row: (item: T, index: number) => ComponentChildren; class?: string; label: string; scrollTo?: number;
}) {
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 800 });
  useEffect(() => {
    const el = box.current;
    if (!el) return;
    const update = () => setView({ top: el.scrollTop, height: el.clientHeight || 800 });
    update();
    let frame = 0;
    const onScroll = () => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(update);
    };
    el.addEventListener('scroll', onScroll, { passive: true });
    const watch = new ResizeObserver(update);
    watch.observe(el);
    return () => {
      cancelAnimationFrame(frame);
      el.removeEventListener('scroll', onScroll);
      watch.disconnect();
    };
  }, []);
  useEffect(() => {
    const el = box.current;
    if (!el || scrollTo === undefined || scrollTo < 0) return;
    const y = scrollTo * rowHeight;
    if (y < el.scrollTop || y + rowHeight > el.scrollTop + el.clientHeight) el.scrollTop = Math.max(0, y - el.clientHeight / 2);
  }, [scrollTo]);
  const first = Math.max(0, Math.floor(view.top / rowHeight) - 12);
  const last = Math.min(items.length, Math.ceil((view.top + view.height) / rowHeight) + 12);
  return (
    <div class={`virtual ${extra}`} ref={box} role="region" aria-label={label} tabIndex={0}>
      <div class="virtual-inside" style={{ height: `${items.length * rowHeight}px` }}>
        <div class="virtual-rows" style={{ transform: `translateY(${first * rowHeight}px)` }}>
          {items.slice(first, last).map((item, i) => row(item, first + i))}
        </div>
      </div>
    </div>
  );
}
