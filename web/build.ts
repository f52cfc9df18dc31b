// build.ts OUTDIR [C_FILE [DEPFILE]] - run by build.sh, in this folder: bundles the UI with esbuild: minified files with hashed names, index.html,
// a gzipped copy of each, and a C file with all of them as byte arrays (see src/dash/ui_assets.h).
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as esbuild from 'esbuild';

const here = process.cwd();
const [outDir, cFile, depFile] = process.argv.slice(2);
const firstPaintMax = 150 * 1024;

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};
const extension = (path: string) => path.slice(path.lastIndexOf('.'));
const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex').slice(0, 16);

const result = await esbuild.build({
  entryPoints: { app: join(here, 'src/main.tsx'), theme: join(here, 'src/theme-boot.ts') },
  bundle: true,
  splitting: true,
  format: 'esm',
  target: 'es2022',
  minify: true,
  legalComments: 'none',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  entryNames: '[name]-[hash]',
  chunkNames: '[name]-[hash]',
  assetNames: '[name]-[hash]',
  outdir: outDir,
  metafile: true,
  write: false,
  absWorkingDir: here,
  logLevel: 'warning',
});

const files = new Map<string, Buffer>(); // path as served -> bytes
for (const file of result.outputFiles) files.set(`/assets/${basename(file.path)}`, Buffer.from(file.contents));
const icon = readFileSync(join(here, 'src/icon.svg'));
const iconPath = `/assets/icon-${hash(icon).slice(0, 8).toUpperCase()}.svg`;
files.set(iconPath, icon);

const pick = (pattern: RegExp) => {
  const found = [...files.keys()].filter((path) => pattern.test(path));
  if (found.length !== 1) throw new Error(`expected one file like ${pattern}, found ${found.join(', ') || 'none'}`);
  return found[0];
};
const html = readFileSync(join(here, 'src/index.html'), 'utf8')
  .replace('{{icon}}', iconPath)
  .replace('{{theme}}', pick(/\/theme-\w+\.js$/))
  .replace('{{style}}', pick(/\/app-\w+\.css$/))
  .replace('{{script}}', pick(/\/app-\w+\.js$/));
files.set('/index.html', Buffer.from(html));

// What the browser must load before the first view: the entry and everything it imports statically.
const outputs = result.metafile.outputs;
const first = new Set<string>();
const visit = (name: string): void => {
  if (first.has(name)) return;
  first.add(name);
  for (const i of outputs[name].imports) if (i.kind === 'import-statement') visit(i.path);
};
Object.keys(outputs).filter((name) => /\/(app|theme)-\w+\.js$/.test(`/${name}`)).forEach(visit);

rmSync(outDir, { recursive: true, force: true });
mkdirSync(join(outDir, 'assets'), { recursive: true });
const table: { path: string; type: string; etag: string; gz: Buffer; raw: number }[] = [];
let firstPaint = 0;
for (const [path, bytes] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
  const gz = gzipSync(bytes, { level: 9 });
  gz[9] = 255; // the operating system's byte: the same everywhere
  writeFileSync(join(outDir, path), bytes);
  writeFileSync(join(outDir, `${path}.gz`), gz);
  table.push({ path, type: types[extension(path)], etag: hash(bytes), gz, raw: bytes.length });
  if ([...first].some((name) => basename(name) === basename(path))) firstPaint += gz.length;
}
if (firstPaint > firstPaintMax) throw new Error(`first paint needs ${firstPaint} bytes of JavaScript, over ${firstPaintMax}`);

function cSource(): string {
  const arrays = table.map(({ gz }, i) => {
    const lines = [];
    for (let at = 0; at < gz.length; at += 40) lines.push(`    ${[...gz.subarray(at, at + 40)].join(',')},`);
    return `static const unsigned char bytes_${i}[] = {\n${lines.join('\n')}\n};\n`;
  });
  const rows = table.map(
    (t, i) => `    {"${t.path}", "${t.type}", "${t.etag}", bytes_${i}, sizeof(bytes_${i}), ${t.raw}},`);
  return `/* Written by web/build.ts. */\n#include "dash/ui_assets.h"\n\n${arrays.join('\n')}\n` +
    `const UiAsset ui_assets[] = {\n${rows.join('\n')}\n};\nconst size_t ui_assets_count = ${table.length};\n`;
}

if (cFile) writeFileSync(cFile, cSource());
if (cFile && depFile) {
  const inputs = Object.keys(result.metafile.inputs).map((name) => resolve(here, name));
  const others = ['build.sh', 'run', 'build.ts', 'package-lock.json', 'tsconfig.json', 'src/index.html', 'src/icon.svg'];
  const folder = readdirSync(join(here, 'src'), { withFileTypes: true }).filter((e) => e.isDirectory());
  const all = [...inputs, ...others.map((name) => join(here, name)), join(here, 'src'),
    ...folder.map((e) => join(here, 'src', e.name))];
  writeFileSync(depFile, `${process.env.DEP_TARGET || cFile}: ${[...new Set(all)].map((p) => p.replace(/ /g, '\\ ')).join(' ')}\n`);
}
const total = table.reduce((sum, t) => sum + t.gz.length, 0);
console.error(`web UI: ${table.length} files, ${(total / 1024).toFixed(1)} KB gzipped, first paint ${(firstPaint / 1024).toFixed(1)} KB of JavaScript`);
