import { type ForwardAddress, type ForwardScheme, hostOf } from '../../../config/audit-forward.js';
import { OtlpDestination } from './otlp-destination.js';
import { StdoutDestination } from './stdout-destination.js';
import { SyslogStreamDestination, SyslogUdpDestination } from './syslog-destination.js';

/** Takes copies of the audit log's lines. */
export interface Destination {
  /** Resolves when they have been handed over. @param lines without their LF @rejects Error when they may not have been */
  send(lines: readonly string[]): Promise<void>;
  /** @param late until then what was handed over may take to go */
  end(late: Promise<unknown>): void | Promise<void>;
}

/** @param log is told of lines that a destination never takes */
export function destinationAt({ scheme, url }: ForwardAddress, log: (what: string) => void): Destination {
  return url === undefined ? new StdoutDestination() : ofScheme[scheme](url, log);
}

const ofScheme: Readonly<Record<ForwardScheme, (url: URL, log: (what: string) => void) => Destination>> = {
  stdout: () => new StdoutDestination(),
  'syslog+udp': (url, log) => new SyslogUdpDestination(url, log),
  'syslog+tcp': (url) => new SyslogStreamDestination({ host: hostOf(url), port: Number(url.port || 601) }),
  'syslog+unix': (url) => new SyslogStreamDestination({ path: decodeURIComponent(url.pathname) }),
  'otlp+http': (url, log) => new OtlpDestination(url, log),
  'otlp+https': (url, log) => new OtlpDestination(url, log),
};
