use std::time::Duration;

use quire_core::{Direction, Error, Point, RunSpec};
use serde_json::json;

use super::*;

fn problem() -> ProblemRecord {
    ProblemRecord {
        name: "river-swim".into(),
        summary: "Swim.".into(),
        metrics: vec![MetricRecord {
            name: "regret".into(),
            unit: "reward".into(),
            direction: Direction::Lower,
            summary: "Lost reward.".into(),
        }],
        optimum: Some(0.0),
        budget: 100,
        budget_unit: "episodes".into(),
    }
}

fn run(label: &str, seed: u64) -> NewRun {
    let mut spec = RunSpec::new("river-swim", "psrl", seed);
    spec.options.insert("scale".into(), json!(0.5));
    NewRun { label: label.into(), spec }
}

fn study(runs: Vec<NewRun>) -> NewStudy {
    NewStudy {
        name: "swimmers".into(),
        spec: json!({"seeds": 2}),
        command: "quire compare psrl --on river-swim".into(),
        baseline: Some("psrl".into()),
        commit: Some("abc123".into()),
        problems: vec![problem()],
        runs,
    }
}

fn point(step: u64, metric: &'static str, value: f64) -> Point {
    Point { step, metric, value }
}

fn batch<'a>(points: &'a [Point], steps: u64, checkpoint: Option<&'a [u8]>) -> Batch<'a> {
    Batch { points, steps, wall_s: steps as f64 / 10.0, checkpoint }
}

fn done() -> Outcome {
    Outcome { status: RunStatus::Done, reason: "budget spent".into(), artefact: Some("out/policy".into()) }
}

#[test]
fn a_study_goes_from_pending_to_done() {
    let mut store = Store::in_memory().unwrap();
    let id = store.add_study(&study(vec![run("psrl", 0), run("psrl", u64::MAX)])).unwrap();
    let added = store.study(id).unwrap();
    assert_eq!((added.runs, added.runs_done, added.status), (2, 0, StudyStatus::Pending));
    assert_eq!((added.spec, added.commit.as_deref()), (json!({"seeds": 2}), Some("abc123")));
    assert_eq!(store.problems(id).unwrap(), [problem()]);

    let first = store.claim(id, "here").unwrap().unwrap();
    assert_eq!((first.status, first.spec.seed), (RunStatus::Running, 0));
    assert_eq!(first.spec, run("psrl", 0).spec);
    let second = store.claim(id, "here").unwrap().unwrap();
    assert_eq!(second.spec.seed, u64::MAX);
    assert_eq!(store.claim(id, "here").unwrap(), None);
    assert_eq!(store.study(id).unwrap().status, StudyStatus::Running);

    let points = [point(10, "regret", 1.5), point(20, "regret", 2.5), point(20, "entropy", 0.1)];
    store.append(first.id, &batch(&points, 20, Some(b"state"))).unwrap();
    let checkpoint = store.checkpoint(first.id).unwrap().unwrap();
    assert_eq!((checkpoint.steps, &checkpoint.state[..]), (20, &b"state"[..]));
    store.finish(first.id, &batch(&[point(30, "regret", 3.0)], 30, None), &done()).unwrap();
    assert_eq!(store.checkpoint(first.id).unwrap(), None);
    let broken = Outcome { status: RunStatus::Failed, reason: "diverged".into(), artefact: None };
    store.finish(second.id, &batch(&[], 5, None), &broken).unwrap();

    let over = store.study(id).unwrap();
    assert_eq!((over.status, over.runs_done, over.runs_failed), (StudyStatus::Done, 1, 1));
    let first = store.run(first.id).unwrap();
    assert_eq!((first.steps, first.wall_s, first.reason.as_deref()), (30, 3.0, Some("budget spent")));
    assert!(first.started.is_some() && first.finished.is_some());
    assert_eq!(store.points(first.id, "regret").unwrap(), [(10, 1.5), (20, 2.5), (30, 3.0)]);
    // A metric that nobody declared is a diagnostic.
    let metrics = &store.problems(id).unwrap()[0].metrics;
    assert_eq!((metrics[1].name.as_str(), metrics[1].direction), ("entropy", Direction::Neutral));
    let curves = store.curves(id, "river-swim", "regret").unwrap();
    assert_eq!((curves.len(), curves[0].points.len(), curves[1].points.len()), (2, 3, 0));
    let finals = store.finals(id, "river-swim", "regret").unwrap();
    assert_eq!((finals.len(), finals[0].1, finals[0].2), (1, 30, 3.0));
    // The views for queries by hand.
    let by_hand: (String, i64, f64) = store
        .connection
        .query_row(
            "SELECT label, step, value FROM final WHERE study_name = 'swimmers' AND metric = 'regret'",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .unwrap();
    assert_eq!(by_hand, ("psrl".into(), 30, 3.0));
    let rows: i64 = store.connection.query_row("SELECT count(*) FROM curve", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 4);
}

#[test]
fn equal_runs_of_another_study_are_taken_over() {
    let mut store = Store::in_memory().unwrap();
    let first = store.add_study(&study(vec![run("psrl", 0), run("psrl", 1), run("psrl", 2)])).unwrap();
    for _ in 0..2 {
        let run = store.claim(first, "here").unwrap().unwrap();
        let value = run.spec.seed as f64 + 0.5;
        let points =
            [point(10, "regret", 3.0), point(20, "regret", value), point(20, "diagnostic", f64::NAN)];
        store.finish(run.id, &batch(&points, 20, None), &done()).unwrap();
    }
    // Under another label; of seed 0 with another option, seed 2 not done, and one run nobody has.
    let mut other = run("again", 0);
    other.spec.options.insert("scale".into(), json!(0.25));
    let second = NewStudy { baseline: None, ..study(vec![run("again", 1), run("again", 2), other]) };
    let second = store.add_study(&second).unwrap();
    assert_eq!(store.take_over(second, first).unwrap(), 1);
    assert_eq!(store.take_over(second, first).unwrap(), 0);
    let runs = store.runs(second).unwrap();
    assert_eq!(
        runs.iter().map(|run| run.status).collect::<Vec<_>>(),
        [RunStatus::Done, RunStatus::Pending, RunStatus::Pending]
    );
    assert_eq!((runs[0].steps, runs[0].wall_s, runs[0].reason.as_deref()), (20, 2.0, Some("budget spent")));
    assert_eq!(store.points(runs[0].id, "regret").unwrap(), [(10, 3.0), (20, 1.5)]);
    let (step, value) = store.last_point(runs[0].id, "diagnostic").unwrap().unwrap();
    assert!(step == 20 && value.is_nan());
    // The last one ends the study.
    let third = store.add_study(&study(vec![run("psrl", 0)])).unwrap();
    assert_eq!(store.take_over(third, first).unwrap(), 1);
    assert_eq!(store.study(third).unwrap().status, StudyStatus::Done);
}

#[test]
fn odd_numbers_come_back_as_they_went() {
    let mut store = Store::in_memory().unwrap();
    let id = store.add_study(&study(vec![run("psrl", 0)])).unwrap();
    let run = store.claim(id, "here").unwrap().unwrap().id;
    let largest = i64::MAX as u64;
    let values = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, 5e-324, -0.0];
    let points: Vec<Point> =
        values.iter().enumerate().map(|(i, &value)| point(largest - 5 + i as u64, "regret", value)).collect();
    store.append(run, &batch(&points, largest, None)).unwrap();
    let read = store.points(run, "regret").unwrap();
    assert_eq!(read[5].0, largest);
    for ((_, read), written) in read.iter().zip(values) {
        // SQLite keeps no sign of zero, hence `==` and not the bits.
        assert!(*read == written || (read.is_nan() && written.is_nan()), "{written}: {read}");
    }
    let beyond = store.append(run, &batch(&[point(largest + 1, "regret", 0.0)], 1, None)).unwrap_err();
    assert!(beyond.to_string().contains("cannot be stored"));
    // A second point at the same step replaces the first, as after a resume.
    store.append(run, &batch(&[point(largest, "regret", 7.0)], largest, None)).unwrap();
    assert_eq!(store.last_point(run, "regret").unwrap(), Some((largest, 7.0)));
}

#[test]
fn a_batch_is_stored_as_a_whole_or_not_at_all() {
    let mut store = Store::in_memory().unwrap();
    let id = store.add_study(&study(vec![run("psrl", 0)])).unwrap();
    let run = store.claim(id, "here").unwrap().unwrap().id;
    store.append(run, &batch(&[point(1, "regret", 1.0)], 1, Some(b"one"))).unwrap();
    let bad = [point(2, "regret", 2.0), point(u64::MAX, "regret", 3.0)];
    store.append(run, &batch(&bad, 2, Some(b"two"))).unwrap_err();
    assert_eq!(store.points(run, "regret").unwrap(), [(1, 1.0)]);
    assert_eq!(store.checkpoint(run).unwrap().unwrap().state, b"one");
    assert_eq!(store.run(run).unwrap().steps, 1);
}

#[test]
fn large_checkpoints_lie_beside_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    let files = || -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(folder.path().join("runs.db.checkpoints")) else { return vec![] };
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let mut store = Store::create_or_open(&path).unwrap();
    let id = store.add_study(&study(vec![run("psrl", 0), run("psrl", 1)])).unwrap();
    let run = store.claim(id, "here").unwrap().unwrap().id;
    let large = |byte: u8| vec![byte; (1 << 20) + 1];
    store.append(run, &batch(&[], 1, Some(&large(1)))).unwrap();
    assert_eq!(files(), ["run-1-1"]);
    store.append(run, &batch(&[], 2, Some(&large(2)))).unwrap();
    assert_eq!(files(), ["run-1-2"]);
    // A batch that fails leaves the old one.
    let bad = [point(u64::MAX, "regret", 0.0)];
    store.append(run, &batch(&bad, 3, Some(&large(3)))).unwrap_err();
    assert_eq!(files(), ["run-1-2"]);
    drop(store);
    let mut store = Store::open(&path).unwrap();
    assert_eq!(store.checkpoint(run).unwrap().unwrap(), Checkpoint { steps: 2, state: large(2) });
    // Damage is noticed.
    let file = folder.path().join("runs.db.checkpoints/run-1-2");
    let mut bytes = large(2);
    bytes[77] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    assert!(matches!(store.checkpoint(run), Err(Error::Resume(_))));
    // A small one takes the large one's place; the end removes both.
    store.append(run, &batch(&[], 4, Some(b"small"))).unwrap();
    assert!(files().is_empty());
    store.append(run, &batch(&[], 5, Some(&large(5)))).unwrap();
    store.finish(run, &batch(&[], 6, None), &done()).unwrap();
    assert!(files().is_empty());
}

#[test]
fn interrupted_runs_go_on_and_reset_ones_start_again() {
    let mut store = Store::in_memory().unwrap();
    let id = store.add_study(&study(vec![run("psrl", 0)])).unwrap();
    let run = store.claim(id, "here").unwrap().unwrap().id;
    store.append(run, &batch(&[point(1, "regret", 1.0)], 1, Some(b"one"))).unwrap();
    assert_eq!(store.requeue_interrupted(id).unwrap(), 1);
    let again = store.claim(id, "there").unwrap().unwrap();
    assert_eq!((again.id, again.steps, again.machine.as_deref()), (run, 1, Some("there")));
    assert!(store.checkpoint(run).unwrap().is_some());
    store.reset(run).unwrap();
    let fresh = store.run(run).unwrap();
    assert_eq!((fresh.status, fresh.steps, fresh.started), (RunStatus::Pending, 0, None));
    assert!(store.points(run, "regret").unwrap().is_empty() && store.checkpoint(run).unwrap().is_none());
}

#[test]
fn studies_are_found_by_number_and_by_name_and_deleted_whole() {
    let mut store = Store::in_memory().unwrap();
    let old = store.add_study(&study(vec![run("psrl", 0)])).unwrap();
    let new = store.add_study(&study(vec![run("psrl", 0)])).unwrap();
    assert_eq!(store.find_study("swimmers").unwrap().id, new);
    assert_eq!(store.find_study("1").unwrap().id, old);
    assert!(store.find_study("swimers").unwrap_err().to_string().contains("`swimmers`"));
    let run = store.claim(new, "here").unwrap().unwrap().id;
    store.append(run, &batch(&[point(1, "regret", 1.0)], 1, Some(b"one"))).unwrap();
    store.delete_study(new).unwrap();
    assert_eq!(store.studies().unwrap().len(), 1);
    for table in ["point", "checkpoint"] {
        let left: i64 = store
            .connection
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
            .unwrap();
        assert_eq!(left, 0, "{table}");
    }
    assert!(matches!(store.delete_study(new), Err(Error::Unknown { .. })));
    assert!(matches!(store.run(run), Err(Error::Unknown { .. })));
    assert!(matches!(store.append(run, &batch(&[], 1, None)), Err(Error::Unknown { .. })));
}

#[test]
fn studies_that_make_no_sense_are_refused() {
    let mut store = Store::in_memory().unwrap();
    let mut refused = |new: NewStudy| store.add_study(&new).unwrap_err().to_string();
    assert!(refused(study(vec![])).contains("no run"));
    assert!(refused(study(vec![run("psrl", 0), run("psrl", 0)])).contains("two labels"));
    let elsewhere = NewStudy { problems: vec![], ..study(vec![run("psrl", 0)]) };
    assert!(refused(elsewhere).contains("river-swim"));
    let baseline = NewStudy { baseline: Some("psrll".into()), ..study(vec![run("psrl", 0)]) };
    assert!(refused(baseline).contains("did you mean `psrl`"));
    assert!(store.studies().unwrap().is_empty());
}

#[test]
fn foreign_newer_and_missing_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let message = |result: Result<Store>| result.unwrap_err().to_string();
    assert!(message(Store::open(at("none.db"))).contains("none.db"));
    std::fs::write(at("text.db"), "just some words, long enough to be mistaken for a header ".repeat(40))
        .unwrap();
    assert!(message(Store::create_or_open(at("text.db"))).contains("is not a Quire store"));
    let other = Connection::open(at("other.db")).unwrap();
    other.execute_batch("CREATE TABLE recipe (name TEXT)").unwrap();
    assert!(message(Store::create_or_open(at("other.db"))).contains("another program"));
    drop(Store::create_or_open(at("newer.db")).unwrap());
    Connection::open(at("newer.db")).unwrap().pragma_update(None, "user_version", 2).unwrap();
    assert!(message(Store::open(at("newer.db"))).contains("newer Quire (schema 2"));
    assert!(Store::create_or_open(folder.path()).is_err());
    // A missing folder is made, and a store survives being opened again.
    drop(Store::create_or_open(at("new/folder/runs.db")).unwrap());
    assert!(Store::open(at("new/folder/runs.db")).unwrap().studies().unwrap().is_empty());
}

#[test]
fn a_locked_store_and_a_full_one_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    let mut store = Store::create_or_open(&path).unwrap();
    let id = store.add_study(&study(vec![run("psrl", 0)])).unwrap();
    store.set_patience(Duration::from_millis(20)).unwrap();
    let writer = Connection::open(&path).unwrap();
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(store.claim(id, "here").unwrap_err().to_string().contains("locked by another process"));
    assert_eq!(store.runs(id).unwrap().len(), 1, "readers do not wait");
    writer.execute_batch("ROLLBACK").unwrap();
    let run = store.claim(id, "here").unwrap().unwrap().id;

    let pages: i64 = store.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    store.connection.pragma_update(None, "max_page_count", pages + 1).unwrap();
    let points: Vec<Point> = (0..5000).map(|step| point(step, "regret", 0.0)).collect();
    let full = store.append(run, &batch(&points, 5000, None)).unwrap_err().to_string();
    assert!(full.contains("free some space"), "{full}");
    assert!(store.points(run, "regret").unwrap().is_empty());
}

#[test]
fn two_processes_never_get_the_same_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    let id = {
        let mut store = Store::create_or_open(&path).unwrap();
        store.add_study(&study((0..40).map(|seed| run("psrl", seed)).collect())).unwrap()
    };
    let claim_all = || {
        let mut store = Store::open(&path).unwrap();
        let mut claimed = Vec::new();
        while let Some(run) = store.claim(id, "here").unwrap() {
            claimed.push(run.id.0);
        }
        claimed
    };
    let mut all: Vec<i64> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(claim_all)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    all.sort_unstable();
    assert_eq!(all, (1..=40).collect::<Vec<i64>>());
}
