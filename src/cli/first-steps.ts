import type { Settings } from '../config/settings.js';
import { dataDirectory } from '../server/data-directory.js';

/** As a POSIX shell reads it back. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** What to type into a shell to use the service as its first administrator: lines that work as pasted, anywhere. */
export function firstSteps(settings: Settings, endpoint: string): string {
  const environment = {
    AWS_ENDPOINT_URL_KMS: endpoint,
    AWS_REGION: settings.region,
    AWS_SHARED_CREDENTIALS_FILE: quoted(dataDirectory(settings).credentials),
  };
  const assignments = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  return `
Now type this in another terminal (AWS CLI 2.13, 1.29 or newer):

export ${assignments.join(' ')}
KEY=$(aws kms create-key --query KeyMetadata.KeyId --output text); echo $KEY
aws kms encrypt --key-id $KEY --plaintext aGVsbG8=
aws kms sign --message aGVsbG8= --signing-algorithm ECDSA_SHA_256 --key-id $(aws kms create-key --key-spec ECC_NIST_P256 --key-usage SIGN_VERIFY --query KeyMetadata.KeyId --output text)

Ctrl-C stops the service; npm start goes on with the same keys.
`;
}
