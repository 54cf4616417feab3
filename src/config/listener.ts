import { isLoopback, SettingsError } from './load-settings.js';
import { environmentName, type SettingName, type Settings } from './settings.js';

/** What does not go together, and what to do about it. The first that is found is told. */
const faults: readonly [isSo: (settings: Settings) => boolean, sentence: (settings: Settings) => string][] = [
  [
    ({ tlsCertificateFile, tlsKeyFile }) => (tlsCertificateFile === undefined) !== (tlsKeyFile === undefined),
    () => `TLS needs a certificate and its key: set ${both('tlsCertificateFile', 'tlsKeyFile')}, or none of them.`,
  ],
  [
    (settings) => settings.tlsClientCertificates !== 'none' && !(servesTls(settings) && settings.tlsClientCaFile),
    () =>
      `Clients can be asked for certificates only over TLS, and only with CAs to believe: set ${both('tlsCertificateFile', 'tlsKeyFile')}, and ${environmentName('tlsClientCaFile')}.`,
  ],
  [
    ({ tlsClientCertificates, tlsClientCaFile, tlsClients }) =>
      tlsClientCertificates === 'none' && (tlsClientCaFile !== undefined || tlsClients.length > 0),
    () =>
      `Clients are asked for no certificates: set ${environmentName('tlsClientCertificates')} to optional or required, or leave out ${both('tlsClientCaFile', 'tlsClients')}.`,
  ],
  [
    (settings) => !servesTls(settings) && !isLoopback(settings.host) && !settings.allowPlainHttp,
    ({ host }) =>
      `Requests to ${host} would go over the network unencrypted: set ${both('tlsCertificateFile', 'tlsKeyFile')}, or ${environmentName('host')} to 127.0.0.1, or ${environmentName('allowPlainHttp')} to true where a proxy with TLS or a container's network stands before the service.`,
  ],
];

const both = (one: SettingName, other: SettingName) => `${environmentName(one)} and ${environmentName(other)}`;

/** Checks where the service is to listen, and how: without TLS only where nobody else reaches it. @throws SettingsError */
export function checkListener(settings: Settings): void {
  const fault = faults.find(([isSo]) => isSo(settings));
  if (fault) throw new SettingsError(fault[1](settings));
}

/** True when requests come over TLS; undefined files have been refused before. */
export function servesTls({ tlsCertificateFile }: Pick<Settings, 'tlsCertificateFile'>): boolean {
  return tlsCertificateFile !== undefined;
}
