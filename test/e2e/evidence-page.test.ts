import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { hasBrowser, startBrowser, testInBrowser } from '../service/browser.js';
import { evidenceElsewhere, type MadeBundle, makeEvidence } from '../service/evidence.js';
import { Service } from '../service/service.js';

/** What a client may write into a description to become a part of the page. */
const hostile = [
  '<script>document.title="taken"</script>',
  '"><img src="http://127.0.0.1:9/x" onerror="document.title=\'taken\'">',
  "'><svg onload=alert(1)><style>body{display:none}</style>",
  '</td></tr></table></main><h1>All is well</h1><!--',
  '<meta http-equiv="refresh" content="0;url=http://127.0.0.1:9/">&lt;b&gt;&amp;',
];
/** U+202E turns the order of what follows. */
const turned = 'safe \u202Eevil\u202C \u0007';

let service: Service;
let directory: string;
let made: MadeBundle;
let page: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'hsm-kms-page-'));
  service = await Service.start();
  const { KeyId } = await service.newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY', Description: 'plain' });
  await service.kms.createAlias({ AliasName: 'alias/signing', TargetKeyId: KeyId });
  const ids = [KeyId];
  for (const Description of [...hostile, turned]) ids.push((await service.newKey({ Description })).KeyId);
  made = await makeEvidence(service.dataDir, directory, ...ids);
  page = join(directory, 'report.html');
  const { code, errors } = await evidenceElsewhere('verify', made.file, '--trust', made.trust, '--html', page);
  if (code === 1) throw new Error(errors);
});
afterAll(async () => {
  await service?.end();
  rmSync(directory, { recursive: true, force: true });
});

test('nothing of what clients wrote is HTML, and nothing is fetched', () => {
  const text = readFileSync(page, 'utf8');
  expect(text).not.toMatch(/<(script|img|svg|link|iframe|object|embed|form|a)\b/i);
  expect(text).not.toMatch(/<[^>]*\son\w+\s*=/i);
  expect(text.match(/<meta\b/g)).toHaveLength(4);
  expect(text.match(/<style>/g)).toHaveLength(1);
  expect(text.match(/<h1>/g)).toHaveLength(1);
  expect(text).toContain('&lt;script&gt;document.title=&quot;taken&quot;&lt;/script&gt;');
  expect(text).toContain('safe \\u{202E}evil\\u{202C} \\u{7}');
});

test('a page on evidence that is not to be believed says so first', async () => {
  const [file, html] = [join(directory, 'changed.json'), join(directory, 'changed.html')];
  writeFileSync(file, readFileSync(made.file, 'utf8').replace('"description": "plain"', '"description": "plane"'));
  const { code } = await evidenceElsewhere('verify', file, '--trust', made.trust, '--html', html);
  expect(code).toBe(1);
  const text = readFileSync(html, 'utf8');
  expect(text).toMatch(/<h1>[^<]*<\/h1>\s*<div class="banner bad"><strong>This evidence is not to be believed\./);
  expect(text).not.toContain('Whole and signed');
});

describe('in a browser', () => {
  let browser: Browser | undefined;
  let tab: Page;
  const noticed: string[] = [];
  beforeAll(async () => {
    if (hasBrowser) browser = await startBrowser();
  });
  afterAll(() => browser?.close());
  beforeEach(async () => {
    if (browser === undefined) return;
    noticed.length = 0;
    tab = await browser.newPage({ viewport: { width: 1100, height: 1400 } });
    tab.on('console', (message) => noticed.push(message.text()));
    tab.on('pageerror', (error) => noticed.push(error.message));
    tab.on('dialog', (dialog) => noticed.push(dialog.message()));
    tab.on('request', (request) => noticed.push(request.url()));
    await tab.goto(pathToFileURL(page).href);
  });

  testInBrowser('it loads nothing but itself, runs nothing, and breaks none of its own rules', async () => {
    expect(noticed).toEqual([pathToFileURL(page).href]);
    expect(await tab.title()).toMatch(/^Evidence on 7 keys, /);
    expect(await tab.locator('script, img, svg, iframe, a').count()).toBe(0);
    // the style is the one that its policy allows
    const border = await tab.evaluate('getComputedStyle(document.querySelector(".banner")).borderLeftStyle');
    expect(border).toBe('solid');
  });

  testInBrowser('its policy stops a script that got into it all the same', async () => {
    await tab.evaluate(`{
      const script = document.createElement('script');
      script.textContent = 'document.title = "taken"';
      document.body.append(script);
    }`);
    expect(await tab.title()).not.toBe('taken');
    expect(noticed.join()).toContain('Content Security Policy');
  });

  testInBrowser('the verdict stands first, then each key with its claims', async () => {
    const headings = await tab.locator('h1, h2, .banner strong').allInnerTexts();
    expect(headings.slice(0, 6)).toEqual([
      'Evidence on 7 keys in a token',
      'Whole and signed; no claim failed.',
      'Verdicts',
      'Signature',
      'Token: own',
      'alias/signing',
    ]);
    expect(headings.slice(-2)).toEqual(['The evidence key', 'What this does not show']);
    expect(await tab.locator('section.key table.claims').count()).toBe(8);
    expect(await tab.locator('section.key').first().locator('.claim').allInnerTexts()).toContain(
      'It cannot leave the token wrapped by another key.',
    );
    const changes = tab.locator('table.history').first().locator('tbody td:first-child');
    expect(await changes.allInnerTexts()).toEqual(['CreateKey', 'CreateAlias']);
  });

  testInBrowser('what clients wrote is shown as they wrote it', async () => {
    const shown = await tab.locator('bdi').allInnerTexts();
    for (const each of hostile) expect(shown).toContain(each);
    expect(shown).toContain('safe \\u{202E}evil\\u{202C} \\u{7}');
  });

  for (const width of [1100, 390]) {
    testInBrowser(`nothing is cut off at ${width} pixels`, async () => {
      await tab.setViewportSize({ width, height: 900 });
      const root = 'document.documentElement';
      const hidden = await tab.evaluate(`${root}.scrollWidth - ${root}.clientWidth`);
      expect(hidden).toBeLessThanOrEqual(0);
    });
  }

  testInBrowser('as a PDF, each key begins on a page of its own', async () => {
    const pagesOf = (pdf: Buffer) => pdf.toString('latin1').match(/\/Type\s*\/Page\b(?!s)/g)?.length ?? 0;
    const print = async () => pagesOf(await tab.pdf({ format: 'A4', preferCSSPageSize: true }));
    const all = await print();
    // the front, 7 keys and the evidence key with at least two pages each, and the limits
    expect(all).toBeGreaterThanOrEqual(1 + 2 * 8 + 1);
    expect(all).toBeLessThanOrEqual(2 + 5 * 8 + 1);
    await tab.evaluate('document.querySelectorAll("section.key")[1].remove()');
    const pagesOfKey = all - (await print());
    expect(pagesOfKey).toBeGreaterThanOrEqual(2);
    expect(pagesOfKey).toBeLessThanOrEqual(5);
  });
});
