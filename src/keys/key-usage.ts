import type { KeyUsageType } from '@aws-sdk/client-kms';
import { KmsError } from '../contract/kms-error.js';
import type { KeyRecord } from './key-record.js';

/**
 * @param name what AWS calls the use in its message: the operation, or ReEncryptFrom and ReEncryptTo
 * @throws KmsError InvalidKeyUsageException when the key is for something else
 */
export function checkKeyUsage(key: KeyRecord, usage: KeyUsageType, name: string): void {
  if (key.usage === usage) return;
  throw new KmsError(
    'InvalidKeyUsageException',
    `${key.arn} key usage is ${key.usage} which is not valid for ${name}.`,
  );
}
