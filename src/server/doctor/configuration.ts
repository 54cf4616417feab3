import { checkListener, servesTls } from '../../config/listener.js';
import { isLoopback } from '../../config/load-settings.js';
import { pinVariable } from '../../config/pin-variable.js';
import { environmentName, settingNames } from '../../config/settings.js';
import { readSeedFile } from '../seed-file.js';
import { type Check, error, type Finding, orWell, some, warning } from './finding.js';

/** Variables that are no settings; those that begin with HSM_KMS_TEST_ belong to the tests. */
const otherVariables = ['HSM_KMS_CONFIG', 'HSM_KMS_PUBLISHED_PORT', pinVariable];

/** Settings that fit are what gets here; what is looked at is what they mean together. */
export const configuration: Check = {
  name: 'configuration',
  examine({ settings }) {
    const unknown = unknownVariables(process.env);
    const findings: (Finding | undefined)[] = [
      unknown.length > 0
        ? warning(
            `The environment sets what is no setting: ${some(unknown, 10)}.`,
            'hsm-kms serve --help shows how settings are spelled',
          )
        : undefined,
      thrownBy(() => checkListener(settings)),
      thrownBy(() => settings.seedFile !== undefined && readSeedFile(settings.seedFile, settings)),
      settings.insecureNoAuth
        ? warning('Requests are not authenticated.', `unset ${environmentName('insecureNoAuth')}, where it is set`)
        : undefined,
      !servesTls(settings) && !isLoopback(settings.host) && settings.allowPlainHttp
        ? warning(
            `Requests to ${settings.host} come without TLS, unless something before the service does it.`,
            `set ${environmentName('tlsCertificateFile')} and ${environmentName('tlsKeyFile')}`,
          )
        : undefined,
    ];
    return orWell(
      findings.filter((finding) => finding !== undefined),
      'The settings fit and go together.',
    );
  },
};

/** Names in an environment that look like settings, and are none. */
function unknownVariables(environment: NodeJS.ProcessEnv): string[] {
  const known = new Set([...settingNames.map(environmentName), ...otherVariables]);
  return Object.keys(environment).filter(
    (name) => name.startsWith('HSM_KMS_') && !name.startsWith('HSM_KMS_TEST_') && !known.has(name),
  );
}

function thrownBy(check: () => unknown): Finding | undefined {
  try {
    check();
    return undefined;
  } catch (thrown) {
    return error((thrown as Error).message);
  }
}
