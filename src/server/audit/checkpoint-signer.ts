import { setTimeout as wait } from 'node:timers/promises';
import { checkpointLine, checkpointText, signedBytes, type UnsignedCheckpoint } from '../../audit/format.js';
import { AuditKey } from '../../keys/audit-key.js';
import type { Store } from '../../store/store.js';
import type { Token } from '../../token/token.js';

/** How long the store has to tell its revision, in milliseconds. */
const revisionMilliseconds = 1_000;

/** Signs checkpoints for the supervisor, which reaches neither token nor store. */
export class CheckpointSigner {
  private readonly key: AuditKey;
  private described: ReturnType<AuditKey['describe']> | undefined;

  constructor(
    token: Token,
    private readonly store: Pick<Store, 'lastRevision' | 'exclusively'>,
  ) {
    this.key = new AuditKey(token);
  }

  /** @returns the line of the checkpoint. @throws Error that says why the token does not sign */
  async sign(unsigned: UnsignedCheckpoint): Promise<string> {
    const { key } = this;
    this.described ??= await this.keyThatIsThere();
    const { algorithm, keyId } = this.described;
    const storeRevision = await this.storeRevision();
    const text = checkpointText({ ...unsigned, storeRevision, algorithm, keyId });
    return checkpointLine(text, await key.sign(signedBytes(text)));
  }

  /** Null while the store does not answer: nothing is held up by it. */
  private async storeRevision(): Promise<number | null> {
    const late = wait(revisionMilliseconds, null, { ref: false });
    return Promise.race([this.store.lastRevision(), late]).catch(() => null);
  }

  /** A data directory from before the audit log has a token without the key. */
  private async keyThatIsThere() {
    const { key, store } = this;
    if (!key.isReady()) {
      await store.exclusively('audit key', async () => {
        if (!key.isReady()) await key.prepare();
      });
    }
    return key.describe();
  }
}
