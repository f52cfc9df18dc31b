// The frame around every view: navigation, account, dialogs, shortcuts.
import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { savePreferences, send, signOut } from '../lib/api';
import { navigate, passwordOpen, place, rangeQuery, refresh, session, setRange, shortcutsOpen, theme, toast, toggleTheme, utc, type Session } from '../lib/store';
import { Button, Dialog, Field, Popover, Toasts } from './basics';
import { Icon, Logo, type IconName } from './icons';

export const pages: { path: string; name: string; icon: IconName; key: string; also?: RegExp }[] = [
  { path: '/', name: 'Home', icon: 'home', key: 'h' },
  { path: '/explore/metrics', name: 'Metrics', icon: 'metrics', key: 'm' },
  { path: '/logs', name: 'Logs', icon: 'logs', key: 'l' },
  { path: '/traces', name: 'Traces', icon: 'traces', key: 't', also: /^\/trace\// },
  { path: '/alerts', name: 'Alerts', icon: 'bell', key: 'a', also: /^\/alerting\// },
  { path: '/silences', name: 'Silences', icon: 'mute', key: 'x', also: /^\/silences\// },
  { path: '/targets', name: 'Targets', icon: 'targets', key: 'g', also: /^\/service-discovery/ },
  { path: '/server', name: 'Server', icon: 'server', key: 's' },
];

function Navigation() {
  const { path } = place.value;
  return (
    <nav class="nav" aria-label="Main">
      {pages.map((p) => (
        <a key={p.path} href={`${p.path}?${rangeQuery()}`} class="nav-link" aria-current={path === p.path || p.also?.test(path) ? 'page' : undefined}>
          <Icon name={p.icon} size={18} /><span>{p.name}</span>
        </a>
      ))}
    </nav>
  );
}

function Account({ user }: { user: Session }) {
  return (
    <Popover kind="ghost" icon="user" align="left" label={`Account ${user.user || 'anonymous'}`} text={<span class="side-text">{user.user || 'anonymous'}</span>}>
      {(close) => (
        <div class="account">
          <p><b>{user.user || 'anonymous'}</b><span class="tag">{user.role}</span></p>
          <ul class="menu">
            <li><button type="button" class="menu-item" onClick={() => { close(); passwordOpen.value = true; }}>Change password…</button></li>
            <li><button type="button" class="menu-item" onClick={() => { utc.value = !utc.value; close(); }}>{utc.value ? 'Show local times' : 'Show times in UTC'}</button></li>
            <li><button type="button" class="menu-item" onClick={() => void signOut()}>Sign out</button></li>
          </ul>
          <p class="muted">Meerkat {user.version}</p>
        </div>
      )}
    </Popover>
  );
}

export function PasswordDialog() {
  const [old, setOld] = useState('');
  const [fresh, setFresh] = useState('');
  const [error, setError] = useState('');
  const close = () => (passwordOpen.value = false);
  const submit = async (e: Event) => {
    e.preventDefault();
    setError('');
    try {
      const res = await send('POST', '/api/meerkat/v1/password', { old, new: fresh });
      session.value = (await res.json()) as Session;
      close();
      toast('The password is changed. Other sessions of this user have ended.');
    } catch (e) {
      setError((e as Error).message);
    }
  };
  return (
    <Dialog title="Change password" onClose={close}>
      <form class="stack" onSubmit={submit}>
        <Field label="Current password">{(id) => <input id={id} type="password" class="input" autoComplete="current-password" required value={old} onInput={(e) => setOld(e.currentTarget.value)} />}</Field>
        <Field label="New password" hint="At least 8 characters.">{(id) => <input id={id} type="password" class="input" autoComplete="new-password" minLength={8} required value={fresh} onInput={(e) => setFresh(e.currentTarget.value)} />}</Field>
        {error && <p class="field-error" role="alert">{error}</p>}
        <div class="row-end"><Button onClick={close}>Cancel</Button><Button type="submit" kind="primary">Change password</Button></div>
      </form>
    </Dialog>
  );
}

const shortcuts: [string, string][] = [
  ['?', 'This list'], ['Esc', 'Close what is open'], ['/', 'Go to the query'], ['r', 'Refresh'],
  ...pages.map((p): [string, string] => [`g ${p.key}`, `Go to ${p.name}`]),
  ['1 … 4', 'Last 15 minutes, 1 hour, 6 hours, 24 hours'], ['d', 'Dark or light'], ['u', 'UTC or local times'],
  ['Enter', 'In a query: run it'], ['Shift Enter', 'In a query: new line'],
];

function Shortcuts() {
  return (
    <Dialog title="Keyboard shortcuts" onClose={() => (shortcutsOpen.value = false)}>
      <dl class="shortcuts">
        {shortcuts.map(([keys, what]) => <div key={keys}><dt>{keys.split(' ').map((k) => (k === '…' ? '…' : <kbd key={k}>{k}</kbd>))}</dt><dd>{what}</dd></div>)}
      </dl>
    </Dialog>
  );
}

const quick: Record<string, string> = { 1: 'now-15m', 2: 'now-1h', 3: 'now-6h', 4: 'now-24h' };

function useShortcuts(): void {
  useLayoutEffect(() => {
    let go = 0;
    const onKey = (e: KeyboardEvent) => {
      const target = e.target as HTMLElement;
      if (e.ctrlKey || e.metaKey || e.altKey || target.closest('input, textarea, select, [contenteditable], .editor, dialog')) return;
      const page = performance.now() - go < 1200 && pages.find((p) => p.key === e.key);
      go = 0;
      if (page) navigate(`${page.path}?${rangeQuery()}`);
      else if (e.key === 'g') go = performance.now();
      else if (e.key === '?') shortcutsOpen.value = true;
      else if (e.key === 'r') refresh();
      else if (e.key === 'd') toggleTheme();
      else if (e.key === 'u') utc.value = !utc.value;
      else if (quick[e.key]) setRange({ from: quick[e.key], to: 'now' });
      else if (e.key === '/') document.querySelector<HTMLElement>('main textarea, main .editor, main input, main select')?.focus();
      else return;
      e.preventDefault();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);
}

/** A link of the view that is left behind takes the focus with it: the next view has it then, not the top of the page. */
function useFocusedView(): void {
  const { path } = place.value;
  const first = useRef(true);
  useEffect(() => {
    if (!first.current && document.activeElement === document.body) document.getElementById('main')?.focus({ preventScroll: true });
    first.current = false;
  }, [path]);
}

/** Choices go to the server once they are made, not when the page opens. */
function useSavedPreferences(): void {
  const first = useRef(true);
  useEffect(() => {
    if (!first.current) savePreferences({ theme: theme.value, utc: utc.value });
    first.current = false;
  }, [theme.value, utc.value]);
}

export function Shell({ user, children }: { user: Session; children: ComponentChildren }) {
  useShortcuts();
  useSavedPreferences();
  useFocusedView();
  const [dismissed, setDismissed] = useState(false);
  return (
    <div class="shell">
      <a class="skip" href="#main" onClick={(e) => { e.preventDefault(); document.getElementById('main')?.focus(); }}>Skip to content</a>
      <header class="side">
        <a class="brand" href="/" aria-label="Meerkat, home page"><Logo /><span class="side-text">Meerkat</span></a>
        <Navigation />
        <div class="side-foot">
          <Account user={user} />
          <Button kind="ghost" icon="theme" label="Theme" onClick={toggleTheme} aria-pressed={theme.value === 'light'} />
          <Button kind="ghost" icon="help" label="Help" onClick={() => (shortcutsOpen.value = true)} />
        </div>
      </header>
      <main id="main" class="main" tabIndex={-1}>
        {user.password_is_default && !dismissed && (
          <div class="banner">
            <Icon name="warn" /><span>The administrator still has the default password.</span>
            <Button small onClick={() => (passwordOpen.value = true)}>Change it</Button>
            <Button small kind="ghost" icon="close" label="Dismiss" onClick={() => setDismissed(true)} />
          </div>
        )}
        {children}
      </main>
      {shortcutsOpen.value && <Shortcuts />}
      {passwordOpen.value && <PasswordDialog />}
      <Toasts />
    </div>
  );
}
