use std::path::Path;

use quire_core::{Direction, Point, RunSpec};

use super::*;
use crate::claims::Paper;
use crate::store::{Batch, MetricRecord, NewRun, NewStudy, Outcome};

const SEEDS: u64 = 6;

/// A claim with these expectations about methods `a` and `b` on `p`.
fn claim(expectations: &[&str]) -> Claim {
    let text = format!(
        "title = 'T'\narxiv = ''\nwing = 'rl'\nmethods = []\nprotocol = ''\n[[claims]]\nid = 'c'\ntext = 'C.'\n\
         source = ''\nscaled_down = ''\nexpectations = {expectations:?}\n\
         study = {{ problems = ['p'], seeds = {SEEDS}, methods = [{{ method = 'a' }}, {{ method = 'b' }}] }}\n"
    );
    Paper::parse(Path::new("t.toml"), &text).unwrap().claims.remove(0)
}

/// A store with a study of `a` and `b`; `value` gives the loss at steps 50 and 100 of a label and seed.
fn store(seeds: u64, value: impl Fn(&str, u64) -> [f64; 2]) -> (Store, StudyId) {
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
        budget: 100,
        budget_unit: "steps".into(),
    };
    let spec = |label: &str, seed| RunSpec { budget: Some(100), ..RunSpec::new("p", label, seed) };
    let run = |label: &str, seed| NewRun { label: label.into(), spec: spec(label, seed) };
    let study = NewStudy {
        name: "t-c".into(),
        spec: serde_json::Value::Null,
        command: String::new(),
        baseline: None,
        commit: None,
        problems: vec![problem],
        runs: (0..seeds).flat_map(|seed| ["a", "b"].map(|label| run(label, seed))).collect(),
    };
    let mut store = Store::in_memory().unwrap();
    let id = store.add_study(&study).unwrap();
    while let Some(run) = store.claim(id, "here").unwrap() {
        let [half, end] = value(&run.label, run.spec.seed);
        let points = [(50, half), (100, end)].map(|(step, value)| Point { step, metric: "loss", value });
        let batch = Batch { points: &points, steps: 100, wall_s: 0.5, checkpoint: None };
        let outcome = Outcome { status: RunStatus::Done, reason: "budget spent".into(), artefact: None };
        store.finish(run.id, &batch, &outcome).unwrap();
    }
    (store, id)
}

fn verdict(expectations: &[&str], (store, id): &(Store, StudyId)) -> ClaimVerdict {
    evaluate(&claim(expectations), store, *id).unwrap()
}

fn says(expectation: &str, study: &(Store, StudyId)) -> Verdict {
    verdict(&[expectation], study).verdict
}

/// `b` is `a` plus 1; seeds differ by far more than methods do.
fn paired() -> (Store, StudyId) {
    store(SEEDS, |label, seed| {
        let end = 10.0 * seed as f64 + f64::from(u8::from(label == "b"));
        [2.0 * end, end]
    })
}

#[test]
fn intervals_decide_and_seeds_pair_up() {
    let study = paired();
    // The difference is -1 for every seed: unpaired resampling would not see it.
    assert_eq!(says("loss(a) < loss(b)", &study), Verdict::Holds);
    assert_eq!(says("loss(a) > loss(b)", &study), Verdict::Fails);
    assert_eq!(says("loss(b) - loss(a) >= 0.5", &study), Verdict::Holds);
    assert_eq!(says("loss(a) < 25", &study), Verdict::NotShown);
    assert_eq!(says("loss(a) <= 60", &study), Verdict::Holds);
    assert_eq!(says("loss(a) at 50% - 2 * loss(a) <= 0", &study), Verdict::Holds);
    let all = verdict(&["loss(a) < loss(b)", "loss(a) < 25"], &study);
    assert_eq!(all.verdict, Verdict::NotShown);
    let all = verdict(&["loss(a) < loss(b)", "loss(a) < 25", "loss(a) > loss(b)"], &study);
    assert_eq!((all.verdict, all.seeds, all.wall_s), (Verdict::Fails, 6, 6.0));
}

#[test]
fn values_are_interquartile_means_by_hand() {
    let measured = &verdict(&["auc(loss(a)) / loss(b) < 2"], &paired()).expectations[0];
    // a at the end: 0, 10, ..., 50, one cut from either end: 25; the curve's mean is 1.5 times that. b: 26.
    assert_eq!((measured.values.left, measured.values.right), (37.5 / 26.0, 2.0));
    assert_eq!(measured.values.statistic, Statistic::InterquartileMean);
    assert_eq!(measured.values.readings[0].reading, "auc(loss(a))");
    assert_eq!(measured.values.readings[1].runs, [1.0, 11.0, 21.0, 31.0, 41.0, 51.0]);
    let [low, high] = measured.values.interval;
    assert!(low <= measured.values.difference && measured.values.difference <= high && high < 0.0);
    let three = &verdict(&["loss(a) < loss(b)"], &store(3, |_, seed| [0.0, [0.0, 1.0, 5.0][seed as usize]]))
        .expectations[0];
    assert_eq!((three.values.left, three.values.statistic), (2.0, Statistic::Mean));
}

#[test]
fn a_verdict_from_few_seeds_says_so() {
    let few = store(3, |label, seed| [0.0, seed as f64 * f64::from(u8::from(label == "b")) + 1.0]);
    let measured = &verdict(&["loss(b) - loss(a) >= -1"], &few).expectations[0];
    assert_eq!(measured.verdict, Verdict::Holds);
    let note = measured.note.as_ref().unwrap();
    assert!(note.starts_with("3 seeds are few") && note.contains("25 %"), "{note}");
    assert_eq!(verdict(&["loss(a) < loss(b)"], &paired()).expectations[0].note, None);
}

#[test]
fn without_variance_equality_meets_the_weak_relations_only() {
    let study = store(SEEDS, |_, _| [1.0, 1.0]);
    assert_eq!(says("loss(a) <= loss(b)", &study), Verdict::Holds);
    assert_eq!(says("loss(a) >= 1", &study), Verdict::Holds);
    assert_eq!(says("loss(a) < loss(b)", &study), Verdict::NotShown);
    assert_eq!(says("loss(a) < 2", &study), Verdict::Holds);
    assert_eq!(says("loss(a) < 0.5", &study), Verdict::Fails);
}

#[test]
fn one_seed_shows_nothing() {
    let measured = &verdict(&["loss(a) < 100"], &store(1, |_, _| [1.0, 1.0])).expectations[0];
    assert_eq!(measured.verdict, Verdict::NotShown);
    assert!(measured.note.as_ref().unwrap().contains("one seed"));
}

#[test]
fn missing_runs_show_nothing_and_are_named() {
    let note = |(store, id): (Store, StudyId), expectation: &str| {
        let measured = evaluate(&claim(&[expectation]), &store, id).unwrap().expectations.remove(0);
        assert_eq!(measured.verdict, Verdict::NotShown);
        (measured.note.unwrap(), measured.values.seeds)
    };
    let (mut unfinished, id) = paired();
    let third = unfinished.runs(id).unwrap()[4].id;
    unfinished.reset(third).unwrap();
    assert_eq!(
        note((unfinished, id), "loss(a) < loss(b)"),
        ("missing: a with seed 2: not finished".into(), 5)
    );

    let (mut broken, id) = paired();
    for index in [1, 3] {
        let run = broken.runs(id).unwrap()[index].id;
        broken.reset(run).unwrap();
        broken.begin(run, "here").unwrap();
        let points = [Point { step: 50, metric: "loss", value: 1.0 }];
        let batch = Batch { points: &points, steps: 50, wall_s: 0.5, checkpoint: None };
        let diverged = Outcome { status: RunStatus::Done, reason: "diverged: loss".into(), artefact: None };
        broken.finish(run, &batch, &diverged).unwrap();
    }
    let expected = ("missing: b with seed 0: diverged: loss and 1 more".into(), 4);
    assert_eq!(note((broken, id), "loss(a) < loss(b)"), expected);

    assert_eq!(
        note(paired(), "loss(a) at 10% < 1").0,
        "missing: a with seed 0: no value for loss(a) at 10% and 5 more"
    );
    assert_eq!(note(paired(), "gain(a) < 1").1, 0);
    let odd = store(SEEDS, |_, seed| [0.0, if seed == 3 { f64::NAN } else { 1.0 }]);
    assert_eq!(note(odd, "loss(a) < 2"), ("missing: a with seed 3: loss(a) is NaN".into(), 5));
    let empty = claim(&["loss(a) < 2"]);
    assert!(evaluate(&empty, &Store::in_memory().unwrap(), StudyId(1)).is_err());
}

#[test]
fn verdicts_in_json() {
    let json = serde_json::to_value(verdict(&["loss(a) < 25"], &paired())).unwrap();
    assert_eq!((&json["id"], &json["verdict"]), (&"c".into(), &"not shown".into()));
    assert_eq!((&json["seeds"], &json["wall_s"]), (&6.into(), &6.0.into()));
    let expectation = &json["expectations"][0];
    assert_eq!(expectation["expression"], "loss(a) < 25");
    assert_eq!(expectation["values"]["left"], 25.0);
    assert!(expectation["values"]["interval"].is_array());
}
