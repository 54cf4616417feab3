/*
 * Before a run of jest over NSS of Debian sid (HSM_KMS_TEST_TOKEN=nss-sid): makes a directory with sid's libraries and
 * programs, and in it this machine's Node.js, which loads libc and what goes with it from there. It needs no chroot: a
 * process of it sees all files of this machine.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** Makes a root directory of another Debian suite; stands beside the project where its developers work. */
const rootTool =
  process.env.HSM_KMS_TEST_DEBIAN_ROOT ?? resolve(import.meta.dirname, '../../../../shared/tools/debian-root');
const packages = ['libnss3', 'libnss3-tools', 'libstdc++6', 'libatomic1', 'openssl', 'patchelf'];

/** Why libraries newer than this machine's cannot be had; undefined when they can. */
export function whyNoSid() {
  if (process.getuid?.() !== 0) return 'only root can make a newer Debian';
  if (!existsSync(rootTool)) return `there is no ${rootTool} to make a newer Debian with`;
  return undefined;
}

/** Names the directory in HSM_KMS_TEST_SID, for the tests. @throws Error when it cannot be made */
export default function setUp() {
  if (process.env.HSM_KMS_TEST_SID) return;
  const why = whyNoSid();
  if (why) throw new Error(`NSS of Debian sid cannot be had here: ${why}`);
  // not in TMPDIR: its name must be short, see below
  const root = mkdtempSync('/tmp/sid-');
  try {
    execFileSync(rootTool, ['sid', root, ...packages], { stdio: ['ignore', 'ignore', 'pipe'] });
    patchNode(root);
  } catch (error) {
    rmSync(root, { recursive: true, force: true });
    throw error;
  }
  process.env.HSM_KMS_TEST_SID = root;
  // what tear-down.mjs removes: not a directory that somebody else has named
  process.env.HSM_KMS_TEST_SID_MADE = root;
}

/** Has a copy of Node.js load sid's libraries: the loader that it names, and where that one looks. */
function patchNode(root) {
  const libraries = `${root}/usr/lib/${readdirSync(`${root}/usr/lib`).find((each) => each.endsWith('-linux-gnu'))}`;
  const loader = readdirSync(libraries).find((each) => /^ld-linux-.+\.so\.\d$/.test(each));
  symlinkSync(join(libraries, loader), `${root}/ld`);
  const program = readFileSync(process.execPath);
  // in its place: patchelf 0.18 makes a program that crashes when it changes both
  const [named] = new RegExp(`/lib(64)?/${loader}\\0`).exec(program.toString('latin1')) ?? [];
  if (named === undefined || named.length <= `${root}/ld`.length)
    throw new Error(`${process.execPath} names no ${loader}`);
  program.write(`${root}/ld`.padEnd(named.length, '\0'), program.indexOf(named));
  writeFileSync(`${root}/node`, program, { mode: 0o755 });
  const flags = ['--force-rpath', '--set-rpath', libraries, '/node'];
  execFileSync('chroot', [root, 'patchelf', ...flags], { stdio: ['ignore', 'ignore', 'pipe'] });
}
