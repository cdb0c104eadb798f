/*
 * The verdicts: X(name, exit code of `testlab run --test ID`, rank, what it means).
 * Rank orders severity when one line must stand for many (higher wins). The exit
 * codes follow the CLI's contract: 0 nothing failed, 1 a test failed, 3 the
 * lab's own trouble. No include guard: included with different X.
 */
X(PASS, 0, 1, "every requirement the test checks was met")
X(WARN, 0, 4, "a SHOULD was not met")
X(SKIP, 0, 0, "does not apply to this role or configuration")
X(UNSUPPORTED, 0, 2, "the kernel lacks the feature")
X(ERROR, 3, 5, "the lab's own fault: harness, virtual machine or capture")
X(FAIL, 1, 6, "a MUST was broken")
