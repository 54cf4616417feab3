/** ESM under jest: NODE_OPTIONS=--experimental-vm-modules, TypeScript through swc. Types are checked by `npm run check`. */
export default {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2022', experimental: { keepImportAttributes: true } },
        module: { type: 'es6' },
      },
    ],
  },
  globalSetup: '<rootDir>/test/service/set-up.mjs',
  globalTeardown: '<rootDir>/test/service/tear-down.mjs',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  modulePathIgnorePatterns: ['<rootDir>/build/', '<rootDir>/dist/'],
  // only for what hangs: tests wait for what is to happen, however slow the machine is
  testTimeout: 300_000,
  maxWorkers: 2,
};
