import { readFileSync } from 'node:fs';

const page = readFileSync(new URL('../../docs/bare-metal.md', import.meta.url), 'utf8');

/** The commands that docs/bare-metal.md has under a heading, block by block. @throws Error where there are none */
export function commandsUnder(heading: string): string[] {
  const section = page.split(/^## /m).find((each) => each.startsWith(`${heading}\n`)) ?? '';
  const blocks = [...section.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, text]) => text as string);
  if (blocks.length === 0) throw new Error(`docs/bare-metal.md has no commands under ${heading}`);
  return blocks;
}
