import type { Action } from './sts.js';

/**
 * Says who calls, which Terraform and others ask first. Nobody needs a permission for it.
 *
 * @see https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
 */
export const getCallerIdentity: Action = (_sts, { principal: { arn, uniqueId, accountId } }) => ({
  Arn: arn,
  UserId: uniqueId,
  Account: accountId,
});
