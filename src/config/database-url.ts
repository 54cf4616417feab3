import { z } from 'zod';

const example = 'postgres://USER@HOST:5432/DATABASE';

/** Where PostgreSQL is. What is wrong with it is said without showing it: it may hold a password. */
export const databaseUrlSetting = z
  .string()
  .optional()
  .superRefine((text, context) => {
    if (text === undefined) return;
    const url = URL.canParse(text) ? new URL(text) : undefined;
    const message =
      url === undefined || !['postgres:', 'postgresql:'].includes(url.protocol)
        ? `is not the URL of a PostgreSQL database, as in ${example}; unset it to use SQLite in the data directory`
        : url.pathname.length < 2
          ? `does not name the database, as in ${example}`
          : undefined;
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  });

/** The URL for people: without its password. */
export function withoutPassword(text: string): string {
  const url = new URL(text);
  if (url.password !== '') url.password = '***';
  if (url.searchParams.has('password')) url.searchParams.set('password', '***');
  return url.href;
}

/** True for a URL that must not be on a command line, which every user of the machine can read. */
export function hasPassword(text: string): boolean {
  return URL.canParse(text) && withoutPassword(text) !== new URL(text).href;
}
