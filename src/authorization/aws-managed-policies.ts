import { administratorAccess } from './policy/administrator-access.js';
import { type PolicyDocument, parsePolicy } from './policy/document.js';

/** A managed policy of AWS's own, which every account has. */
export interface AwsManagedPolicy {
  readonly arn: string;
  readonly uniqueId: string;
  readonly name: string;
  readonly description: string;
  /** JSON. */
  readonly text: string;
  readonly document: PolicyDocument;
  /** When AWS made it. */
  readonly at: Date;
}

/** Who has this policy attached is an administrator of the account. */
export const administratorAccessArn = 'arn:aws:iam::aws:policy/AdministratorAccess';

/** @see KMS guide, "AWS managed policy for power users" */
const powerUser = `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": [
        "kms:CreateAlias",
        "kms:CreateKey",
        "kms:DeleteAlias",
        "kms:Describe*",
        "kms:GenerateRandom",
        "kms:Get*",
        "kms:List*",
        "kms:TagResource",
        "kms:UntagResource",
        "iam:ListGroups",
        "iam:ListRoles",
        "iam:ListUsers"
      ],
      "Resource": "*"
    }
  ]
}`;

const list: readonly AwsManagedPolicy[] = [
  {
    arn: administratorAccessArn,
    uniqueId: 'ANPAIWMBCKSKIEE64ZLYK',
    name: 'AdministratorAccess',
    description: 'Provides full access to AWS services and resources.',
    text: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}',
    document: administratorAccess,
    at: new Date('2015-02-06T18:39:46Z'),
  },
  {
    arn: 'arn:aws:iam::aws:policy/AWSKeyManagementServicePowerUser',
    uniqueId: 'ANPAJNPP7PPPPMJRV2SA4',
    name: 'AWSKeyManagementServicePowerUser',
    description: 'Provides access to AWS Key Management Service (KMS).',
    text: powerUser,
    document: parsePolicy(powerUser, 'identity'),
    at: new Date('2015-02-06T18:40:40Z'),
  },
];

/** By ARN: those of AWS's managed policies that are about KMS. */
export const awsManagedPolicies: ReadonlyMap<string, AwsManagedPolicy> = new Map(list.map((each) => [each.arn, each]));
