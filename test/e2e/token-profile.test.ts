import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { FaultToken, type TokenCondition, whyNoFaultToken } from '../service/fault-token.js';
import { Service } from '../service/service.js';
import { inspectToken } from '../service/token-inspection.js';

/* What the setting tokenProfile says of a token is done: over a token that is made to be so. */
const why = whyNoFaultToken();
if (why) console.warn(`SKIPPED: ${why}.`);
const withFaults = why ? describe.skip : describe;

withFaults('the setting tokenProfile', () => {
  let service: Service | undefined;
  let fault: FaultToken | undefined;
  afterEach(async () => {
    await service?.end();
    fault?.end();
    service = undefined;
  });

  async function startWith(profile: object, ...conditions: TokenCondition[]): Promise<[Service, FaultToken]> {
    const flags = ['--token-profile', JSON.stringify(profile)];
    let made: FaultToken | undefined;
    service = await Service.start({
      flags,
      prepare: async (dataDir) => {
        made = new FaultToken(join(dataDir, 'softhsm2.conf'));
        fault = made;
        await made.set(...conditions);
        flags.push('--pkcs11-module', made.module, '--token-pin-file', join(dataDir, 'token-user-pin'));
      },
    });
    return [service, made as unknown as FaultToken];
  }

  test('gcmIv token: no random IV is made, and that of the token is used', async () => {
    const [{ kms }, token] = await startWith({ gcmIv: 'token' }, 'own-iv');
    const { KeyMetadata } = await kms.createKey({});
    const KeyId = KeyMetadata?.KeyId;
    const Plaintext = randomBytes(100);
    const randoms = token.callsOf('C_GenerateRandom');
    const ciphertexts = new Set<string>();
    for (let each = 0; each < 20; each++) {
      const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext });
      ciphertexts.add(Buffer.from(CiphertextBlob!).toString('hex'));
      const decrypted = await kms.decrypt({ CiphertextBlob });
      expect(Buffer.from(decrypted.Plaintext!)).toEqual(Plaintext);
    }
    expect(ciphertexts.size).toBe(20);
    expect(token.callsOf('C_GenerateRandom')).toBe(randoms);
  });

  test('gcmIv token: with a token that makes none, AES-GCM is not offered', async () => {
    const [running] = await startWith({ gcmIv: 'token' });
    const { kms } = running;
    await expect(kms.createKey({})).rejects.toMatchObject({ name: 'UnsupportedOperationException' });
    await running.logged(/SYMMETRIC_DEFAULT.*makes no IVs of AES-GCM, and its profile says that it does \(gcmIv\)/);
    await kms.createKey({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' });
  });

  test.each([
    ['threads', 0],
    ['mixed', 1],
  ])('calls %s: a key is used on the spot %d times', async (calls, faults) => {
    const [{ kms }, token] = await startWith({ calls });
    const { KeyMetadata } = await kms.createKey({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' });
    const request = { KeyId: KeyMetadata?.KeyId, Message: Buffer.from('x'), MacAlgorithm: 'HMAC_SHA_256' } as const;
    // whose seals have been looked at, which takes a C_Sign as well
    await kms.generateMac(request);
    // CKR_FUNCTION_NOT_SUPPORTED, which is not tried again
    await token.set({ on: 'C_Sign', return: 84, thread: 'main' });
    const before = token.faults;
    const answer = await kms.generateMac(request).then(
      ({ Mac }) => Mac?.length,
      (error: Error) => error.name,
    );
    expect([token.faults - before, answer]).toEqual([faults, faults === 0 ? 32 : 'KMSInternalException']);
  });

  test('mostSessions: a worker never has more open', async () => {
    const [running, token] = await startWith({ mostSessions: 4 });
    const { KeyId } = await running.newKey({ KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' });
    const open = () => token.callsOf('C_OpenSession') - token.callsOf('C_CloseSession');
    await running.stop();
    const before = open();
    await running.serve();
    const request = { KeyId, Message: Buffer.from('x'), SigningAlgorithm: 'RSASSA_PSS_SHA_256' } as const;
    await Promise.all(Array.from({ length: 24 }, () => running.kms.sign(request)));
    expect(open() - before).toBeGreaterThan(2);
    expect(open() - before).toBeLessThanOrEqual(4);
  });

  test.each([
    [0, 0],
    [2, 2],
  ])('mostSessionCopies %d: of three hot keys %d are used by copies', async (mostSessionCopies, copies) => {
    const [running, token] = await startWith({ mostSessionCopies });
    const keys = [await running.newKey(), await running.newKey(), await running.newKey()];
    const before = token.callsOf('C_CopyObject');
    for (const { KeyId } of keys) {
      for (let use = 0; use < 20; use++) await running.kms.encrypt({ KeyId, Plaintext: Buffer.from('x') });
    }
    expect(token.callsOf('C_CopyObject') - before).toBe(copies);
  });

  test('refusedAttributes: the token is not given them', async () => {
    const [running] = await startWith({ refusedAttributes: ['CKA_ALLOWED_MECHANISMS', 'CKA_COPYABLE'] });
    const { KeyId } = await running.newKey();
    const { objects } = await inspectToken(running);
    expect(objects.find(({ label }) => label === KeyId)?.allowedMechanisms).toEqual([]);
    // what the initialisation made, without that profile
    expect(objects.find(({ label }) => label === 'hsm-kms sealing key')?.allowedMechanisms).toEqual([0x1087]);
  });

  test('a profile that nobody knows is refused in a sentence', async () => {
    await expect(startWith({ like: 'nowhere' })).rejects.toThrow(
      /hsm-kms: There is no profile of tokens "nowhere": HSM_KMS_TOKEN_PROFILE takes [a-z0-9, -]+\./,
    );
  });
});
