import { administratorAccess } from './policy/administrator-access.js';
import { type PolicyDocument, parsePolicy } from './policy/document.js';

/** A managed policy of AWS's own, which every account has. */
export interface AwsManagedPolicy {
  readonly arn: string;
  readonly name: string;
  readonly description: string;
  /** JSON. */
  readonly text: string;
  readonly document: PolicyDocument;
}

function awsManaged(name: string, description: string, text: string, document = parsePolicy(text, 'identity')) {
  return { arn: `arn:aws:iam::aws:policy/${name}`, name, description, text, document };
}

const list: readonly AwsManagedPolicy[] = [
  awsManaged(
    'AdministratorAccess',
    'Provides full access to AWS services and resources.',
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}',
    administratorAccess,
  ),
];

/** By ARN: those of AWS's managed policies that are about KMS. */
export const awsManagedPolicies: ReadonlyMap<string, AwsManagedPolicy> = new Map(list.map((each) => [each.arn, each]));

/** Who has this policy attached is an administrator of the account. */
export const administratorAccessArn = 'arn:aws:iam::aws:policy/AdministratorAccess';
