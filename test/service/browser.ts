import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { test } from '@jest/globals';
import { type Browser, chromium } from 'playwright-core';

/** What distributions call it. */
const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const directories = (process.env.PATH ?? '').split(delimiter);
const program = names.flatMap((name) => directories.map((each) => join(each, name))).find(isProgram);

/** A Chromium of this system without a window. */
export function startBrowser(): Promise<Browser> {
  if (program === undefined) throw new Error('there is no Chromium');
  // root, as in containers, has no sandbox; the pages are this project's own
  return chromium.launch({ executablePath: program, args: ['--no-sandbox', '--disable-gpu'] });
}

/** Whether there is one. */
export const hasBrowser = program !== undefined;

/** A test in a browser: skipped where there is none, which its title says. */
export function testInBrowser(title: string, run: () => Promise<void>): void {
  if (hasBrowser) test(title, run);
  else test.skip(`${title} [there is no Chromium: apt-get install chromium]`, run);
}
