//! Properties of what reads papers and stores: no text, no file makes it panic, and errors say where.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use quire_core::{Error, Point, Result};
use quire_study::claims::Paper;
use quire_study::store::{Batch, Outcome, RunStatus};
use quire_study::{Store, StudySpec, StudySummary, registry};

const PAPER: &str = include_str!("../../../papers/redq.toml");

fn config(cases: u32) -> Config {
    Config { cases, rng_seed: RngSeed::Fixed(5), failure_persistence: None, ..Config::default() }
}

/// Checks that an error has a place within the text.
fn placed(text: &str, parsed: &Result<Paper>) -> Result<(), TestCaseError> {
    match parsed {
        Ok(paper) => prop_assert!(!paper.claims.is_empty()),
        Err(Error::Parse { line, column, .. }) => {
            prop_assert!((1..=text.matches('\n').count() + 1).contains(line) && *column >= 1);
        }
        Err(other) => prop_assert!(false, "an error without a place: {other}"),
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn a_damaged_paper_is_refused_in_its_place(at: prop::sample::Index, damage in "[\\[\\]{}=()<>\"a-z0-9\n.-]{0,3}") {
        let at = at.index(PAPER.len());
        prop_assume!(PAPER.is_char_boundary(at) && PAPER.is_char_boundary((at + damage.len()).min(PAPER.len())));
        let text = format!("{}{damage}{}", &PAPER[..at], &PAPER[(at + damage.len()).min(PAPER.len())..]);
        placed(&text, &Paper::parse(Path::new("redq.toml"), &text))?;
    }

    #[test]
    fn no_text_makes_the_reader_of_papers_panic(text in "(?s).*") {
        placed(&text, &Paper::parse(Path::new("p.toml"), &text))?;
    }
}

#[test]
fn a_wrong_expectation_is_told_by_line_and_column() {
    let place = |from: &str, to: &str| {
        let text = PAPER.replacen(from, to, 1);
        assert_ne!(text, PAPER, "the paper has no `{from}`");
        let line = 1 + text[..text.find(to).unwrap()].matches('\n').count();
        let error = Paper::parse(Path::new("redq.toml"), &text).unwrap_err().to_string();
        assert!(error.starts_with(&format!("redq.toml:{line}:")), "{error}");
    };
    place("(redq)", "(redq");
    place("(redq)", "(no-such-method)");
}

/// A small store: a study of two runs, one finished, one with a checkpoint.
fn genuine(path: &Path) -> Vec<u8> {
    let mut store = Store::create_or_open(path).unwrap();
    let text =
        "name = \"s\"\nproblems = [\"maximization-bias\"]\nseeds = 2\n[[methods]]\nmethod = \"q-learning\"\n";
    let spec = StudySpec::parse(Path::new("s.toml"), text).unwrap();
    let study = store.add_study(&spec.plan(&registry(), String::new(), None).unwrap()).unwrap();
    let points =
        [Point { step: 1, metric: "left", value: 0.5 }, Point { step: 2, metric: "left", value: 0.25 }];
    let batch = Batch { points: &points, steps: 2, wall_s: 0.1, checkpoint: Some(&[1, 2, 3, 4, 5]) };
    let run = store.claim(study, "here").unwrap().unwrap();
    let outcome = Outcome { status: RunStatus::Done, reason: "budget spent".into(), artefact: None };
    store.finish(run.id, &batch, &outcome).unwrap();
    let run = store.claim(study, "here").unwrap().unwrap();
    store.append(run.id, &batch).unwrap();
    drop(store); // the last connection folds the log into the file
    fs::read(path).unwrap()
}

/// Reads everything that a store holds.
fn read_all(path: &Path) -> Result<()> {
    let store = Store::open(path)?;
    for study in store.studies()? {
        let _ = StudySummary::from_store(&store, study.id);
        for problem in store.problems(study.id)? {
            for metric in &problem.metrics {
                store.curves(study.id, &problem.name, &metric.name)?;
                store.finals(study.id, &problem.name, &metric.name)?;
            }
        }
        for run in store.runs(study.id)? {
            store.checkpoint(run.id)?;
        }
        store.for_each_point(study.id, |_| Ok(()))?;
    }
    Ok(())
}

#[test]
fn a_damaged_store_gives_values_or_errors() {
    let folder = tempfile::tempdir().unwrap();
    let whole = genuine(&folder.path().join("genuine.db"));
    let path = folder.path().join("changed.db");
    let mut runner = proptest::test_runner::TestRunner::new(config(150));
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..200);
    let strategy = (changes, prop::option::of(any::<prop::sample::Index>()));
    runner
        .run(&strategy, |(changes, cut)| {
            let mut bytes = whole.clone();
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(whole.len()));
            }
            fs::write(&path, &bytes).unwrap();
            if let Err(error) = read_all(&path) {
                prop_assert!(!error.to_string().is_empty());
            }
            for beside in ["changed.db-wal", "changed.db-shm", "changed.db-journal"] {
                let _ = fs::remove_file(folder.path().join(beside));
            }
            Ok(())
        })
        .unwrap();
}
