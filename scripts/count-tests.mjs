/**
 * A jest reporter: ends a run with `N passed, N failed, N skipped`, alone on its line, for people and for CI.
 * HSM_KMS_TEST_SKIPPED is how many suites were not even begun.
 */
export default class CountTests {
  #executed = 0;

  onRunComplete(_contexts, results) {
    // a file that cannot even be loaded has no tests to count, and is a failure
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const skipped = results.numPendingTests + results.numTodoTests + Number(process.env.HSM_KMS_TEST_SKIPPED ?? 0);
    this.#executed = results.numPassedTests + failed;
    const { numPassedTests: passed } = results;
    // jest's own summary comes after its reporters
    process.once('exit', () => console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped`));
  }

  /** jest ends with an error when a reporter has one. */
  getLastError() {
    return this.#executed === 0 ? new Error('No test ran.') : undefined;
  }
}
