import { GenericContainer, getContainerRuntimeClient, type StartedTestContainer } from 'testcontainers';
import { credentialsIn } from './credentials.js';
import { Readiness, whyNotReady } from './readiness.js';
import type { Seed } from './seed.js';
import { StartedHsmKmsContainer, servicePort } from './started-container.js';

/** What `docker build --tag hsm-kms .` makes in a checkout. */
const usualImage = 'hsm-kms';
const usualRegion = 'us-east-1';
const seedFile = '/etc/hsm-kms/seed.yaml';
/** Read by everybody in the container. */
const readable = 0o644;

/**
 * hsm-kms with a SoftHSM2 token of its own, for tests of what uses AWS KMS.
 *
 * @example
 * const container = await new HsmKmsContainer()
 *   .withSeed({ Keys: [{ KeyId: 'bc436485-5092-42b8-92a3-0aa8b93536dc', Aliases: ['alias/app'] }] })
 *   .start();
 * const kms = new KMSClient(container.getClientConfiguration());
 * await kms.send(new EncryptCommand({ KeyId: 'alias/app', Plaintext: Buffer.from('secret') }));
 * await container.stop();
 */
export class HsmKmsContainer extends GenericContainer {
  private createdId: string | undefined;

  /** @param image name of the image, with its tag */
  constructor(image: string = usualImage) {
    super(image);
    this.withExposedPorts(servicePort).withWaitStrategy(new Readiness(servicePort));
  }

  /**
   * A container of an image that is built here first, which takes a minute or two the first time. The image stays, so
   * that the next time takes seconds.
   *
   * @param checkout a directory with the sources of hsm-kms, where its Dockerfile is
   * @param image how the image is to be called
   */
  static async fromCheckout(checkout: string, image: string = usualImage): Promise<HsmKmsContainer> {
    await GenericContainer.fromDockerfile(checkout).build(image, { deleteOnExit: false });
    return new HsmKmsContainer(image);
  }

  /** Makes the keys and aliases of a YAML file where they are missing, at each start. @param path on this machine */
  withSeedFile(path: string): this {
    return this.withCopyFilesToContainer([{ source: path, target: seedFile, mode: readable }]).withSetting(
      'HSM_KMS_SEED_FILE',
      seedFile,
    );
  }

  /** The same, with what such a file would hold. */
  withSeed(seed: Seed): this {
    const content = JSON.stringify(seed);
    return this.withCopyContentToContainer([{ content, target: seedFile, mode: readable }]).withSetting(
      'HSM_KMS_SEED_FILE',
      seedFile,
    );
  }

  /** The AWS Region that ARNs and signatures name; us-east-1 by default. */
  withRegion(region: string): this {
    return this.withSetting('HSM_KMS_REGION', region);
  }

  /** The AWS account that owns all keys, twelve digits; 000000000000 by default. */
  withAccountId(accountId: string): this {
    return this.withSetting('HSM_KMS_ACCOUNT_ID', accountId);
  }

  /** Worker processes; as many as the container has cores by default. */
  withWorkers(workers: number): this {
    return this.withSetting('HSM_KMS_WORKERS', String(workers));
  }

  /** @throws Error with the end of the service's log when it does not serve */
  override async start(): Promise<StartedHsmKmsContainer> {
    this.createdId = undefined;
    let started: StartedTestContainer;
    try {
      started = await super.start();
    } catch (error) {
      throw await this.explained(error);
    }
    try {
      return new StartedHsmKmsContainer(started, this.region, await credentialsIn(started, this.dataDirectory));
    } catch (error) {
      await started.stop();
      throw error;
    }
  }

  protected override async containerCreated(id: string): Promise<void> {
    this.createdId = id;
  }

  private get dataDirectory(): string {
    return this.environment.HSM_KMS_DATA_DIR ?? '/data';
  }

  private get region(): string {
    return this.environment.HSM_KMS_REGION ?? usualRegion;
  }

  private withSetting(name: string, value: string): this {
    return this.withEnvironment({ [name]: value });
  }

  /** What the error comes from, where testcontainers does not say it; a container that is left over is removed. */
  private async explained(error: unknown): Promise<unknown> {
    const client = await getContainerRuntimeClient().catch(() => undefined);
    if (client === undefined) return error;
    if (this.createdId === undefined) {
      const name = this.imageName.string;
      if (await client.image.exists(this.imageName)) return error;
      return new Error(
        `The image ${name} is not here and cannot be pulled (${(error as Error).message}). Build it in a checkout of hsm-kms, docker build --tag ${name} . or HsmKmsContainer.fromCheckout(directory), or name another image.`,
        { cause: error },
      );
    }
    const container = client.container.getById(this.createdId);
    try {
      const why = await whyNotReady(container);
      await container.remove({ force: true, v: true });
      return new Error(why, { cause: error });
    } catch {
      // testcontainers has removed it after the error, which says what there is to say
      return error;
    }
  }
}
