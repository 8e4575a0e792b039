//! A file of verdicts: the bytes as they are, and a genuine one with changes. What can be read makes pages.
#![no_main]

use std::fs;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use quire_core::Point;
use quire_study::Store;
use quire_study::claims::{Archive, Paper, PaperStanding, evaluate, paper};
use quire_study::report::bibliography;
use quire_study::store::{Batch, Outcome, RunStatus};

const SLUG: &str = "double-dqn";

static PAPER: LazyLock<Paper> = LazyLock::new(|| paper(SLUG).unwrap());

/// The file after every claim of the paper was measured, with made-up numbers.
static GENUINE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let archive = Archive::new(quire_fuzz::scratch("genuine"));
    for claim in &PAPER.claims {
        let mut store = Store::in_memory().unwrap();
        let plan = claim.plan(quire_fuzz::registry(), true, None, "quire reproduce".into(), None).unwrap();
        let study = store.add_study(&plan).unwrap();
        while let Some(run) = store.claim(study, "here").unwrap() {
            let metrics = &store.problems(study).unwrap()[0].metrics;
            let value = 1.0 + run.spec.seed as f64;
            let points: Vec<Point> = metrics
                .iter()
                .map(|metric| Point { step: 1, metric: metric.name.clone().leak(), value })
                .collect();
            let batch = Batch { points: &points, steps: 1, wall_s: 0.1, checkpoint: None };
            let outcome = Outcome { status: RunStatus::Done, reason: "budget spent".into(), artefact: None };
            store.finish(run.id, &batch, &outcome).unwrap();
        }
        archive.keep(&PAPER, &evaluate(claim, &store, study).unwrap()).unwrap();
    }
    fs::read(archive.file(SLUG)).unwrap()
});

fuzz_target!(|bytes: &[u8]| {
    let archive = Archive::new(quire_fuzz::scratch("changed"));
    fs::create_dir_all(archive.folder()).unwrap();
    let mut changed = GENUINE.clone();
    quire_fuzz::edit(&mut changed, bytes);
    for contents in [bytes, &changed] {
        fs::write(archive.file(SLUG), contents).unwrap();
        match archive.read(SLUG) {
            Ok(verdicts) => {
                let standing = PaperStanding::new(&PAPER, verdicts);
                let _ = (bibliography::paper(&standing), bibliography::index(&[standing]));
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
});
