// contract.mjs URL [USER PASSWORD] - walks the handles that people and tools rely on, on a running server with data.
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

const [base = 'http://127.0.0.1:3001', user = 'admin', password = 'admin'] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
const page = await context.newPage();
page.setDefaultTimeout(8000);
const said = [];
page.on('console', (m) => m.type() === 'error' && said.push(m.text()));
page.on('pageerror', (e) => said.push(String(e)));
page.on('request', (r) => r.url().startsWith(base) || /^(data|blob):/.test(r.url()) || said.push(`foreign request ${r.url()}`));
let failed = 0;
const step = async (name, fn) => {
  try {
    await fn();
    console.log(`ok      ${name}`);
  } catch (e) {
    failed++;
    console.log(`NOT OK  ${name}: ${String(e.message ?? e).split('\n').slice(0, 4).join(' ')}`);
  }
};
const textbox = (name) => page.getByRole('textbox', { name });
const button = (name) => page.getByRole('button', { name });

await step('sign in: refused, then a deep link survives', async () => {
  await page.goto(`${base}/graph?g0.expr=up`);
  await textbox('Username').fill(user);
  await page.getByLabel('Password').fill('wrong');
  await button('Sign in').click();
  await page.getByRole('alert').waitFor();
  assert.ok(said.every((t) => t.includes('401')), said.join());
  said.length = 0;
  await page.getByLabel('Password').fill(password);
  await button('Sign in').click();
  await page.locator('[data-testid=chart] canvas').waitFor();
  assert.equal(await textbox('PromQL').inputValue(), 'up');
});
await step('navigation: every view has one h1', async () => {
  const nav = page.getByRole('navigation', { name: 'Main' });
  for (const name of ['Home', 'Metrics', 'Logs', 'Traces', 'Targets']) {
    await nav.getByRole('link', { name, exact: true }).click();
    await page.getByRole('heading', { level: 1, name }).waitFor();
    assert.equal(await page.locator('h1').count(), 1);
  }
});
await step('home', async () => {
  await page.goto(base);
  await page.getByTestId('service-row').first().waitFor();
});
await step('metrics: run, table, error', async () => {
  await page.goto(`${base}/explore/metrics`);
  await textbox('PromQL').fill('up');
  await button('Run query').click();
  await page.locator('[data-testid=chart] canvas').waitFor();
  assert.ok(page.url().includes('expr=up'));
  await page.getByRole('tab', { name: 'Table' }).click();
  assert.equal(await page.getByTestId('result-table').evaluate((e) => e.tagName), 'TABLE');
  await textbox('PromQL').fill('sum(');
  await button('Run query').click();
  assert.match(await page.getByRole('alert').innerText(), /parse error/);
  said.length = 0; // the browser logs the 400 itself
});
await step('logs: a line, its details, its trace', async () => {
  await page.goto(`${base}/logs`);
  await textbox('LogQL').fill('{env="production"} |= "trace_id"');
  await button('Run query').click();
  await page.getByTestId('log-line').first().click();
  await page.getByTestId('log-detail').getByRole('link', { name: /trace/i }).click();
  await page.getByTestId('waterfall').waitFor();
});
let id = '';
await step('traces: search by an old address', async () => {
  await page.goto(`${base}/search?service=chat-api&minDuration=2s`);
  const row = page.getByTestId('trace-row').first();
  await row.waitFor();
  assert.equal(await page.getByRole('combobox', { name: 'Service' }).inputValue(), 'chat-api');
  assert.equal(await textbox('Min duration').inputValue(), '2s');
  id = await row.getAttribute('data-trace-id');
  for (const r of await page.getByTestId('trace-row').all()) assert.ok(Number(await r.getAttribute('data-duration-us')) >= 2e6);
  await button('Find traces').click();
  await row.getByRole('checkbox').check();
  await page.getByTestId('trace-row').nth(1).getByRole('checkbox').check();
  await button('Compare').click();
  await page.getByTestId('trace-compare').waitFor();
});
await step('trace: waterfall, details, critical path', async () => {
  await page.goto(`${base}/trace/${id}`);
  const rows = page.getByTestId('waterfall').getByTestId('span-row');
  await rows.first().waitFor();
  assert.ok(await rows.first().getAttribute('data-span-id') && await rows.first().getAttribute('data-service'));
  await rows.first().click();
  await page.getByTestId('span-detail').waitFor();
  assert.equal(await page.locator('[data-critical=true]').count(), 0);
  await button('Critical path').click();
  assert.ok(await page.locator('[data-testid=span-row][data-critical=true]').count() > 0);
  await page.getByRole('link', { name: 'Logs of this trace' }).waitFor();
});
await step('theme is kept, help opens and closes', async () => {
  const before = await page.locator('html').getAttribute('data-theme');
  await button('Theme').click();
  const after = await page.locator('html').getAttribute('data-theme');
  assert.notEqual(before, after);
  await page.reload();
  assert.equal(await page.locator('html').getAttribute('data-theme'), after);
  await page.locator('h1').waitFor();
  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: /shortcut/i }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
});
await step('time range', async () => {
  await page.goto(`${base}/logs`);
  await button(/^Time range/).click();
  await page.getByRole('button', { name: 'Last 6 hours' }).click();
  await page.waitForURL(/from=now-6h/);
});
await step('signing out', async () => {
  await button(/^Account/).click();
  await button('Sign out').click();
  await button('Sign in').waitFor();
});
await step('nothing in the console', async () => assert.deepEqual(said, []));
await browser.close();
process.exitCode = failed ? 1 : 0;
