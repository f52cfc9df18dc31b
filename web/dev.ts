// dev.ts [PORT [SERVER]] - serves the UI, built anew when a file changes, with the APIs of a running Meerkat
// (default http://127.0.0.1:3001; `meerkat demo` fills one). Reload the page to see a change.
import { context } from 'esbuild';
import { readFileSync } from 'node:fs';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';

const [port = '5173', server = 'http://127.0.0.1:3001'] = process.argv.slice(2);
const types: Record<string, string> = { js: 'text/javascript', css: 'text/css' };

const bundle = await context({
  entryPoints: { app: 'src/main.tsx', theme: 'src/theme-boot.ts' },
  bundle: true, splitting: true, format: 'esm', target: 'es2022', sourcemap: 'inline', jsx: 'automatic', jsxImportSource: 'preact',
  outdir: 'dist/assets', write: false,
});
const page = () => readFileSync('src/index.html', 'utf8').replace('{{icon}}', '/assets/icon.svg')
  .replace('{{theme}}', '/assets/theme.js').replace('{{style}}', '/assets/app.css').replace('{{script}}', '/assets/app.js');

async function asset(name: string, res: ServerResponse): Promise<void> {
  if (name === 'icon.svg') return void res.writeHead(200, { 'content-type': 'image/svg+xml' }).end(readFileSync('src/icon.svg'));
  // Only what changed is built again.
  const { outputFiles = [] } = await bundle.rebuild();
  const file = outputFiles.find((f) => f.path.endsWith(`/${name}`));
  if (!file) return void res.writeHead(404).end();
  res.writeHead(200, { 'content-type': types[name.slice(name.lastIndexOf('.') + 1)] ?? 'text/plain', 'cache-control': 'no-store' }).end(file.contents);
}

/** Under the server's own origin, which it compares on writes. */
function proxy(req: IncomingMessage, res: ServerResponse): void {
  const headers = { ...req.headers, host: new URL(server).host, ...(req.headers.origin ? { origin: server } : {}) };
  const onward = request(new URL(req.url ?? '/', server), { method: req.method, headers }, (answer) => {
    res.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(res);
  });
  onward.on('error', (e) => res.headersSent || res.writeHead(502).end(`${server} does not answer: ${e.message}\n`));
  req.pipe(onward);
}

createServer((req, res) => {
  const { pathname } = new URL(req.url ?? '/', 'http://localhost');
  const ours = req.method === 'GET' && !/^\/(api|loki)\//.test(pathname);
  if (!ours) proxy(req, res);
  else if (pathname.startsWith('/assets/')) asset(pathname.slice('/assets/'.length), res).catch((e: Error) => res.writeHead(500).end(e.message));
  else res.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page());
}).listen(Number(port), '127.0.0.1', () => console.log(`http://127.0.0.1:${port} with the data of ${server}`));
