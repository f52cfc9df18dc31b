import { useState } from 'preact/hooks';
import { ApiError, signIn } from '../lib/api';
import { theme, toggleTheme } from '../lib/store';
import { Button, Field } from '../ui/basics';
import { Icon, Logo } from '../ui/icons';

/** Stands in front of whatever address was asked for; signing in shows that view. */
export function Login() {
  const [user, setUser] = useState('');
  const [password, setPassword] = useState('');
  const [error, setError] = useState('');
  const [busy, setBusy] = useState(false);
  const submit = async (e: Event) => {
    e.preventDefault();
    setBusy(true);
    setError('');
    try {
      await signIn(user, password);
    } catch (e) {
      setError(e instanceof ApiError ? e.message : 'Signing in failed');
      setBusy(false);
    }
  };
  return (
    <main class="login">
      <form class="login-card" onSubmit={submit}>
        <Logo size={40} />
        <h1>Sign in to Meerkat</h1>
        <p class="muted">Metrics, logs and traces in one place.</p>
        <Field label="Username">{(id) => (
          <input id={id} class="input" name="username" autoComplete="username" autoFocus required value={user} onInput={(e) => setUser(e.currentTarget.value)} />
        )}</Field>
        <Field label="Password">{(id) => (
          <input id={id} class="input" name="password" type="password" autoComplete="current-password" required value={password} onInput={(e) => setPassword(e.currentTarget.value)} />
        )}</Field>
        {error && <div class="alert" role="alert"><Icon name="warn" /><div class="alert-text">{error}</div></div>}
        <Button type="submit" kind="primary" disabled={busy}>{busy ? 'Signing in…' : 'Sign in'}</Button>
        <p class="login-hint">A fresh installation has the user <code>admin</code> with the password <code>admin</code>.</p>
      </form>
      <Button kind="ghost" class="login-theme" icon="theme" label="Theme" aria-pressed={theme.value === 'light'} onClick={toggleTheme} />
    </main>
  );
}
