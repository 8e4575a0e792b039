//! `quire solve-mdp` and explorers on a user's own model, as a user meets them.

mod user;

use std::path::{Path, PathBuf};

use user::{fail, folder, json, succeed};

/// The trap of arXiv:2312.08369: 0.6 at once, or nothing now and 1 after one good action.
const TRAP: &str = r#"{
    "transitions": [[-1, 1], [-1, -1]], "rewards": [[0.6, 0.0], [1.0, 0.0]], "horizon": 2, "discount": 0.9
}"#;

fn write(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("model.json");
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_model_is_solved() {
    let out = folder();
    let path = write(out.path(), TRAP);
    let path = path.to_str().unwrap();
    let solved = json(out.path(), &["solve-mdp", path, "--risk", "0.5"]);
    assert_eq!(solved["states"], 3);
    let close = |value: &serde_json::Value, expected: f64| (value.as_f64().unwrap() - expected).abs() < 1e-6;
    // 0 + 0.9 * 1 beats 0.6; without chance no caution changes that.
    assert!(close(&solved["discounted"]["value"], 0.9) && close(&solved["cautious"]["value"], 0.9));
    assert_eq!(solved["discounted"]["policy"], serde_json::json!([1, 0, 0]));
    // Every policy ends in the state without reward.
    assert!(close(&solved["average"]["gain"], 0.0));
    assert!(
        close(&solved["episodic"]["optimal_return"], 1.0)
            && close(&solved["episodic"]["random_return"], 0.55)
    );
    assert_eq!(
        (&solved["episodic"]["solvable_at"], &solved["episodic"]["planning_window"]),
        (&2.into(), &2.into())
    );
    assert!(close(&solved["episodic"]["effective_horizon"], 4.643856));
    // Both choices at the start have probability 1/2 an episode, those behind the second 1/4: (3/4)^3 is below 1/2, and
    // 2 (1/2)^n + 2 (3/4)^n first is at n = 6.
    let covering = &solved["episodic"]["covering_length"];
    assert!(close(&covering["at_least"], 3.0) && close(&covering["at_most"], 6.0));
    assert!(close(&covering["simple_bound"], 12.0_f64.ln() / 0.25) && covering["pairs"] == 4);
    let text = succeed(out.path(), &["solve-mdp", path]);
    assert!(
        text.contains("effective horizon")
            && text.contains("3 to 6")
            && text.contains("4.64")
            && !text.contains("robust"),
        "{text}"
    );
}

#[test]
fn sticky_actions_make_pairs() {
    let out = folder();
    let path = write(out.path(), TRAP);
    let path = path.to_str().unwrap();
    let solved = json(out.path(), &["solve-mdp", path, "--sticky", "0.25"]);
    // The start, the end, and the state behind action 1.
    assert_eq!(solved["sticky_states"], serde_json::json!([[0, null], [2, null], [1, 1]]));
    assert_eq!(solved["episodic"]["optimal_return"], 0.75);
    assert!(succeed(out.path(), &["solve-mdp", path, "--sticky", "0.25"]).contains("1 after action 1"));
    assert!(fail(out.path(), &["solve-mdp", path, "--sticky", "2"], 2).contains("--sticky"));
}

#[test]
fn explorers_compete_on_a_model() {
    let out = folder();
    let path = write(out.path(), TRAP);
    let on = path.to_str().unwrap();
    let words = ["compare", "ucbvi", "psrl", "--on", on, "--seeds", "2", "--steps", "50", "--quiet"];
    let summary = json(out.path(), &words);
    assert_eq!(summary["metric"], "regret");
    assert_eq!(summary["methods"].as_array().unwrap().len(), 2);
}

#[test]
fn a_bad_model_is_an_error_that_names_the_place() {
    let out = folder();
    let path = write(out.path(), r#"{"transitions": [[[0.5, 0.4]], [[0, 1]]], "rewards": [[0], [0]]}"#);
    let error = fail(out.path(), &["solve-mdp", path.to_str().unwrap()], 1);
    assert!(error.contains("action 0 in state 0") && error.contains("model.json"), "{error}");
    let path = write(out.path(), TRAP);
    let path = path.to_str().unwrap();
    assert!(fail(out.path(), &["solve-mdp", path, "--discount", "1"], 2).contains("--discount"));
    assert!(fail(out.path(), &["solve-mdp", path, "--risk", "-1"], 2).contains("--risk"));
    assert!(fail(out.path(), &["solve-mdp", "no-such.npz"], 1).contains("no-such.npz"));
    let path = write(out.path(), &TRAP.replace("0.6", "6"));
    let error = fail(out.path(), &["train", "psrl", "--on", path.to_str().unwrap()], 1);
    assert!(error.contains("action 0 in state 0 has the reward 6"), "{error}");
}
