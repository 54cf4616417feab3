import type { GrantConstraints, GrantOperation, KeyUsageType } from '@aws-sdk/client-kms';
import { KmsError } from '../contract/kms-error.js';
import type { KeyRecord } from './key-record.js';

/** What any grant may allow. */
const always: readonly GrantOperation[] = ['CreateGrant', 'RetireGrant', 'DescribeKey'];

const symmetric: readonly GrantOperation[] = [
  'Encrypt',
  'Decrypt',
  'ReEncryptFrom',
  'ReEncryptTo',
  'GenerateDataKey',
  'GenerateDataKeyWithoutPlaintext',
  'GenerateDataKeyPair',
  'GenerateDataKeyPairWithoutPlaintext',
];

/** What a grant on a key that is not symmetric may allow, by the key's usage. */
const byUsage: Readonly<Record<KeyUsageType, readonly GrantOperation[]>> = {
  ENCRYPT_DECRYPT: ['Encrypt', 'Decrypt', 'ReEncryptFrom', 'ReEncryptTo', 'GetPublicKey'],
  SIGN_VERIFY: ['Sign', 'Verify', 'GetPublicKey'],
  GENERATE_VERIFY_MAC: ['GenerateMac', 'VerifyMac'],
  KEY_AGREEMENT: ['DeriveSharedSecret', 'GetPublicKey'],
  ENCAPSULATE_DECAPSULATE: ['Encapsulate', 'Decapsulate', 'GetPublicKey'],
};

/**
 * The operations of a grant, sorted and each once.
 *
 * @throws KmsError ValidationException for one that the key cannot do (contract A.9)
 */
export function grantOperations(key: KeyRecord, operations: readonly GrantOperation[]): GrantOperation[] {
  if (operations.length === 0) {
    throw new KmsError('ValidationException', 'A grant must allow at least one operation.');
  }
  if (operations.every((operation) => operation === 'CreateGrant')) {
    throw new KmsError('ValidationException', 'Grants must not contain only the CreateGrant operation.');
  }
  const suitable = key.spec === 'SYMMETRIC_DEFAULT' ? symmetric : byUsage[key.usage];
  for (const operation of operations) {
    if (suitable.includes(operation) || always.includes(operation)) continue;
    throw new KmsError(
      'ValidationException',
      `The operation ${operation} cannot be granted on a KMS key with key spec ${key.spec} and key usage ${key.usage}.`,
    );
  }
  return [...new Set(operations)].sort();
}

const mostPairs = 8;
const longestValue = 384;
const contextConstraints = ['EncryptionContextEquals', 'EncryptionContextSubset'] as const;

/**
 * The constraints of a grant, without an empty one beside one that has pairs: Terraform sends both members, and means
 * the one. Of two that are empty the stricter one stays: exactly no pairs.
 */
export function effectiveConstraints(constraints: GrantConstraints): GrantConstraints {
  if (contextConstraints.some((name) => constraints[name] === undefined)) return constraints;
  const surplus = contextConstraints.findLast((name) => isEmpty(constraints[name]));
  if (surplus === undefined) return constraints;
  const { [surplus]: _, ...others } = constraints;
  return others;
}

/**
 * The constraints of a grant, as they count.
 *
 * @throws KmsError ValidationException for constraints that the key cannot hold to, or that are too many or too large
 */
export function checkedConstraints(key: KeyRecord, constraints: GrantConstraints): GrantConstraints {
  const checked = effectiveConstraints(constraints);
  if (contextConstraints.every((name) => checked[name] !== undefined)) {
    throw new KmsError('ValidationException', 'More than one constraint supplied');
  }
  checkContextConstraints(key, checked);
  return checked;
}

function isEmpty(pairs: GrantConstraints['EncryptionContextEquals']): boolean {
  return pairs !== undefined && Object.keys(pairs).length === 0;
}

function checkContextConstraints(key: KeyRecord, constraints: GrantConstraints): void {
  for (const name of contextConstraints) {
    const pairs = constraints[name];
    if (pairs === undefined) continue;
    if (key.spec !== 'SYMMETRIC_DEFAULT') {
      throw new KmsError(
        'ValidationException',
        `The grant constraint ${name} takes a symmetric encryption KMS key: operations with key spec ${key.spec} have no encryption context.`,
      );
    }
    const values = Object.values(pairs);
    if (values.length > mostPairs) {
      throw new KmsError('ValidationException', `${name} cannot have more than ${mostPairs} encryption context pairs.`);
    }
    if (values.some((value) => value.length > longestValue)) {
      throw new KmsError('ValidationException', `A value in ${name} cannot exceed ${longestValue} characters.`);
    }
  }
}

/** Account root, user or role with or without a path, session of a role, federated user; no group, no wildcard. */
const principalArn =
  /^arn:aws[a-z-]*:(?:iam::\d{12}:(?:root|(?:user|role)\/(?:[\w+=,.@:/-]+\/)?[\w+=,.@-]{1,64})|sts::\d{12}:(?:assumed-role\/[\w+=,.@-]{1,64}\/[\w+=,.@-]{2,64}|federated-user\/[\w+=,.@-]{2,32}))$/;

/** @throws KmsError InvalidArnException for what is not the ARN of a principal that a grant may name */
export function checkPrincipal(arn: string | undefined): void {
  if (arn !== undefined && !principalArn.test(arn)) throw invalidPrincipal(arn);
}

export function invalidPrincipal(arn: string): KmsError {
  return new KmsError('InvalidArnException', `ARN does not refer to a valid principal: ${arn}`);
}

const grantIdPattern = /^[0-9a-f]{64}$/;

/** @throws KmsError InvalidGrantIdException for what no grant has as its id */
export function checkGrantId(id: string | undefined): void {
  if (id === undefined || grantIdPattern.test(id)) return;
  throw new KmsError('InvalidGrantIdException', `The grant id ${id} is not valid.`);
}
