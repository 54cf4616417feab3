import { audit } from './audit.js';
import { capabilities } from './capabilities.js';
import { clock } from './clock.js';
import { configuration } from './configuration.js';
import { database } from './database.js';
import { disk } from './disk.js';
import { dueWork } from './due-work.js';
import { files } from './files.js';
import type { Check } from './finding.js';
import { keyStores } from './key-stores.js';
import { objects } from './objects.js';
import { seals } from './seals.js';
import { service } from './service.js';
import { tls } from './tls.js';
import { token, tokenFiles } from './token.js';

/** In this order: what others need comes first, as it is repaired before they look. */
export const checks: readonly Check[] = [
  configuration,
  files,
  disk,
  audit,
  service,
  database,
  clock,
  tls,
  tokenFiles,
  token,
  capabilities,
  keyStores,
  seals,
  objects,
  dueWork,
];
