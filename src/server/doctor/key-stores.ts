import { type Check, error, type Finding, ok, orWell, warning } from './finding.js';

/** Custom key stores: whether the configuration has their tokens, and they are connected. Nobody logs in there. */
export const keyStores: Check = {
  name: 'custom key stores',
  async examine(patient) {
    const { db } = await patient.store();
    const rows = await db
      .selectFrom('custom_key_stores')
      .select(['id', 'name', 'cluster_id', 'connection_state', 'connection_error'])
      .orderBy('id')
      .execute();
    if (rows.length === 0) return [ok('There are none.')];
    const declared = new Set(patient.settings.keyStores.map(({ clusterId }) => clusterId));
    const findings = rows.flatMap((row): Finding[] => {
      const { id, name, cluster_id: clusterId, connection_state: state } = row;
      if (!declared.has(clusterId)) {
        return [
          error(
            `The custom key store ${name} (${id}) is the token ${clusterId}, which the setting keyStores does not have.`,
            `put ${clusterId} back into the setting keyStores`,
          ),
        ];
      }
      if (state !== 'FAILED') return [];
      return [
        warning(
          `The custom key store ${name} (${id}) could not be connected: ${row.connection_error}.`,
          `aws kms connect-custom-key-store --custom-key-store-id ${id}, when its cause is gone`,
        ),
      ];
    });
    return orWell(findings, `${rows.length} of them; the configuration has their tokens.`);
  },
};
