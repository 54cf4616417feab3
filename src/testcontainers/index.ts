export { HsmKmsContainer } from './hsm-kms-container.js';
export type { Seed, SeededKey } from './seed.js';
export { type HsmKmsClientConfiguration, type HsmKmsCredentials, StartedHsmKmsContainer } from './started-container.js';
