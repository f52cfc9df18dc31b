// serve.mjs [PORT] - builds the UI into dist/ and serves it with the mock APIs and the headers of the real server.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mock } from './mock.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const types = { html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8', svg: 'image/svg+xml' };
const csp = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'";

export function serve(port) {
  execFileSync('sh', [join(root, 'build.sh'), join(root, 'dist')], { stdio: 'inherit' });
  const server = createServer((req, res) => {
    const url = new URL(req.url, 'http://localhost');
    let body = '';
    req.on('data', (chunk) => (body += chunk));
    req.on('end', () => {
      const form = (req.headers['content-type'] ?? '').includes('urlencoded');
      const api = /^\/(api|loki)\//.test(url.pathname) || req.method !== 'GET';
      if (api) {
        const [status, answer] = mock(req.method, url.pathname, form ? new URLSearchParams(body) : url.searchParams, body);
        const text = typeof answer === 'string';
        res.writeHead(status, { 'content-type': text ? 'text/plain' : 'application/json' }).end(text ? answer : status === 204 ? '' : JSON.stringify(answer));
        return;
      }
      const file = join(root, 'dist', url.pathname.startsWith('/assets/') ? url.pathname : 'index.html');
      if (url.pathname === '/favicon.ico') return res.writeHead(204).end();
      if (!existsSync(file)) return res.writeHead(404).end('not found');
      res.writeHead(200, { 'content-type': types[file.split('.').pop()], 'content-security-policy': csp }).end(readFileSync(file));
    });
  });
  return new Promise((done) => server.listen(port, '127.0.0.1', () => done(server)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const port = Number(process.argv[2] ?? 5173);
  await serve(port);
  console.log(`http://127.0.0.1:${port}  (admin/admin; empty/admin sees a server that has received nothing)`);
}
