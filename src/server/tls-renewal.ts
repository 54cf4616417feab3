import { X509Certificate } from 'node:crypto';
import { statSync } from 'node:fs';
import type { SecureContextOptions } from 'node:tls';
import type { Logger } from 'pino';
import type { Settings } from '../config/settings.js';
import { readTlsFiles, tlsFileNames } from './tls-files.js';

/** How often the files are looked at, in milliseconds. */
const pollMilliseconds = 2_000;

/** A server whose certificate can be changed: those of node:https and node:tls. */
interface SecureServer {
  setSecureContext(options: SecureContextOptions): void;
}

/** Keeps a server's TLS as the files have it. */
export interface TlsRenewal {
  /** When the certificate in use expires. */
  readonly expiresAt: Date;
  /** Reads the files now. */
  renew(): void;
  stop(): void;
}

/**
 * Renews a server's TLS when its files have changed, and when told to. New connections get what is new, those that
 * exist stay as they are. What cannot be used is logged, and the old is kept.
 *
 * @param used what the server has been made with
 */
export function keepTlsRenewed(
  server: SecureServer,
  used: SecureContextOptions,
  settings: Settings,
  log: Logger,
): TlsRenewal {
  let inUse = used;
  let usedState = stateOfFiles(settings);
  let seen = usedState;
  const renew = () => {
    usedState = stateOfFiles(settings);
    seen = usedState;
    try {
      const options = readTlsFiles(settings, (what) => log.warn(what));
      if (options === undefined) return;
      server.setSecureContext(options);
      inUse = options;
      log.info('TLS certificate, key and client CAs have been read again');
    } catch (error) {
      log.error({ err: error }, 'the new TLS files cannot be used: the old certificate is kept');
    }
  };
  const look = () => {
    const now = stateOfFiles(settings);
    // twice the same: who writes certificate and key one after the other is let finish
    if (now !== usedState && now === seen) renew();
    seen = now;
  };
  const timer = setInterval(look, pollMilliseconds);
  return {
    get expiresAt() {
      // its first certificate: the service's own
      return new Date(new X509Certificate(inUse.cert as string).validTo);
    },
    renew,
    stop: () => clearInterval(timer),
  };
}

/** Differs when any of the files was written or replaced, also behind a symbolic link. */
function stateOfFiles(settings: Settings): string {
  return tlsFileNames(settings)
    .map(([, file]) => {
      try {
        const { ino, size, mtimeMs, ctimeMs } = statSync(file);
        return [ino, size, mtimeMs, ctimeMs].join(' ');
      } catch (error) {
        return (error as NodeJS.ErrnoException).code;
      }
    })
    .join('\n');
}
