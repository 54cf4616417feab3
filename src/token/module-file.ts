import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** ELF's e_machine -> what Node calls the architecture (process.arch). */
const architectures: Readonly<Record<number, string>> = {
  3: 'ia32',
  21: 'ppc64',
  22: 's390x',
  40: 'arm',
  62: 'x64',
  183: 'arm64',
  243: 'riscv64',
  258: 'loong64',
};

const headerBytes = 20;
/** e_machine, after e_ident and e_type. */
const machineOffset = 18;

/**
 * Why a shared library cannot be one for this process, from its first bytes: what the linker says of it helps nobody.
 *
 * @returns undefined when there is nothing to say against it, which is all that is known on systems without ELF
 * @throws Error when the file cannot be read
 */
export function whyNotForThisProcess(path: string): string | undefined {
  if (process.platform !== 'linux') return undefined;
  const header = Buffer.alloc(headerBytes);
  const file = openSync(path, 'r');
  let read = 0;
  try {
    if (fstatSync(file).isFile()) read = readSync(file, header, 0, headerBytes, 0);
  } finally {
    closeSync(file);
  }
  if (read < headerBytes || header.toString('latin1', 0, 4) !== '\x7fELF') return 'is no shared library';
  const isBigEndian = header[5] === 2;
  const machine = isBigEndian ? header.readUInt16BE(machineOffset) : header.readUInt16LE(machineOffset);
  const architecture = architectures[machine] ?? `another architecture (ELF machine ${machine})`;
  return architecture === process.arch ? undefined : `is for ${architecture}, and this Node.js is for ${process.arch}`;
}
