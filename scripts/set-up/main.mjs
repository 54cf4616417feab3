/**
 * Brings a clone to where the service runs: system packages, npm packages, build. Each step looks first and does
 * nothing when it is done, so an interrupted set-up goes on where it was, and a finished one costs milliseconds.
 * Only Node's own modules: nothing else is installed yet.
 */
import { build } from './build.mjs';
import { installNodePackages, nodePackagesAreInstalled } from './node-packages.mjs';
import { installSystemPackages } from './system-packages.mjs';

try {
  await installSystemPackages({
    toCompile: !nodePackagesAreInstalled(),
    toTest: process.argv[2] === 'test',
  });
  await installNodePackages();
  await build({ toInstall: process.argv[2] === 'install' });
} catch (error) {
  console.error(`\n${error.message}`);
  process.exit(1);
}
