import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { keyLabels, makeToken } from '../service/further-token.js';
import { hsmKms, Service } from '../service/service.js';
import { describeWith } from '../service/tested-token.js';
import { trustAnchorCertificate } from '../service/trust-anchor.js';

/** Tokens beside the service's own, chosen by what is not their label. */
const stores = [
  ['first', 'pin of the first', 'cluster-aaaaaaaaaaa', (serial: string) => ({ tokenSerial: serial })],
  ['second', 'pin of the second', 'cluster-bbbbbbbbbbb', (serial: string) => ({ tokenUri: `pkcs11:serial=${serial}` })],
] as const;

describeWith("the service's own SoftHSM2", 'tokens of key stores', () => {
  let service: Service;
  beforeAll(async () => {
    const flags: string[] = [];
    service = await Service.start({
      flags,
      prepare: async (dataDir) => {
        for (const [label, pin] of stores) await makeToken(dataDir, label, pin);
        const { output } = await hsmKms('token', 'list', '--json', '--data-dir', dataDir);
        const { tokens } = JSON.parse(output) as { tokens: { label: string; serialNumber: string }[] };
        const keyStores = stores.map(([label, , clusterId, choice]) => ({
          clusterId,
          ...choice(tokens.find((token) => token.label === label)?.serialNumber ?? ''),
        }));
        flags.push('--key-stores', JSON.stringify(keyStores));
      },
    });
  });
  afterAll(() => service?.end());

  test.each(stores)('the keys of a store are in its token: %s', async (label, pin, CloudHsmClusterId, _choice) => {
    const { kms, dataDir } = service;
    const { CustomKeyStoreId } = await kms.createCustomKeyStore({
      CustomKeyStoreName: label,
      CloudHsmClusterId,
      TrustAnchorCertificate: trustAnchorCertificate,
      KeyStorePassword: pin,
    });
    await kms.connectCustomKeyStore({ CustomKeyStoreId });
    const { KeyId } = await service.newKey({ Origin: 'AWS_CLOUDHSM', CustomKeyStoreId });
    const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext: Buffer.from('x') });
    expect(Buffer.from((await kms.decrypt({ CiphertextBlob })).Plaintext!)).toEqual(Buffer.from('x'));
    expect(await keyLabels(dataDir, label, pin)).toEqual([KeyId]);
  });
});
