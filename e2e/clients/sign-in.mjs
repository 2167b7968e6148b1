// Somebody signs in to the console at their identity provider, in a real browser:
//
//   node sign-in.mjs < {"tls": URL, "chromium": PATH} > report.json

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const { tls, chromium: executablePath } = JSON.parse(readFileSync(0, 'utf8'));
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const report = { broken: [], serious: [] };
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
try {
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  const page = await context.newPage();
  page.setDefaultTimeout(20000);
  page.on('pageerror', (error) => report.broken.push(String(error)));
  const judge = async (where) => {
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run(document));
    for (const { id, impact, nodes } of violations) {
      if (impact === 'serious' || impact === 'critical') report.serious.push(`${where}: ${id} ${nodes[0].html}`);
    }
  };
  // The keys of the provider are fetched in the background; until then nobody is let in, and told so on a page.
  for (let round = 0; round < 40; round += 1) {
    await page.goto(`${tls}/console/`);
    await page.getByRole('button', { name: 'Sign in with plain' }).focus();
    if (!round) await judge('door');
    await page.keyboard.press('Enter');
    const live = page.getByRole('heading', { level: 1, name: 'Live', exact: true });
    const out = page.getByRole('heading', { level: 1, name: 'Not signed in', exact: true });
    await live.or(out).waitFor();
    if (await live.isVisible()) break;
    await judge('not signed in');
  }
  report.who = (await page.locator('.own p').innerText()).split('\n')[0];
  await page.getByRole('link', { name: 'Live', exact: true }).click();
  report.address = page.url().replace(tls, '');
  report.cookies = (await context.cookies(tls)).filter(({ name }) => name.startsWith('__Host-')).map(({ name, sameSite }) => `${name} ${sameSite}`);
} catch (error) {
  report.broken.push(String(error));
} finally {
  await browser.close();
}
process.stdout.write(JSON.stringify(report));
