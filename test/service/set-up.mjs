/* Before a run of jest: what the tested token and the tested database need beside what each test makes itself. */
import { TestPostgres } from './postgres/server.mjs';
import setUpSid from './sid/set-up.mjs';

export default async function setUp() {
  setUpSid();
  if (process.env.HSM_KMS_TEST_DATABASE !== 'postgres' || process.env.HSM_KMS_TEST_POSTGRES) return;
  const server = await TestPostgres.start();
  process.env.HSM_KMS_TEST_POSTGRES = server.url('postgres');
  globalThis.testPostgres = server;
}
