//! `backstop demo --once`, as a newcomer runs it.

use std::process::Command;

#[test]
fn shows_the_main_job_and_ends_well() {
    let output = Command::new(env!("CARGO_BIN_EXE_backstop")).args(["demo", "--once"]).output().unwrap();

    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{shown}{}", String::from_utf8_lossy(&output.stderr));
    for expected in [
        "✗ first-choice   Attempt 1/9: ERROR: ",
        "✗ shaky-mini     Attempt 2/9: ERROR: 429 - Rate limit exceeded",
        "✗ shaky-mini     Attempt 3/9: ERROR: 503 - The model is overloaded",
        "✗ shaky-mini     Attempt 4/9: ERROR: ",
        "✓ steady-large   Attempt 5/9 (",
        "  │ Yes, here I am",
        "✓ answered by steady/steady-large on attempt 5",
    ] {
        assert!(shown.contains(expected), "no `{expected}` in:\n{shown}");
    }
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    assert!(!shown.contains('\x1b'), "colour where there is no terminal");
}
