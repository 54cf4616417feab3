/* Draws the page's charts and tables anew from the results that are committed. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { publishedJson } from './options.mjs';
import { writePage } from './page.mjs';

const text = readFileSync(fileURLToPath(new URL(`../${publishedJson}`, import.meta.url)), 'utf8');
for (const file of writePage(JSON.parse(text))) console.error(`written: ${file}`);
