#!/usr/bin/env node
/**
 * Adds to package-lock.json the optional packages of other platforms that it names and does not list. A registry mirror
 * that has this platform's binaries only makes `npm install` leave them out, and then `npm ci` of npm 11 refuses the
 * lock file on every machine. Run it after an `npm install` that changed the lock file; where nothing is missing it
 * changes nothing. With --check it only says what is missing.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const systems = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];
const processors = ['arm', 'arm64', 'ia32', 'loong64', 'ppc64', 'riscv64', 's390x', 'x64'];
const libraries = { gnu: 'glibc', gnueabihf: 'glibc', musl: 'musl', musleabihf: 'musl' };

/** What a name such as @swc/core-linux-arm64-gnu says of its platform. @throws Error when that is unclear */
function platformOf(name) {
  const words = name.split(/[/-]/);
  const os = words.filter((word) => systems.includes(word));
  const cpu = words.filter((word) => processors.includes(word));
  if (os.length !== 1 || cpu.length !== 1) throw new Error(`The platform of ${name} cannot be read off its name.`);
  const libc = os[0] === 'linux' ? words.flatMap((word) => libraries[word] ?? []) : [];
  return { os, cpu, libc };
}

/** True when Node would find the package from the place of the one that depends on it. */
function isListed(packages, place, name) {
  const parts = ['', ...place.split(/(?:^|\/)node_modules\//).slice(1)];
  return parts.some(
    (_, last) => `${parts.slice(0, last + 1).join('/node_modules/')}/node_modules/${name}`.slice(1) in packages,
  );
}

/** The lock file with what is missing, sorted as npm sorts it, and the names that were added. */
function completed(lock) {
  const packages = { ...lock.packages };
  const added = [];
  for (const [place, { dev, optionalDependencies = {} }] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      if (isListed(lock.packages, place, name)) continue;
      const { os, cpu, libc } = platformOf(name);
      packages[`node_modules/${name}`] = {
        version,
        cpu,
        ...(dev && { dev }),
        ...(libc.length > 0 && { libc }),
        optional: true,
        os,
      };
      added.push(name);
    }
  }
  const sorted = Object.entries(packages).sort(([one], [other]) => one.localeCompare(other, 'en'));
  return { lock: { ...lock, packages: Object.fromEntries(sorted) }, added };
}

const file = new URL('../package-lock.json', import.meta.url);
const { lock, added } = completed(JSON.parse(readFileSync(file, 'utf8')));
if (added.length === 0) {
  console.log('package-lock.json is complete');
} else if (process.argv.includes('--check')) {
  console.error(`package-lock.json lacks ${added.join(', ')}: run scripts/complete-lock.mjs`);
  process.exitCode = 1;
} else {
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
  console.log(`added ${added.join(', ')}`);
}
