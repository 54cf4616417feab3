import { isLoopback, SettingsError } from './load-settings.js';
import { environmentName, type Settings } from './settings.js';

/**
 * Checks where the service is to listen: without TLS only where nobody else reaches it, unless that is wanted.
 *
 * @throws SettingsError
 */
export function checkListener({ host, allowPlainHttp }: Settings): void {
  if (allowPlainHttp || isLoopback(host)) return;
  throw new SettingsError(
    `Requests to ${host} would go over the network unencrypted: set ${environmentName('host')} to 127.0.0.1, or ${environmentName('allowPlainHttp')} to true where a proxy with TLS or a container's network stands before it.`,
  );
}
