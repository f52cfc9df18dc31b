// shots.mjs OUT [NAME...] - a picture of every page in both themes and two sizes, with axe-core and the console watched.
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';
import { sampleTrace } from './mock.mjs';
import { serve } from './serve.mjs';

const [out = '/tmp/shots', ...only] = process.argv.slice(2);
mkdirSync(out, { recursive: true });
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const server = await serve(0);
const base = `http://127.0.0.1:${server.address().port}`;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const expr = encodeURIComponent('sum by (model) (rate(llm_tokens_total[5m]))');
const pages = {
  login: ['/', async () => {}, null],
  home: ['/', (p) => p.getByTestId('service-row').first().waitFor()],
  onboarding: ['/', (p) => p.getByText('Waiting for the first span').waitFor(), 'empty'],
  metrics: [`/graph?g0.expr=${expr}`, async (p) => { await p.locator('[data-testid=chart] canvas').waitFor(); const b = await p.getByTestId('chart').boundingBox(); await p.mouse.move(b.x + b.width * 0.6, b.y + 120); }],
  table: ['/explore/metrics?expr=up&tab=table', (p) => p.getByTestId('result-table').waitFor()],
  suggest: ['/explore/metrics', async (p) => { await p.getByRole('textbox', { name: 'PromQL' }).pressSequentially('sum(rate(http'); await p.getByRole('listbox').waitFor(); }],
  badquery: ['/explore/metrics?expr=sum(', (p) => p.getByRole('alert').waitFor()],
  logs: ['/logs?query=%7Benv%3D%22production%22%7D', async (p) => { await p.getByTestId('log-line').nth(6).click(); await p.getByTestId('log-detail').getByRole('link', { name: /trace/i }).waitFor().catch(() => {}); }],
  labels: ['/logs', (p) => p.getByRole('button', { name: 'service_name' }).click()],
  traces: ['/search?service=api-gateway&minDuration=1s', (p) => p.getByTestId('trace-row').first().waitFor()],
  compare: ['/traces?service=api-gateway', async (p) => { const boxes = p.getByTestId('trace-row').getByRole('checkbox'); await boxes.nth(0).check(); await boxes.nth(1).check(); await p.getByRole('button', { name: 'Compare' }).click(); await p.getByTestId('trace-compare').waitFor(); }],
  trace: [`/trace/${sampleTrace}`, (p) => p.getByTestId('span-row').first().waitFor()],
  span: [`/trace/${sampleTrace}`, async (p) => { await p.getByRole('button', { name: 'Critical path' }).click(); await p.locator('[data-testid=span-row][data-critical=true]').nth(3).getByRole('button').last().click(); await p.getByTestId('span-detail').waitFor(); }],
  bigtrace: ['/trace/b16b00b5000000000000000000000000', (p) => p.getByTestId('span-row').first().waitFor()],
  targets: ['/targets', (p) => p.getByRole('table').first().waitFor()],
  range: ['/traces', (p) => p.getByRole('button', { name: /^Time range/ }).click()],
  help: ['/traces', async (p) => { await p.locator('h1').waitFor(); await p.keyboard.press('?'); await p.getByRole('dialog', { name: /shortcut/i }).waitFor(); }],
};
let bad = 0;
for (const [name, [path, ready, user = 'admin']] of Object.entries(pages)) {
  if (only.length && !only.includes(name)) continue;
  for (const [size, viewport] of [['wide', { width: 1440, height: 900 }], ['phone', { width: 390, height: 844 }]]) {
    for (const theme of ['dark', 'light']) {
      const context = await browser.newContext({ viewport, colorScheme: theme, reducedMotion: 'reduce', bypassCSP: false });
      const page = await context.newPage();
      const label = `${name}-${size}-${theme}`;
      page.on('console', (m) => ['error', 'warning'].includes(m.type()) && !(name === 'badquery' && m.text().includes('400')) && (bad++, console.log(`${label}: console: ${m.text()}`)));
      page.on('pageerror', (e) => (bad++, console.log(`${label}: ${e.stack}`)));
      page.on('request', (r) => r.url().startsWith(base) || r.url().startsWith('data:') || (bad++, console.log(`${label}: foreign request ${r.url()}`)));
      await page.request.post(`${base}/logout`);
      if (user) await page.request.post(`${base}/login`, { headers: { 'content-type': 'application/json' }, data: { user, password: 'admin' } });
      await page.goto(base + path);
      try {
        await page.locator('h1').waitFor();
        await ready(page);
      } catch (e) {
        bad++;
        console.log(`${label}: ${String(e).slice(0, 300)}`);
      }
      await page.waitForTimeout(350);
      await page.screenshot({ path: `${out}/${label}.png` });
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (wider > 0) { bad++; console.log(`${label}: ${wider} px wider than the window`); }
      await page.evaluate(axe); // through the debugger: no script is added to the page
      const { violations } = await page.evaluate(() => globalThis.axe.run());
      for (const v of violations) {
        if (!['serious', 'critical'].includes(v.impact)) { console.log(`${label}: axe (${v.impact}): ${v.id}`); continue; }
        bad++;
        console.log(`${label}: axe ${v.impact}: ${v.id}: ${v.nodes.slice(0, 3).map((n) => `${n.target} ${n.any[0]?.message ?? ''}`).join(' | ')}`);
      }
      await context.close();
    }
  }
}
await browser.close();
server.close();
console.log(bad ? `${bad} findings` : 'nothing found');
process.exitCode = bad ? 1 : 0;
