import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

const run = (name: string, ...parameters: string[]) =>
  execFileSync(name, parameters, { stdio: 'pipe', encoding: 'utf8' });
/** What fills the disk; no file of the service's. */
const filler = '.filler';

/** A file system of its own, so small that it can be filled, over a directory that exists: ext4 in a file. */
export class SmallDisk {
  private readonly scratch = mkdtempSync(join(tmpdir(), 'hsm-kms-disk-'));
  private readonly image = join(this.scratch, 'image');
  private device = '';

  /** Puts it over the directory, with all that is in it. @throws Error where nothing can be mounted */
  constructor(
    readonly directory: string,
    megabytes = 16,
  ) {
    const content = join(this.scratch, 'content');
    try {
      run('truncate', '--size', `${megabytes}M`, this.image);
      run('mkfs.ext4', '-q', '-m', '0', this.image);
      // keeps owners and modes, the directory's own as well
      run('cp', '--archive', directory, content);
      this.mount();
      run('cp', '--archive', `${content}/.`, directory);
    } catch (error) {
      rmSync(this.scratch, { recursive: true });
      throw error;
    }
  }

  /** Takes all the room that is left, to the last byte. */
  fill(): void {
    const file = openSync(join(this.directory, filler), 'a');
    try {
      for (let size = 1 << 20; size > 0; size = Math.floor(size / 2)) {
        while (isWritten(file, Buffer.alloc(size)));
      }
    } finally {
      closeSync(file);
    }
  }

  makeRoom(): void {
    rmSync(join(this.directory, filler));
  }

  /** Has the file system find an error, whereupon it makes itself read-only. It stays so until it is mounted anew. */
  fail(): void {
    run('sync');
    writeFileSync(`/sys/fs/ext4/${basename(this.device)}/trigger_fs_error`, 'a test');
  }

  /** What an operator does with a file system that has failed. Nobody may use it. */
  checkAndMount(): void {
    run('umount', this.directory);
    // says by its exit code that it has mended something
    try {
      run('e2fsck', '-fy', this.image);
    } catch {}
    this.mount();
  }

  end(): void {
    run('umount', '--lazy', this.directory);
    rmSync(this.scratch, { recursive: true });
  }

  private mount(): void {
    run('mount', '--options', 'loop,errors=remount-ro', this.image, this.directory);
    this.device = run('findmnt', '--noheadings', '--output', 'SOURCE', this.directory).trim();
  }
}

function isWritten(file: number, block: Buffer): boolean {
  try {
    return writeSync(file, block) === block.length;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return false;
    throw error;
  }
}

/** Why this machine lets the tests make no file system; undefined where it does. */
export function whyNoSmallDisk(): string | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'hsm-kms-disk-'));
  try {
    new SmallDisk(directory, 8).end();
    return undefined;
  } catch (error) {
    return `no file system can be made and mounted here: ${(error as Error).message.split('\n')[0]}`;
  } finally {
    rmSync(directory, { recursive: true });
  }
}
