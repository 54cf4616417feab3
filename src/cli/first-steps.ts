import { hostname } from 'node:os';
import type { Settings } from '../config/settings.js';
import { dataDirectory } from '../server/data-directory.js';
import { quoted } from './shell-word.js';
import { namedAsCertified, trustLines } from './tls-first-steps.js';

/** Where the reader of the first steps finds the service, as words of a shell. */
interface Place {
  /** Lines to type first. */
  readonly before: readonly string[];
  readonly endpoint: string;
  readonly credentials: string;
  /** How it is stopped, and started again. */
  readonly stop: string;
}

function onThisMachine(settings: Settings, url: string, credentials: string): Place {
  return {
    before: trustLines(settings),
    endpoint: settings.tlsCertificateFile === undefined ? url : namedAsCertified(settings.tlsCertificateFile, url),
    credentials: quoted(credentials),
    stop: 'Ctrl-C stops the service; npm start goes on with the same keys.',
  };
}

/** Where clients keep what they fetch out of a container, as words of a shell. */
const fetched = { credentials: '"$PWD/hsm-kms-credentials"', certificate: '"$PWD/hsm-kms-certificate.pem"' } as const;

/**
 * Files are fetched out of the container, and its engine knows the address that its port was published on.
 *
 * @param command docker or podman
 */
function inContainer(command: string, settings: Settings, url: string, credentials: string): Place {
  // engines name a container's host by the container's id
  const container = hostname();
  const file = (path: string) => `${command} exec ${container} cat ${quoted(path)}`;
  const published = `${command} port ${container} ${new URL(url).port}/tcp | head -n 1`;
  const certificate = settings.tlsCertificateFile;
  const trust = trustLines(settings, fetched.certificate);
  const before = [`(umask 077; ${file(credentials)} >${fetched.credentials})`, ...trust];
  let endpoint = `http://$(${published})`;
  if (certificate !== undefined) {
    if (trust.some((line) => line.includes(fetched.certificate))) {
      before.unshift(`${file(certificate)} >${fetched.certificate}`);
    }
    const named = namedAsCertified(certificate, url);
    endpoint = `https://${named === url ? `$(${published})` : `${new URL(named).hostname}:$(${published} | sed 's/.*://')`}`;
  }
  return {
    before,
    endpoint,
    credentials: fetched.credentials,
    stop: `${command} stop ${container} stops the service; ${command} start ${container} goes on with the same keys.`,
  };
}

/** What to type into a shell to use the service as its first administrator: lines that work as pasted, anywhere. */
export function firstSteps(settings: Settings, url: string): string {
  const credentialsFile = dataDirectory(settings).credentials;
  // the variable by which systemd and engines name the kind of a container; the image sets it
  const { container } = process.env;
  const { before, endpoint, credentials, stop } =
    container === undefined
      ? onThisMachine(settings, url, credentialsFile)
      : inContainer(container === 'podman' ? 'podman' : 'docker', settings, url, credentialsFile);
  return `
Now type this in another terminal (AWS CLI 2.13, 1.29 or newer):

${before.map((line) => `${line}\n`).join('')}export AWS_ENDPOINT_URL_KMS=${endpoint} AWS_REGION=${settings.region} AWS_SHARED_CREDENTIALS_FILE=${credentials}
KEY=$(aws kms create-key --query KeyMetadata.KeyId --output text); echo $KEY
aws kms encrypt --key-id $KEY --plaintext aGVsbG8=
aws kms sign --message aGVsbG8= --signing-algorithm ECDSA_SHA_256 --key-id $(aws kms create-key --key-spec ECC_NIST_P256 --key-usage SIGN_VERIFY --query KeyMetadata.KeyId --output text)

${stop}
`;
}
