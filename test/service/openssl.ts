import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The openssl command in a directory of its own: the oracle for what certificates are. */
export class OpenSsl {
  readonly directory = mkdtempSync(join(tmpdir(), 'hsm-kms-openssl-'));

  /** Writes a file. @returns its path */
  file(name: string, content: string | Buffer): string {
    const path = join(this.directory, name);
    writeFileSync(path, content);
    return path;
  }

  /** What it prints, on both streams. @throws Error with it when it fails */
  run(...parameters: string[]): string {
    const { status, stdout, stderr } = spawnSync('openssl', parameters, { cwd: this.directory, encoding: 'utf8' });
    if (status !== 0) throw new Error(`openssl ${parameters.join(' ')}: ${stdout}${stderr}`);
    return stdout + stderr;
  }

  end(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
