//! Runs a test in a process of its own, if it measures the process's memory or needs environment variables.

use std::ffi::OsStr;

use tokio::process::Command;

/// Set in the process that [`run_alone`] starts.
const ALONE: &str = "WARMGATE_TEST_ALONE";

/// Whether this process runs a single test for [`run_alone`].
pub(crate) fn is_alone() -> bool {
    std::env::var_os(ALONE).is_some()
}

/// Runs the test `name` in a process of its own with these environment variables, and fails if it fails.
pub(crate) async fn run_alone(name: &str, variables: &[(&str, &OsStr)]) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name])
        .env(ALONE, "1")
        .envs(variables.iter().copied())
        .output()
        .await
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
}
