// run.mjs - bundles the tests (TypeScript) and runs them with node --test, on Node 18 as on newer ones.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const out = mkdtempSync(join(tmpdir(), 'web-test-'));
const names = readdirSync(here).filter((name) => name.endsWith('.test.ts'));
await esbuild.build({
  entryPoints: names.map((name) => join(here, name)), outdir: out, outExtension: { '.js': '.mjs' },
  bundle: true, format: 'esm', platform: 'node', target: 'node18', logLevel: 'warning',
});
const { status } = spawnSync(process.execPath, ['--test', ...names.map((name) => join(out, name.replace(/ts$/, 'mjs')))], { stdio: 'inherit' });
rmSync(out, { recursive: true, force: true });
process.exitCode = status ?? 1;
