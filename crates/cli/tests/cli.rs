//! The command line as a user meets it: the real binary, right and wrong arguments, kills and interrupts.

mod user;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use user::{fail, folder, json, quire, succeed};

/// A small study: two methods, two seeds.
const SMALL: &[&str] =
    &["compare", "dqn", "double-dqn", "--on", "CartPole-v1", "--seeds", "2", "--steps", "400", "--quiet"];

#[test]
fn a_comparison_prints_a_table_and_leaves_a_report() {
    let out = folder();
    let table = succeed(out.path(), SMALL);
    assert!(table.contains("double-dqn") && table.contains("95 % INTERVAL"), "{table}");
    assert!(!table.contains('\u{1b}'), "colors in a pipe: {table}");
    let report = out.path().join("studies/1-dqn-vs-double-dqn-on-CartPole-v1/report.html");
    let page = fs::read_to_string(report).unwrap();
    assert!(page.contains("double-dqn") && page.contains("<svg"));
    assert!(!page.contains("src=\"http"), "the page fetches something");
}

#[test]
fn json_has_its_documented_shape() {
    let out = folder();
    let summary = json(out.path(), SMALL);
    assert_eq!(summary["problem"], "CartPole-v1");
    assert_eq!(summary["metric"], "return");
    assert!(Path::new(summary["report"].as_str().unwrap()).exists());
    for method in summary["methods"].as_array().unwrap() {
        assert!(method["name"].is_string() && method["iqm"].is_number() && method["wall_s"].is_number());
        assert_eq!(method["ci"].as_array().unwrap().len(), 2);
        assert_eq!(method["seeds"].as_array().unwrap().len(), 2);
    }
    let methods = json(out.path(), &["list", "methods"]);
    let double = methods.as_array().unwrap().iter().find(|method| method["name"] == "double-dqn").unwrap();
    assert_eq!((double["wing"].as_str(), double["baseline"].as_bool()), (Some("rl"), Some(false)));
    assert!(json(out.path(), &["list", "problems"]).as_array().unwrap().len() > 10);
    assert_eq!(json(out.path(), &["list", "studies"])[0]["status"], "done");
    assert!(json(out.path(), &["list", "papers"])[0]["claims"][0]["id"].is_string());
    assert_eq!(json(out.path(), &["show", "dqn", "--on", "CartPole-v1"])["on"]["batch_size"], 64);
    assert_eq!(json(out.path(), &["show", "CartPole-v1"])["budget"], 50_000);
}

#[test]
fn what_was_trained_can_be_evaluated_and_exported() {
    let out = folder();
    let trained =
        json(out.path(), &["train", "double-dqn", "--on", "CartPole-v1", "--steps", "300", "--seed", "3"]);
    assert_eq!(trained["reason"], "budget spent");
    let artefact = trained["artefact"].as_str().unwrap();
    let scored = json(out.path(), &["eval", artefact, "--episodes", "7"]);
    assert_eq!(scored["scores"].as_array().unwrap().len(), 7);
    assert_eq!(scored["mean"], json(out.path(), &["eval", artefact, "--episodes", "7"])["mean"]);
    let study = out.path().join("studies/1-train-double-dqn-on-CartPole-v1-seed3");
    let exports =
        [("csv", "points.csv"), ("jsonl", "points.jsonl"), ("tensorboard", "tensorboard"), ("svg", "curves")];
    for (format, file) in exports {
        succeed(out.path(), &["export", "--format", format]);
        assert!(study.join(file).exists(), "{format}");
    }
    let weights = Path::new(artefact).join("model.safetensors");
    let whole = fs::read(&weights).unwrap();
    fs::write(&weights, &whole[..whole.len() / 2]).unwrap();
    assert!(fail(out.path(), &["eval", artefact], 1).contains("is damaged"));
    assert!(fail(out.path(), &["eval", out.path().to_str().unwrap()], 1).contains("not an artefact"));
}

#[test]
fn wrong_names_and_values_are_usage_errors_that_help() {
    let out = folder();
    let compare = |words: &[&str]| fail(out.path(), &[&["compare"], words].concat(), 2);
    assert!(compare(&["doubel-dqn", "--on", "CartPole-v1"]).contains("did you mean one of `double-dqn`"));
    assert!(compare(&["dqn", "--on", "CartPol-v1"]).contains("`CartPole-v1`"));
    assert!(compare(&["sac", "--on", "CartPole-v1"]).contains("unknown method for CartPole-v1 `sac`"));
    let set = |assignment: &str| compare(&["dqn", "--on", "CartPole-v1", "--set", assignment]);
    assert!(set("discuont=0.9").contains("did you mean `discount`"));
    assert!(set("discount=1.5").contains("must lie in [0, 1]; got 1.5"));
    assert!(set("discount").contains("name=value"));
    assert!(compare(&["dqn", "dqn", "--on", "CartPole-v1"]).contains("given twice"));
    assert!(fail(out.path(), &["show", "dqm"], 2).contains("did you mean `dqn`"));
    assert!(fail(out.path(), &["resume"], 2).contains("no study has been run"));
    assert!(!out.path().join("quire.db").exists(), "a wrong request left a store behind");
}

#[test]
fn bad_files_are_named() {
    let out = folder();
    let file = out.path().join("study.toml");
    fs::write(&file, "name = \"x\"\nproblem = [\"CartPole-v1\"]\n").unwrap();
    assert!(fail(out.path(), &["run", file.to_str().unwrap()], 2).contains("study.toml:2:1"));
    assert!(fail(out.path(), &["run", "no-such.toml"], 1).contains("cannot read no-such.toml"));
    // A folder that cannot be made: its parent is a file.
    assert!(fail(&file.join("below"), SMALL, 1).contains("cannot create the folder"));
    let foreign = folder();
    fs::write(foreign.path().join("quire.db"), "no database, but long enough to look at".repeat(9)).unwrap();
    assert!(fail(foreign.path(), SMALL, 1).contains("not a Quire store"));
}

/// The numbers of a study.
fn numbers(out: &Path) -> String {
    let file = out.join("all.csv");
    succeed(out, &["export", "--format", "csv", "--to", file.to_str().unwrap()]);
    fs::read_to_string(file).unwrap()
}

/// Steps enough that a kill finds it at work.
const LONGER: &[&str] =
    &["compare", "dqn", "double-dqn", "--on", "CartPole-v1", "--seeds", "2", "--steps", "3000", "--quiet"];

#[cfg(unix)]
#[test]
fn an_interrupt_leaves_a_study_that_can_be_resumed() {
    let (undisturbed, out) = (folder(), folder());
    succeed(undisturbed.path(), LONGER);
    let child = quire(out.path(), LONGER).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // Wait until it is at work: before that nobody listens for the interrupt.
    while !out.path().join("studies").exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(300));
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let code = child.wait_with_output().unwrap().status.code();
    // 130 if it was stopped at work; 0 if it had just ended.
    assert!(matches!(code, Some(130 | 0)), "{code:?}");
    if code == Some(130) {
        succeed(out.path(), &["resume", "--quiet"]);
    }
    assert_eq!(numbers(out.path()), numbers(undisturbed.path()));
}
