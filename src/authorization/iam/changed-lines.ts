/**
 * What changes in a policy, for people: its new lines, its old lines, and between them what both have at begin and end
 * left out.
 *
 * @param before undefined for none
 * @param after undefined for none
 */
export function changedLines(what: string, before: string | undefined, after: string | undefined): string[] {
  const old = linesOf(before);
  const now = linesOf(after);
  if (before === undefined) return [`+ ${what}`, ...now.map((line) => `    + ${line}`)];
  if (after === undefined) return [`- ${what}`, ...old.map((line) => `    - ${line}`)];
  const shorter = Math.min(old.length, now.length);
  let begin = 0;
  while (begin < shorter && old[begin] === now[begin]) begin++;
  let end = 0;
  while (end < shorter - begin && old.at(-1 - end) === now.at(-1 - end)) end++;
  return [
    `~ ${what}`,
    ...old.slice(begin, old.length - end).map((line) => `    - ${line}`),
    ...now.slice(begin, now.length - end).map((line) => `    + ${line}`),
  ];
}

function linesOf(policy: string | undefined): string[] {
  if (policy === undefined) return [];
  try {
    return JSON.stringify(JSON.parse(policy), null, 2).split('\n');
  } catch {
    return policy.split('\n');
  }
}
