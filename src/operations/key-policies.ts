import { checkedKeyPolicy } from '../authorization/key-policy.js';
import { KmsError } from '../contract/kms-error.js';
import { requestFacts } from './authorization.js';
import { operation } from './operation.js';
import { pageAnswer, pageOf } from './paging.js';

/** The one policy that a key has. */
const policyName = 'default';

export const getKeyPolicy = operation('GetKeyPolicy', {
  keys: { key: { from: 'KeyId' } },
  run({ PolicyName = policyName }, { key }) {
    if (PolicyName !== policyName) throw new KmsError('NotFoundException', 'No such policy exists');
    return { Policy: key.policy.text, PolicyName };
  },
});

export const putKeyPolicy = operation('PutKeyPolicy', {
  keys: { key: { from: 'KeyId' } },
  async run(input, { key, kms, requester }) {
    const { PolicyName = policyName, Policy, BypassPolicyLockoutSafetyCheck = false } = input;
    if (PolicyName !== policyName) {
      throw new KmsError('ValidationException', `The policy name must be ${policyName}.`);
    }
    const request = requestFacts(kms, 'PutKeyPolicy', requester, input);
    const policy = await checkedKeyPolicy(
      kms.identities,
      Policy,
      request,
      { arn: key.arn, key },
      BypassPolicyLockoutSafetyCheck,
    );
    await kms.keys.change(key, { policy });
    return undefined;
  },
});

export const listKeyPolicies = operation('ListKeyPolicies', {
  keys: { key: { from: 'KeyId' } },
  run(input) {
    const asked = pageOf('ListKeyPolicies', input, { usual: 100, most: 1000 });
    const names = [policyName].filter((name) => name > asked.after);
    const { page, ...rest } = pageAnswer('ListKeyPolicies', asked, names, (name) => name);
    return { PolicyNames: page, ...rest };
  },
});
