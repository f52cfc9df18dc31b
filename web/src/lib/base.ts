// The prefix of all addresses where the server is below a path of a proxy ("/monitoring"), from this script's own address.
import { options } from 'preact';

const own = /^(.*)\/assets\/[^/]+$/.exec(new URL(import.meta.url).pathname);
export const base = own?.[1] ?? '';

/** An address of this server as the browser must ask for it. */
export const below = (url: string) => (url.startsWith('/') && !url.startsWith('//') ? base + url : url);

/** The current path as the pages know it. */
export const ownPath = (path: string) => (base && (path === base || path.startsWith(`${base}/`)) ? path.slice(base.length) || '/' : path);

// Links are written without the prefix.
if (base) {
  const before = options.vnode;
  options.vnode = (v) => {
    const props = v.props as { href?: unknown };
    if (v.type === 'a' && typeof props.href === 'string') props.href = below(props.href);
    before?.(v);
  };
}
