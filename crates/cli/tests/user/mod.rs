//! What a user does: calls the binary, reads what it prints.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::{TempDir, tempdir};

/// The binary, writing into `out`.
pub fn quire(out: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quire"));
    command.args(words).arg("--out").arg(out).env_remove("QUIRE_OUT").env("NO_COLOR", "1");
    command
}

/// A folder that goes with the test.
pub fn folder() -> TempDir {
    tempdir().unwrap()
}

/// What a program printed.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Standard output of a command that must succeed.
pub fn succeed(out: &Path, words: &[&str]) -> String {
    let output = quire(out, words).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// The error of a command that must fail with this code: no panic, nothing on standard output.
pub fn fail(out: &Path, words: &[&str], code: i32) -> String {
    let Output { status, stdout, stderr } = quire(out, words).output().unwrap();
    let error = text(&stderr);
    assert_eq!(status.code(), Some(code), "{words:?}: {error}");
    assert!(!error.contains("panicked"), "{words:?}: {error}");
    assert!(stdout.is_empty(), "{words:?} printed a result and failed");
    error
}

/// What a command that must succeed prints with `--json`.
pub fn json(out: &Path, words: &[&str]) -> Value {
    let text = succeed(out, &[words, &["--json"]].concat());
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{words:?}: {e}: {text}"))
}
