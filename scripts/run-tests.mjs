/**
 * npm test's runs of jest: everything that can be had here (everything.config.mjs), in parts one after the other. With
 * arguments, which go to jest, one run over the token that HSM_KMS_TEST_TOKEN names and the database that
 * HSM_KMS_TEST_DATABASE names. The last line counts the tests.
 */
import { skippedParts } from './everything.config.mjs';
import { runJests } from './jest-runs.mjs';

/** jest keeps the modules of all suites that a process has run: after a hundred, suites with many objects take thrice as long. */
const parts = 4;

const given = process.argv.slice(2);
if (given.length > 0) await runJests([given]);
else {
  for (const { over, whyNot } of skippedParts) console.error(`SKIPPED, the tests over ${over}: ${whyNot}`);
  const config = '--config=scripts/everything.config.mjs';
  await runJests(
    Array.from({ length: parts }, (_, part) => [config, `--shard=${part + 1}/${parts}`]),
    {
      notBegun: skippedParts.reduce((sum, { suites }) => sum + suites.length, 0),
      environment: { HSM_KMS_TEST_EVERYTHING: 'yes' },
    },
  );
}
