import { AbstractStartedContainer, type RestartOptions, type StartedTestContainer } from 'testcontainers';

/** What requests are signed with. */
export interface HsmKmsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** What a client of the AWS SDK for JavaScript is made with. */
export interface HsmKmsClientConfiguration {
  endpoint: string;
  region: string;
  credentials: { accessKeyId: string; secretAccessKey: string };
}

/** The port that the service listens on in its container. */
export const servicePort = 8080;
/** What the service is given to finish what is under way before a restart, in milliseconds. */
const restartMilliseconds = 10_000;

/** A container whose service answers. */
export class StartedHsmKmsContainer extends AbstractStartedContainer {
  constructor(
    container: StartedTestContainer,
    private readonly region: string,
    private readonly credentials: HsmKmsCredentials,
  ) {
    super(container);
  }

  /** http://HOST:PORT; after a restart it can be another one. */
  getEndpoint(): string {
    const host = this.getHost();
    return `http://${host.includes(':') ? `[${host}]` : host}:${this.getMappedPort(servicePort)}`;
  }

  /** The AWS Region that ARNs and signatures name. */
  getRegion(): string {
    return this.region;
  }

  /** Of the first administrator, who may do everything that key policies do not keep from him. */
  getCredentials(): HsmKmsCredentials {
    return { ...this.credentials };
  }

  /**
   * For a client of the AWS SDK; to be asked again after a restart.
   *
   * @example new KMSClient(container.getClientConfiguration())
   */
  getClientConfiguration(): HsmKmsClientConfiguration {
    return { endpoint: this.getEndpoint(), region: this.region, credentials: { ...this.credentials } };
  }

  /** Stops the service as an operator does and starts it over the same keys. */
  override restart(options: Partial<RestartOptions> = {}): Promise<void> {
    return super.restart({ timeout: restartMilliseconds, ...options });
  }
}
