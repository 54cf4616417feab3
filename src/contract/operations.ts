import { operationModels, targetPrefix } from './model.js';
import type { OperationName } from './operation-types.js';

/** The operations of the KMS API, in alphabetical order. */
export const operationNames = Object.keys(operationModels) as readonly OperationName[];

const operationOf = new Map(operationNames.map((name) => [`${targetPrefix}.${name}`, name]));

/**
 * The operation that an X-Amz-Target header names, or undefined where AWS answers UnknownOperationException. Case
 * matters, as it does in AWS.
 *
 * @example operationOfTarget('TrentService.Sign') // 'Sign'
 */
export function operationOfTarget(target: string | undefined): OperationName | undefined {
  return target === undefined ? undefined : operationOf.get(target);
}
