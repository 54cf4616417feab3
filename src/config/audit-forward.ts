import { z } from 'zod';

/** Where copies of the audit log's lines go, by the scheme of an address. */
export type ForwardScheme = 'stdout' | 'syslog+unix' | 'syslog+udp' | 'syslog+tcp' | 'otlp+http' | 'otlp+https';

export interface ForwardAddress {
  /** As it was written. */
  readonly text: string;
  readonly scheme: ForwardScheme;
  /** Undefined for stdout. */
  readonly url: URL | undefined;
}

const needsHost: readonly string[] = ['syslog+udp', 'syslog+tcp', 'otlp+http', 'otlp+https'] satisfies ForwardScheme[];
const example =
  'stdout, syslog+udp://127.0.0.1:514, syslog+tcp://HOST:601, syslog+unix:///PATH or otlp+http://HOST:4318';

/** Undefined for what is no such address. */
function parsed(text: string): ForwardAddress | undefined {
  if (text === 'stdout') return { text, scheme: 'stdout', url: undefined };
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  const scheme = url.protocol.slice(0, -1);
  if (url.username !== '' || url.password !== '') return undefined;
  if (scheme === 'syslog+unix') return url.pathname.length > 1 ? { text, scheme, url } : undefined;
  return needsHost.includes(scheme) && url.hostname !== '' ? { text, scheme: scheme as ForwardScheme, url } : undefined;
}

/** Without the brackets of IPv6. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

/** The addresses of the setting auditForward. */
export function forwardAddresses(setting: string): ForwardAddress[] {
  const texts = setting.split(',').map((text) => text.trim());
  return texts.filter(Boolean).flatMap((text) => parsed(text) ?? []);
}

export const auditForwardSetting = z
  .string()
  .default('')
  .superRefine((setting, context) => {
    for (const text of setting.split(',').map((each) => each.trim())) {
      if (text === '' || parsed(text)) continue;
      context.addIssue({ code: 'custom', message: `${text.split('@').at(-1)} is not an address like ${example}` });
    }
  });
