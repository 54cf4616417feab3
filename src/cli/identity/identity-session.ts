import { Iam } from '../../authorization/iam/iam.js';
import { onlyLooking } from '../../authorization/iam/iam-place.js';
import { purposeOfSecret } from '../../authorization/secret-purpose.js';
import type { Settings } from '../../config/settings.js';
import { type DataDirectory, dataDirectory } from '../../server/data-directory.js';
import { openStore } from '../../server/store-of-settings.js';
import type { Store } from '../../store/store.js';
import type { Sealer } from '../../token/sealing.js';

/** One command on the identities of the account, beside a service that may run. */
export class IdentitySession {
  private sealer: Promise<Sealer> | undefined;

  private constructor(
    readonly settings: Settings,
    private readonly directory: DataDirectory,
    private readonly store: Store,
    /** Told of what the person at the terminal should know besides the answer. */
    readonly warn: (sentence: string) => void,
  ) {}

  /** @throws Error that says what to do */
  static async open(settings: Settings, warn: (sentence: string) => void): Promise<IdentitySession> {
    return new IdentitySession(settings, dataDirectory(settings), await openStore(settings), warn);
  }

  read<T>(work: (iam: Iam) => Promise<T>): Promise<T> {
    return work(new Iam(onlyLooking(this.store.db), this.settings.accountId, new Date()));
  }

  /** One transaction, sealed by the token. Warns when it takes the account's last administrator. */
  async change<T>(work: (iam: Iam) => Promise<T>): Promise<T> {
    await this.openSealer();
    const { result, isLast } = await this.store.change(async (change) => {
      const iam = new Iam(change, this.settings.accountId, new Date());
      const hadAdministrator = await iam.hasAdministrator();
      const result = await work(iam);
      return { result, isLast: hadAdministrator && !(await iam.hasAdministrator()) };
    });
    if (isLast) this.warn(withoutAdministrator);
    return result;
  }

  /** Seals the secret of an access key by the service's token, and overwrites it. @throws Error that says what to do */
  async sealSecret(accessKeyId: string, secret: Buffer): Promise<Buffer> {
    try {
      const sealer = await this.openSealer();
      return await sealer.seal(purposeOfSecret(accessKeyId), secret);
    } finally {
      secret.fill(0);
    }
  }

  /** The token, which seals what is changed. @throws Error that says what to do */
  private openSealer(): Promise<Sealer> {
    this.sealer ??= (async () => {
      // loaded here: what needs no token starts faster without PKCS#11
      const [{ openOwnToken }, { Sealer }, { expectTokenOfData }, { sealStore }] = await Promise.all([
        import('../../server/own-token.js'),
        import('../../token/sealing.js'),
        import('../../server/token-of-data.js'),
        import('../../server/sealed-store.js'),
      ]);
      const { store } = this;
      // listens from here on: a change is over when the announcement of it has come back
      store.revision();
      const token = openOwnToken(this.settings, this.directory, this.warn);
      const sealer = new Sealer(token);
      if (!sealer.isReady()) {
        throw new Error(`The token ${JSON.stringify(token.identity.label)} has no sealing key. Type: hsm-kms init`);
      }
      await expectTokenOfData(this.settings, { token, sealer, store });
      await sealStore({ token, store }, (what) => this.warn(`made: ${what}`));
      return sealer;
    })();
    return this.sealer;
  }

  close(): Promise<void> {
    return this.store.close();
  }
}

export const withoutAdministrator =
  'No user with the policy AdministratorAccess has an active access key any more: nobody may administer the account ' +
  'by signed requests. To change that: hsm-kms identity attach-user-policy, create-access-key.';
