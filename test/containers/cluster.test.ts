import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KMS, KMSServiceException } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { freePort } from '../service/free-port.mjs';
import { region } from '../service/service.js';
import { Project, whyNoCompose } from './compose-project.js';
import { docker, tryDocker } from './engine.js';
import { buildMilliseconds, builtOnce, projectRoot, serviceImage, softHsmImage } from './image.js';
import { Secrets } from './service-container.js';

const databasePassword = 'password of the database';
const plaintext = Buffer.from('plaintext');
/** What a start, and being back after a failure, may take on a busy machine, in milliseconds. */
const patience = 120_000;
const nodes = ['node-1', 'node-2'] as const;

/** An image of Debian's packages in the place of one of a registry. */
function standIn(name: 'proxy' | 'postgres'): Promise<string> {
  const directory = join(projectRoot, 'test/containers/cluster', name);
  return builtOnce({ directory, name, sources: [directory] });
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + patience; !(await isSo()); await sleep(200)) {
    if (Date.now() > end) throw new Error(`it is not so after ${patience / 1000} s`);
  }
}

const describeWithCompose = whyNoCompose() ? describe.skip : describe;

describeWithCompose('docker-compose.cluster.yml', () => {
  const secrets = new Secrets({
    'database-password': `${databasePassword}\n`,
    'token-so-pin': '87654321\n',
    'token-user-pin': '12345678\n',
  });
  let project: Project;
  let kms: KMS;
  /** Tries a request once. */
  let once: KMS;
  let keyId: string;
  let ciphertext: Uint8Array;

  /** Sooner than the engine's own check of health tells. */
  const isReady = async (service: string) => {
    const { code } = await tryDocker('exec', await project.container(service), 'hsm-kms', 'health');
    return code === 0;
  };
  const decrypted = async (client = kms) => (await client.decrypt({ CiphertextBlob: ciphertext })).Plaintext;
  const answers = () =>
    decrypted(once).then(
      () => true,
      () => false,
    );

  beforeAll(async () => {
    const port = await freePort();
    project = new Project(['docker-compose.cluster.yml'], {
      HSM_KMS_IMAGE: await serviceImage(),
      SOFTHSM_IMAGE: await softHsmImage(),
      PROXY_IMAGE: await standIn('proxy'),
      POSTGRES_IMAGE: await standIn('postgres'),
      HSM_KMS_PUBLISHED_PORT: String(port),
      CLUSTER_SECRETS: secrets.directory,
      HSM_KMS_WORKERS: '1',
    });
    await project.up();
    for (const node of nodes) await until(() => isReady(node));
    const show = ['run', '-T', '--rm', '--no-deps', '--entrypoint', 'cat', 'init', '/data/credentials'];
    const credentials = await project.compose(...show);
    const value = (name: string) => credentials.match(new RegExp(`${name} = (\\S+)`))?.[1] ?? '';
    const client = {
      endpoint: `http://127.0.0.1:${port}`,
      region,
      credentials: { accessKeyId: value('aws_access_key_id'), secretAccessKey: value('aws_secret_access_key') },
    };
    kms = new KMS(client);
    once = new KMS({ ...client, maxAttempts: 1 });
    await until(async () => (await fetch(`${client.endpoint}/readyz`)).ok);
    keyId = (await kms.createKey({})).KeyMetadata?.KeyId as string;
    ciphertext = (await kms.encrypt({ KeyId: keyId, Plaintext: plaintext })).CiphertextBlob as Uint8Array;
  }, buildMilliseconds);

  afterAll(async () => {
    kms?.destroy();
    once?.destroy();
    await project?.remove();
    secrets.remove();
  });

  test('keeps the password out of environments and command lines', async () => {
    for (const service of ['database', 'init', ...nodes]) {
      const container = await project.container(service);
      expect(await docker('inspect', container)).not.toContain(databasePassword);
    }
  });

  test('goes on without either node, with no request lost to a client that repeats', async () => {
    let isOver = false;
    const load = (async () => {
      for (; !isOver; await sleep(20)) expect(Buffer.from((await decrypted()) ?? [])).toEqual(plaintext);
    })();
    /** What the other node makes while this one is away, it knows when it is back, and alone. */
    const made: { KeyId: string; alias: string }[] = [];
    for (const gone of [...nodes, nodes[0]]) {
      const container = await project.container(gone);
      await docker('stop', container);
      for (const { KeyId, alias } of made) {
        expect((await kms.describeKey({ KeyId: alias })).KeyMetadata?.KeyId).toBe(keyId);
        await kms.encrypt({ KeyId, Plaintext: plaintext });
      }
      const alias = `alias/made-${made.length}`;
      await kms.createAlias({ AliasName: alias, TargetKeyId: keyId });
      const { KeyMetadata } = await kms.createKey({ Description: `without ${gone}` });
      made.push({ KeyId: KeyMetadata?.KeyId as string, alias });
      await docker('start', container);
      await until(() => isReady(gone));
    }
    isOver = true;
    await load;
  }, 300_000);

  test('goes on when a node is killed', async () => {
    const container = await project.container('node-2');
    await docker('kill', container);
    for (let count = 0; count < 20; count++) expect(Buffer.from((await decrypted()) ?? [])).toEqual(plaintext);
    await docker('start', container);
    await until(() => isReady('node-2'));
  });

  test('says that it cannot answer while the database is away, and is back by itself', async () => {
    const container = await project.container('database');
    await docker('stop', container);
    // the proxy takes a moment to see that no node is ready
    await until(async () => !(await answers()));
    // the connections to a node that it finds not ready end, one node after the other
    await until(async () => {
      const errors: unknown[] = [];
      for (let count = 0; count < 5; count++) errors.push(await decrypted(once).catch((thrown: unknown) => thrown));
      return errors.every((error) => error instanceof KMSServiceException && error.name === 'KMSInternalException');
    });
    await docker('start', container);
    await until(answers);
    expect((await kms.describeKey({ KeyId: keyId })).KeyMetadata?.KeyState).toBe('Enabled');
    expect(Buffer.from((await decrypted()) ?? [])).toEqual(plaintext);
  });
});
