import type { KeySpec } from '@aws-sdk/client-kms';
import type { SupportedUsage } from '../../keys/key-specs.js';
import { type Check, error, orWell } from './finding.js';

/** Keys of which the token cannot do anything any more: after a change of its firmware, or of a setting. */
export const capabilities: Check = {
  name: 'capabilities',
  async examine(patient) {
    const { db } = await patient.store();
    const found = await patient.capabilities();
    const kinds = await db
      .selectFrom('keys')
      .select((row) => ['spec', 'usage', row.fn.countAll<number>().as('count')])
      .where('custom_key_store_id', 'is', null)
      .groupBy(['spec', 'usage'])
      .execute();
    const missing = kinds.filter(
      ({ spec, usage }) => found.offered(spec as KeySpec, usage as SupportedUsage).length === 0,
    );
    return orWell(
      missing.map(({ spec, usage, count }) =>
        error(
          `The token does nothing with ${spec} keys for ${usage} any more, and there are ${Number(count)} of them.`,
          'hsm-kms token describe, with the same settings, says why',
        ),
      ),
      `The token offers what the ${kinds.reduce((sum, { count }) => sum + Number(count), 0)} keys need.`,
    );
  },
};
