//! Made-up studies: what the tests of summary and report read.
#![allow(dead_code)] // every test file uses some of them

use quire_core::{Direction, Point, RunSpec, Seeds};
use quire_study::Store;
use quire_study::store::{
    Batch, MetricRecord, NewRun, NewStudy, Outcome, ProblemRecord, RunRecord, RunStatus, StudyId,
};
use rand::RngExt;
use serde_json::json;

pub fn metric(name: &str, unit: &str, direction: Direction, summary: &str) -> MetricRecord {
    MetricRecord { name: name.into(), unit: unit.into(), direction, summary: summary.into() }
}

pub fn problem(
    name: &str,
    metrics: Vec<MetricRecord>,
    optimum: Option<f64>,
    budget: u64,
    unit: &str,
) -> ProblemRecord {
    ProblemRecord {
        name: name.into(),
        summary:
            "Keep a pole upright on a cart by pushing the cart left or right; an episode ends when it falls."
                .into(),
        metrics,
        optimum,
        budget,
        budget_unit: unit.into(),
    }
}

pub fn study(name: &str, problems: Vec<ProblemRecord>, methods: &[&str], seeds: u64) -> NewStudy {
    let mut runs = Vec::new();
    for problem in &problems {
        for (at, method) in methods.iter().enumerate() {
            for seed in 0..seeds {
                let mut spec = RunSpec::new(&problem.name, *method, seed);
                spec.options = json!({
                    "learning_rate": if at % 2 == 0 { 0.00025 } else { 0.001 },
                    "discount": 0.99,
                    "batch_size": 128,
                    "hidden": [120, 84],
                    "optimizer": {"name": "adam", "epsilon": 1e-8, "clip_norm": null},
                })
                .as_object()
                .unwrap()
                .clone();
                if at == 2 {
                    spec.options.insert("prior_scale".into(), json!(3.0));
                }
                runs.push(NewRun { label: (*method).into(), spec });
            }
        }
    }
    let command = format!("quire compare {} --on {} --seeds {seeds}", methods.join(" "), problems[0].name);
    NewStudy {
        name: name.into(),
        spec: json!({"methods": methods}),
        command,
        baseline: None,
        commit: Some("4f2a91c".into()),
        problems,
        runs,
    }
}

/// Adds the study and does all its runs; `points` makes a run's points, or none if it fails.
pub fn run_all(
    store: &mut Store,
    study: &NewStudy,
    points: impl Fn(&RunRecord) -> Option<Vec<Point>>,
) -> StudyId {
    let id = store.add_study(study).unwrap();
    while let Some(run) = store.claim(id, "AMD EPYC, 2 threads, 23 GiB, linux x86_64").unwrap() {
        let made = points(&run);
        let outcome = match &made {
            Some(_) => Outcome { status: RunStatus::Done, reason: "budget spent".into(), artefact: None },
            None => Outcome {
                status: RunStatus::Failed,
                reason: "diverged: loss is not finite at step 1200".into(),
                artefact: None,
            },
        };
        let points = made.unwrap_or_default();
        let steps = points.last().map_or(1200, |point| point.step);
        let wall_s = 8.0 + run.id.0 as f64 * 3.7 % 5.0;
        store.finish(run.id, &Batch { points: &points, steps, wall_s, checkpoint: None }, &outcome).unwrap();
    }
    id
}

/// Learning on CartPole: returns rise to a level that depends on the method, with noise.
pub fn learning(run: &RunRecord, methods: &[&str], steps: u64) -> Vec<Point> {
    let mut rng = Seeds::new(run.spec.seed).child(&run.label).stream(&run.spec.problem);
    let rank = methods.iter().position(|method| *method == run.label).unwrap() as f64;
    let level = 495.0 - 55.0 * rank - 40.0 * rng.random::<f64>();
    let rate = 5.0 - rank * 0.8 + rng.random::<f64>();
    let mut points = Vec::new();
    for k in 1..=100u64 {
        let step = k * steps / 100;
        let part = k as f64 / 100.0;
        let value = 20.0 + (level - 20.0) * (1.0 - (-rate * part).exp()) + 45.0 * (rng.random::<f64>() - 0.5);
        points.push(Point { step, metric: "return", value: value.min(500.0) });
        points.push(Point { step, metric: "loss", value: (-4.0 * part).exp() * (0.5 + rng.random::<f64>()) });
        points.push(Point { step, metric: "epsilon", value: (1.0 - 2.0 * part).max(0.05) });
    }
    points
}

pub fn cart_pole(methods: &[&str], seeds: u64) -> NewStudy {
    let metrics = vec![
        metric("return", "", Direction::Higher, "Undiscounted return of an evaluation episode, mean of 10."),
        metric("loss", "", Direction::Lower, "Squared temporal-difference error of a batch."),
        metric("epsilon", "", Direction::Neutral, ""),
    ];
    let problems = vec![problem("CartPole-v1", metrics, Some(500.0), 50_000, "environment steps")];
    study("DQN and its successors on CartPole", problems, methods, seeds)
}
