/** A jest reporter: tells run-tests.mjs what a run has counted, and which suites failed. */
export default class CountTests {
  #executed = 0;

  onRunComplete(_contexts, results) {
    // a file that cannot even be loaded has no tests to count, and is a failure
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    this.#executed = results.numPassedTests + failed;
    process.send?.({
      passed: results.numPassedTests,
      failed,
      skipped: results.numPendingTests + results.numTodoTests,
      failures: results.testResults
        .filter(({ numFailingTests, testExecError }) => numFailingTests > 0 || testExecError)
        .map(({ testFilePath, displayName }) => [displayName?.name, testFilePath].filter(Boolean).join(' ')),
    });
  }

  /** jest ends with an error when a reporter has one. */
  getLastError() {
    return this.#executed === 0 ? new Error('No test ran.') : undefined;
  }
}
