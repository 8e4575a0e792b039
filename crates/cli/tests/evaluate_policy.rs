//! `quire evaluate-policy` on a user's own log, as a user meets it.

mod user;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use rand::RngExt;
use user::{fail, folder, json, succeed};

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// Two steps, two states: action a leads to state a, with a reward of a in state 0 and 2 a in state 1. Uniform actions.
fn chain(actions: usize) -> String {
    let mut rng = quire::core::Seeds::new(5).stream("log");
    let mut text = "episode,step,state,action,reward,done\n".to_owned();
    for episode in 0..400 {
        let (a, b) = (rng.random_range(0..actions), rng.random_range(0..actions));
        writeln!(text, "{episode},0,0,{a},{a},0\n{episode},1,{a},{b},{},1", (1 + a) * b).unwrap();
    }
    text
}

#[test]
fn the_law_of_a_chain_is_found() {
    let out = folder();
    let log = write(out.path(), "log.csv", &chain(2));
    let log = log.to_str().unwrap();
    let command = ["evaluate-policy", log, "--policy", "uniform", "--resamples", "3", "--set", "steps=1500"];
    let found = json(out.path(), &command);
    // Returns 0, 1, 1, 3 with probability 1/4 each.
    let law = &found["returns"][0];
    let number = |value: &serde_json::Value| value.as_f64().unwrap();
    assert!((number(&law["mean"]) - 1.25).abs() < 0.15, "{law}");
    assert!((number(&law["deviation"]) - 1.0897).abs() < 0.15, "{law}");
    for (index, expected) in [0.0, -1.0, 1.0, -1.0, 3.0].into_iter().enumerate() {
        // Quartiles lie on the edges of atoms.
        let quantile = number(&law["quantiles"][index]);
        assert!(expected < 0.0 || (quantile - expected).abs() < 0.25, "{law}");
    }
    assert_eq!(found["coverage"]["never"], 0.0);
    assert_eq!(found["warnings"], serde_json::json!([]));
    assert_eq!(found, json(out.path(), &command));
    // The policy that always takes action 1 earns 3.
    let command = ["evaluate-policy", log, "--policy", "1", "--resamples", "0", "--set", "steps=1500"];
    let law = &json(out.path(), &command)["returns"][0];
    assert!((number(&law["mean"]) - 3.0).abs() < 0.15 && number(&law["deviation"]) < 0.3, "{law}");
    assert!(law["interval"].is_null());
}

/// Files of other libraries, with the reader that the program is built with.
#[test]
fn parquet_is_read() {
    let out = folder();
    for file in ["log-pandas.parquet", "log-polars.parquet"] {
        let log = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mdp/tests/data").join(file);
        let log = log.to_str().unwrap();
        let command = ["evaluate-policy", log, "--policy", "1", "--resamples", "0", "--set", "steps=5"];
        let found = json(out.path(), &command);
        assert_eq!((&found["episodes"], &found["transitions"]), (&3.into(), &6.into()), "{file}");
    }
}

#[test]
fn leaving_the_log_is_warned_of() {
    let out = folder();
    let log = write(out.path(), "log.csv", &chain(2));
    let policy = write(out.path(), "policy.csv", "state,action,probability\n0,0,0.5\n0,2,0.5\n1,0,1\n");
    let (log, policy) = (log.to_str().unwrap(), policy.to_str().unwrap());
    let command = [
        "evaluate-policy",
        log,
        "--policy",
        policy,
        "--resamples",
        "0",
        "--set",
        "steps=10",
        "--samples",
        "100",
    ];
    // Half leave at once and for both steps, half of the rest at the second: (2 / 2 + 1 / 4) / 2.
    let never = json(out.path(), &command)["coverage"]["never"].as_f64().unwrap();
    assert!((never - 0.625).abs() < 1e-9, "{never}");
    assert!(succeed(out.path(), &command).contains("warning: 62 %"));
}

#[test]
fn mistakes_are_named() {
    let out = folder();
    let header = "episode,step,state,action,reward,done\n";
    for (rows, expected) in [
        ("0,0,0,x,1,1\n", "log.csv:2:4: column 4 (`action`)"),
        ("0,0,0,0,1,0\n0,1,0,-1,1,1\n", "log.csv:3:4"),
        ("0,0,0,0,1,0\n0,2,0,0,1,1\n", "log.csv:3:2"),
        ("0,0,0,0,1,1\n0,1,0,0,1,1\n", "goes on after `done`"),
        ("0,0,0,0,nan,1\n", "log.csv:2:5"),
        ("0,0,0\n", "line: 2"),
        ("", "no transition"),
    ] {
        let log = write(out.path(), "log.csv", &format!("{header}{rows}"));
        let status = if expected.starts_with("line") || rows.is_empty() { 1 } else { 2 };
        let error =
            fail(out.path(), &["evaluate-policy", log.to_str().unwrap(), "--policy", "uniform"], status);
        assert!(error.contains(expected), "{rows}: {error}");
    }
    let log = write(out.path(), "log.csv", "episode,step,state,action,reward\n0,0,0,0,1\n");
    let log = log.to_str().unwrap();
    assert!(fail(out.path(), &["evaluate-policy", log, "--policy", "0"], 1).contains("`done`"));
    assert!(fail(out.path(), &["evaluate-policy", log, "--policy", "best"], 2).contains("--policy"));
    assert!(fail(out.path(), &["evaluate-policy", "log.json", "--policy", "0"], 1).contains("as CSV"));
    let log = write(out.path(), "log.parquet", "not one");
    let log = log.to_str().unwrap();
    assert!(
        fail(out.path(), &["evaluate-policy", log, "--policy", "0"], 1)
            .contains("log.parquet: is not a readable Parquet file")
    );
    let log = write(out.path(), "log.csv", "episode,step,state_x,action,reward,done\n0,0,0.5,0,1,1\n");
    let log = log.to_str().unwrap();
    assert!(fail(out.path(), &["evaluate-policy", log, "--policy", "logged"], 2).contains("integer states"));
    let error = fail(out.path(), &["evaluate-policy", log, "--policy", "0", "--discount", "1"], 2);
    assert!(error.contains("--discount"));
}
