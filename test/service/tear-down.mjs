/* After a run of jest. */
import tearDownSid from './sid/tear-down.mjs';

export default async function tearDown() {
  tearDownSid();
  await globalThis.testPostgres?.stop();
}
