//! A store's file: raw bytes, and a genuine store with changes. Whatever is in it, reading gives values or errors.
#![no_main]

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use quire_core::{Point, Result};
use quire_study::Store;
use quire_study::store::{Batch, Outcome, RunStatus};

/// A small store: a study of two runs, one finished, one with a checkpoint.
static GENUINE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let path = quire_fuzz::scratch("genuine.db");
    let mut store = Store::create_or_open(&path).unwrap();
    let text =
        "name = \"s\"\nproblems = [\"maximization-bias\"]\nseeds = 2\n[[methods]]\nmethod = \"q-learning\"\n";
    let spec = quire_study::StudySpec::parse(Path::new("s.toml"), text).unwrap();
    let plan = spec.plan(quire_fuzz::registry(), "quire run s.toml".into(), None).unwrap();
    let study = store.add_study(&plan).unwrap();
    for last in [false, true] {
        let run = store.claim(study, "here").unwrap().unwrap();
        let points =
            [Point { step: 1, metric: "left", value: 0.5 }, Point { step: 2, metric: "left", value: 0.25 }];
        let batch = Batch { points: &points, steps: 2, wall_s: 0.1, checkpoint: Some(&[1, 2, 3, 4, 5]) };
        if last {
            store.append(run.id, &batch).unwrap();
        } else {
            let outcome = Outcome { status: RunStatus::Done, reason: "budget spent".into(), artefact: None };
            store.finish(run.id, &batch, &outcome).unwrap();
        }
    }
    drop(store); // the last connection folds the log into the file
    fs::read(path).unwrap()
});

fn read_all(path: &Path) -> Result<()> {
    let store = Store::open(path)?;
    for study in store.studies()? {
        let _ = quire_study::StudySummary::from_store(&store, study.id);
        for problem in store.problems(study.id)? {
            for metric in &problem.metrics {
                store.curves(study.id, &problem.name, &metric.name)?;
                store.finals(study.id, &problem.name, &metric.name)?;
            }
        }
        for run in store.runs(study.id)? {
            let _ = store.checkpoint(run.id);
        }
        store.for_each_point(study.id, |_| Ok(()))?;
    }
    Ok(())
}

fuzz_target!(|bytes: &[u8]| {
    let mut changed = GENUINE.clone();
    quire_fuzz::edit(&mut changed, bytes);
    let path = quire_fuzz::scratch("changed.db");
    for contents in [bytes, &changed] {
        fs::write(&path, contents).unwrap();
        if let Err(error) = read_all(&path) {
            assert!(!error.to_string().is_empty());
        }
        for beside in ["changed.db-wal", "changed.db-shm", "changed.db-journal"] {
            let _ = fs::remove_file(quire_fuzz::scratch(beside));
        }
    }
});
