import { describe, expect, test } from '@jest/globals';
import { authorizeRetirement, type RetirableGrant } from '../../src/authorization/grant-retirement.js';
import type { Principal } from '../../src/authorization/principal.js';
import { KmsError } from '../../src/contract/kms-error.js';

const arn = (name: string) => `arn:aws:iam::111122223333:${name}`;
const keyArn = 'arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';
const caller = (name: string, administrator = false) =>
  ({ arn: arn(name), uniqueId: 'AIDA', accountId: '111122223333', administrator }) as Principal;

const grant: RetirableGrant = {
  granteePrincipal: arn('user/grantee'),
  retiringPrincipal: arn('user/retirer'),
  operations: ['Decrypt'],
};
const retirableByGrantee = { ...grant, operations: ['Decrypt', 'RetireGrant'] };
const withoutRetirer = { ...grant, retiringPrincipal: undefined };

const cases: [string, Principal, RetirableGrant | undefined, boolean][] = [
  ['the retiring principal', caller('user/retirer'), grant, true],
  ['an administrator of the account', caller('user/admin', true), grant, true],
  ['the grantee, when the grant lists RetireGrant', caller('user/grantee'), retirableByGrantee, true],
  ['the grantee, when it does not', caller('user/grantee'), grant, false],
  ['somebody else, when it does', caller('user/other'), retirableByGrantee, false],
  ['anybody, when there is no retiring principal', caller('user/other'), withoutRetirer, false],
  ['a namesake in another case', caller('user/Retirer'), grant, false],
  ['an administrator, of a grant that does not exist', caller('user/admin', true), undefined, true],
  ['anybody, of a grant that does not exist', caller('user/retirer'), undefined, false],
];

describe('who may retire a grant', () => {
  test.each(cases)('%s', (_who, principal, of, allowed) => {
    const retire = () => authorizeRetirement(principal, of, keyArn);
    if (allowed) return expect(retire).not.toThrow();
    expect(retire).toThrow(KmsError);
    expect(retire).toThrow(
      `User: ${principal.arn} is not authorized to perform: kms:RetireGrant on resource: ${keyArn}`,
    );
  });
});
