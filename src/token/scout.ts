import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { TokenPlace } from './token-settings.js';

/** What the scout says: the token answers, or why it does not, and how long it took to find out, in milliseconds. */
export type ScoutReport =
  | { readonly answers: true }
  | { readonly answers: false; readonly why: string; readonly milliseconds: number };

/** A module that takes longer to say that there is no token holds up who asks it, in milliseconds. */
const promptMilliseconds = 200;

/** A scout that says nothing for so long hangs in the module, in milliseconds. */
const silenceMilliseconds = 5_000;
/** After which one that hangs is replaced, and one that could not be started, in milliseconds. */
const replacementMilliseconds = 500;

/**
 * A process of its own that looks for a token, again and again: a module whose token is gone may block whoever calls it
 * until a timeout of its own, or for ever, and this process has requests to answer. It does not log in.
 */
export class Scout {
  private child: ChildProcess | undefined;
  private timer: NodeJS.Timeout | undefined;
  private ended = false;

  constructor(
    private readonly place: TokenPlace,
    private readonly heard: (report: ScoutReport) => void,
  ) {
    this.send();
  }

  /** Looks once more, after it has said that the token answers. */
  again(): void {
    if (this.child?.connected) this.look(this.child);
  }

  end(): void {
    this.ended = true;
    clearTimeout(this.timer);
    this.child?.kill('SIGKILL');
  }

  private send(): void {
    if (this.ended) return;
    const child = fork(fileURLToPath(new URL('../token/scout-main.js', import.meta.url)), {
      env: { ...process.env, HSM_KMS_WORKER_SETTINGS: undefined },
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    this.child = child;
    child.on('message', (report: ScoutReport) => {
      if (report.answers) clearTimeout(this.timer);
      else this.expectWord(child);
      if (!this.ended) this.heard(report);
    });
    child.on('error', (error) => this.replace(child, error.message));
    child.on('exit', (code, signal) => this.replace(child, `looking for it ended with ${signal ?? code}`));
    this.look(child);
  }

  private look(child: ChildProcess): void {
    this.expectWord(child);
    const { module, moduleParameters, selector } = this.place;
    child.send({ module, moduleParameters, selector } satisfies TokenPlace, () => {});
  }

  private expectWord(child: ChildProcess): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => child.kill('SIGKILL'), silenceMilliseconds);
  }

  private replace(child: ChildProcess, why: string): void {
    if (this.ended || this.child !== child) return;
    this.child = undefined;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.send(), replacementMilliseconds);
    this.heard({ answers: false, why, milliseconds: Number.POSITIVE_INFINITY });
  }
}

/**
 * Asks a module for a token, in another process.
 *
 * @throws Error when it does not answer at once, be it yes or no: this process is not to ask it
 */
export function expectPromptAnswer(place: TokenPlace): Promise<void> {
  return new Promise((resolve, reject) => {
    const scout = new Scout(place, (report) => {
      scout.end();
      if (report.answers || report.milliseconds <= promptMilliseconds) resolve();
      else reject(new Error(report.why));
    });
  });
}
