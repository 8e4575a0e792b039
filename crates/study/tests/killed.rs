//! A process that is killed at any moment leaves points and checkpoint of the same step.

use std::process::{Command, Stdio};
use std::time::Duration;

use quire_core::{Direction, Point, RunSpec};
use quire_study::Store;
use quire_study::store::{Batch, MetricRecord, NewRun, NewStudy, ProblemRecord, RunId, StudyId};

const STORE: &str = "QUIRE_TEST_STORE";

/// What the child does: goes on from the checkpoint, for ever. Does nothing unless it is told where the store is.
#[test]
fn child_appends_until_it_is_killed() {
    let Ok(path) = std::env::var(STORE) else { return };
    let mut store = Store::open(path).unwrap();
    let run = RunId(1);
    let mut step = store.checkpoint(run).unwrap().map_or(0, |checkpoint| checkpoint.steps);
    loop {
        step += 1;
        // Every fourth state is too large for the store and becomes a file.
        let mut state = step.to_le_bytes().to_vec();
        state.resize(if step.is_multiple_of(4) { (1 << 20) + 8 } else { 64 }, step as u8);
        let points = [Point { step, metric: "loss", value: step as f64 }];
        let batch = Batch { points: &points, steps: step, wall_s: 0.0, checkpoint: Some(&state) };
        store.append(run, &batch).unwrap();
    }
}

#[test]
fn points_and_checkpoint_stay_together() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    let metric = MetricRecord {
        name: "loss".into(),
        unit: String::new(),
        direction: Direction::Lower,
        summary: String::new(),
    };
    let problem = ProblemRecord {
        name: "p".into(),
        summary: String::new(),
        metrics: vec![metric],
        optimum: None,
        budget: 1,
        budget_unit: "steps".into(),
    };
    let study = NewStudy {
        name: "killed".into(),
        spec: serde_json::Value::Null,
        command: String::new(),
        baseline: None,
        commit: None,
        problems: vec![problem],
        runs: vec![NewRun { label: "m".into(), spec: RunSpec::new("p", "m", 0) }],
    };
    let mut store = Store::create_or_open(&path).unwrap();
    assert_eq!(store.add_study(&study).unwrap(), StudyId(1));
    let run = store.claim(StudyId(1), "here").unwrap().unwrap().id;
    drop(store);
    let mut before = 0;
    for round in 0..6u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_appends_until_it_is_killed", "--nocapture"])
            .env(STORE, &path)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(150 + 37 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        let store = Store::open(&path).unwrap();
        let points = store.points(run, "loss").unwrap();
        let last = points.last().map_or(0, |point| point.0);
        assert_eq!(points.len() as u64, last, "a point is missing or there twice");
        let record = store.run(run).unwrap();
        let checkpoint = store.checkpoint(run).unwrap().expect("150 ms are enough for one step");
        assert_eq!((checkpoint.steps, record.steps), (last, last));
        assert_eq!(checkpoint.state[..8], last.to_le_bytes());
        assert!(last > before, "round {round} did nothing");
        before = last;
    }
}
