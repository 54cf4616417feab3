import { Iam } from '../../authorization/iam/iam.js';
import { purposeOfSecret } from '../../authorization/secret-purpose.js';
import type { Settings } from '../../config/settings.js';
import { type DataDirectory, dataDirectory } from '../../server/data-directory.js';
import { openStore } from '../../server/store-of-settings.js';
import type { Store } from '../../store/store.js';

/** One command on the identities of the account, beside a service that may run. */
export class IdentitySession {
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
    return work(new Iam(this.store.db, this.settings.accountId, new Date()));
  }

  /** One transaction. Warns when it takes the account's last administrator. */
  async change<T>(work: (iam: Iam) => Promise<T>): Promise<T> {
    const { result, isLast } = await this.store.change(async (transaction) => {
      const iam = new Iam(transaction, this.settings.accountId, new Date());
      const hadAdministrator = await iam.hasAdministrator();
      const result = await work(iam);
      return { result, isLast: hadAdministrator && !(await iam.hasAdministrator()) };
    });
    if (isLast) this.warn(withoutAdministrator);
    return result;
  }

  /** Seals the secret of an access key by the service's token, and overwrites it. @throws Error that says what to do */
  async sealSecret(accessKeyId: string, secret: Buffer): Promise<Buffer> {
    // loaded here: what needs no token starts faster without PKCS#11
    const [{ openOwnToken }, { Sealer }] = await Promise.all([
      import('../../server/own-token.js'),
      import('../../token/sealing.js'),
    ]);
    const token = openOwnToken(this.settings, this.directory, this.warn);
    const sealer = new Sealer(token);
    if (!sealer.isReady()) {
      throw new Error(`The token ${JSON.stringify(token.identity.label)} has no sealing key. Type: hsm-kms init`);
    }
    try {
      return await sealer.seal(purposeOfSecret(accessKeyId), secret);
    } finally {
      secret.fill(0);
    }
  }

  close(): Promise<void> {
    return this.store.close();
  }
}

export const withoutAdministrator =
  'No user with the policy AdministratorAccess has an active access key any more: nobody may administer the account ' +
  'by signed requests. To change that: hsm-kms identity attach-user-policy, create-access-key.';
