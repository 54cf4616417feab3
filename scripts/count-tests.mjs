import { writeFileSync } from 'node:fs';

/**
 * A jest reporter: ends a run with `N passed, N failed, N skipped`, alone on its line, for people and for CI. Of several
 * runs the counts go to the file that HSM_KMS_TEST_COUNTS names, and who runs them prints the sum.
 */
export default class CountTests {
  #executed = 0;

  onRunComplete(_contexts, results) {
    // a file that cannot even be loaded has no tests to count, and is a failure
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const skipped = results.numPendingTests + results.numTodoTests;
    this.#executed = results.numPassedTests + failed;
    const { numPassedTests: passed } = results;
    const file = process.env.HSM_KMS_TEST_COUNTS;
    if (file) writeFileSync(file, JSON.stringify({ passed, failed, skipped }));
    // jest's own summary comes after its reporters
    else process.once('exit', () => console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped`));
  }

  /** jest ends with an error when a reporter has one. */
  getLastError() {
    return this.#executed === 0 ? new Error('No test ran.') : undefined;
  }
}
