/* Before a run of jest: what the tested token and the tested database need beside what each test makes itself. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestPostgres } from './postgres/server.mjs';
import setUpSid from './sid/set-up.mjs';

export default async function setUp() {
  setUpSid();
  process.env.HSM_KMS_TEST_INITIALISED = mkdtempSync(join(tmpdir(), 'hsm-kms-initialised-'));
  if (process.env.HSM_KMS_TEST_DATABASE !== 'postgres' || process.env.HSM_KMS_TEST_POSTGRES) return;
  const server = await TestPostgres.start();
  process.env.HSM_KMS_TEST_POSTGRES = server.url('postgres');
  globalThis.testPostgres = server;
}
