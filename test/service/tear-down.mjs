/* After a run of jest. */
import { rmSync } from 'node:fs';
import tearDownSid from './sid/tear-down.mjs';

export default async function tearDown() {
  tearDownSid();
  rmSync(process.env.HSM_KMS_TEST_INITIALISED, { recursive: true });
  await globalThis.testPostgres?.stop();
}
