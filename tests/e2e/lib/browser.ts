// Chromium for the browser tests, and what is watched on every page: the console, errors, where requests go.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium, type Browser, type Page } from "playwright-core";

export const chromiumPath = process.env.CHROMIUM ?? "/usr/bin/chromium";
export const noBrowser = existsSync(chromiumPath) ? false : `no Chromium at ${chromiumPath} (apt-get install chromium, or set CHROMIUM)`;

export const launch = (): Promise<Browser> => chromium.launch({
  executablePath: chromiumPath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});

/** What the page said and asked for that it should not have. */
export class Watch {
  private found: string[] = [];
  constructor(page: Page) {
    page.on("console", (m) => m.type() === "error" && this.found.push(`console: ${m.text()} (${m.location().url})`));
    page.on("pageerror", (e) => this.found.push(`error: ${e.stack}`));
    page.on("request", (r) => {
      const url = new URL(r.url());
      if (!["data:", "blob:"].includes(url.protocol) && url.hostname !== "127.0.0.1") this.found.push(`request to ${r.url()}`);
    });
  }
  /** Takes out what the browser itself logs about an answer that the test provoked. */
  expectStatus(status: number): void { this.expect(`status of ${status}`); }
  expect(words: string): void { this.found = this.found.filter((text) => !text.includes(words)); }
  all(): string[] { return this.found; }
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Serious and critical findings of axe-core, one line each. */
export async function axe(page: Page): Promise<string[]> {
  await page.evaluate(axeSource); // through the debugger: the page's CSP stays as it is
  const violations: any[] = await page.evaluate(() =>
    (globalThis as any).axe.run(document, { resultTypes: ["violations"] }).then((r: any) => r.violations));
  return violations.filter((v) => ["serious", "critical"].includes(v.impact))
    .flatMap((v) => v.nodes.map((n: any) => `${v.id}: ${n.target} ${n.any[0]?.message ?? ""}`));
}

/** Pixels by which the page is wider than its window. */
export const overflow = (page: Page): Promise<number> => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
