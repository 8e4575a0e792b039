//! `quire refine-schedule` on the norms of a user's own run, as a user meets it.

mod user;

use std::fs;
use std::path::Path;

use user::{fail, folder, json, succeed};

#[test]
fn norms_of_a_run_become_the_schedule_of_the_next_one() {
    let out = folder();
    let train = |set: &[&str]| {
        let run = ["train", "dqn", "--on", "CartPole-v1", "--steps", "1500", "--set", "learning_starts=100"];
        json(out.path(), &[&run[..], &["--set", "optimizer=adam"], set].concat())
    };
    let first = train(&["--set", "optimizer.schedule=linear", "--set", "optimizer.record_norms=true"]);
    let norms = Path::new(first["artefact"].as_str().unwrap()).join("gradient-norms.csv");
    let rows = fs::read_to_string(&norms).unwrap();
    assert!(rows.starts_with("step,l1,l2\n1,") && rows.lines().count() > 100, "{rows}");
    let (norms, schedule) = (norms.to_str().unwrap(), out.path().join("refined.csv"));
    let printed =
        succeed(out.path(), &["refine-schedule", norms, "--power", "adam", "-o", schedule.to_str().unwrap()]);
    for part in ["of the run is warm-up", "█", "optimizer.schedule="] {
        assert!(printed.contains(part), "the output lacks {part}: {printed}");
    }
    let second = train(&["--set", &format!("optimizer.schedule={}", schedule.display())]);
    assert_eq!(second["reason"], "budget spent");
    let manifest =
        fs::read_to_string(Path::new(second["artefact"].as_str().unwrap()).join("quire.toml")).unwrap();
    assert!(manifest.contains("points") && manifest.contains("factors"), "{manifest}");
    // The same in a study's file, whose folder names are relative to.
    let study = out.path().join("study.toml");
    let text = "name = \"refined\"\nproblems = [\"CartPole-v1\"]\nseeds = 1\nsteps = 300\n[[methods]]\nmethod = \"dqn\"\n\
                options = { learning_starts = 100, optimizer = { name = \"adam\", schedule = \"refined.csv\" } }\n";
    fs::write(&study, text).unwrap();
    assert_eq!(json(out.path(), &["run", study.to_str().unwrap()])["problem"], "CartPole-v1");
}

#[test]
fn a_published_example_and_its_json() {
    let out = folder();
    let path = out.path().join("norms.csv");
    fs::write(&path, "norm\n4\n2\n1\n1\n1\n1\n").unwrap();
    let norms = path.to_str().unwrap();
    let found = json(out.path(), &["refine-schedule", norms, "--power", "sgd"]);
    let factors: Vec<f64> =
        found["factors"].as_array().unwrap().iter().map(|f| f.as_f64().unwrap()).collect();
    for (factor, wanted) in factors.iter().zip([0.08854167, 1.0 / 3.0, 1.0, 2.0 / 3.0, 1.0 / 3.0, 0.0]) {
        assert!((factor - wanted).abs() < 1e-8, "{factors:?}");
    }
    assert!(found["bound_share"].as_f64().unwrap() < 1.0 && found["output"].is_null());
    let longer = json(out.path(), &["refine-schedule", norms, "--power", "sgd", "--steps", "11"]);
    assert_eq!((longer["factors"].as_array().unwrap().len(), longer["factors"][4].as_f64()), (11, Some(1.0)));
}

#[test]
fn mistakes_are_named() {
    let out = folder();
    let write = |text: &str| {
        let path = out.path().join("norms.csv");
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let refine = |text: &str, more: &[&str], code| {
        fail(out.path(), &[&["refine-schedule", &write(text), "--power", "sgd"], more].concat(), code)
    };
    assert!(refine("step,l1\n1,2\n", &[], 1).contains("misses the column `l2` or `norm`"));
    assert!(refine("l2\n1\nx\n", &[], 2).contains("norms.csv:3:1"));
    assert!(refine("l2\n1\n", &[], 2).contains("at least 2 finite norms"));
    assert!(refine("l2\n1\n2\n", &["--smoothing", "1"], 2).contains("share of the run in (0, 1)"));
    assert!(refine("l2\n1\n2\n", &["-o", "schedule.txt"], 2).contains("ends in .csv"));
    let path = write("factor\n2\n");
    let words = ["train", "dqn", "--on", "CartPole-v1", "--set", &format!("optimizer.schedule={path}")];
    assert!(fail(out.path(), &words, 2).contains("`2` is not a number in [0, 1]"));
    let missing = ["train", "dqn", "--on", "CartPole-v1", "--set", "optimizer.schedule=none.csv"];
    assert!(fail(out.path(), &missing, 1).contains("none.csv"));
}
