/* After a run of jest over NSS of Debian sid. */
import { rmSync } from 'node:fs';

export default function tearDown() {
  const made = process.env.HSM_KMS_TEST_SID_MADE;
  if (made) rmSync(made, { recursive: true, force: true });
}
