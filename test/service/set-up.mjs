/*
 * Before a run of jest: what the tested token and the tested database need beside what each test makes itself.
 * HSM_KMS_TEST_EVERYTHING is set where all that can be had here are tested, in one run.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestPostgres, whyNoPostgres } from './postgres/server.mjs';
import setUpSid, { whyNoSid } from './sid/set-up.mjs';

export default async function setUp() {
  const isEverything = process.env.HSM_KMS_TEST_EVERYTHING !== undefined;
  const { HSM_KMS_TEST_TOKEN: token, HSM_KMS_TEST_DATABASE: database } = process.env;
  if (isEverything ? !whyNoSid() : token === 'nss-sid') setUpSid();
  process.env.HSM_KMS_TEST_INITIALISED = mkdtempSync(join(tmpdir(), 'hsm-kms-initialised-'));
  if (process.env.HSM_KMS_TEST_POSTGRES || !(isEverything ? !whyNoPostgres() : database === 'postgres')) return;
  const server = await TestPostgres.start();
  process.env.HSM_KMS_TEST_POSTGRES = server.url('postgres');
  globalThis.testPostgres = server;
}
