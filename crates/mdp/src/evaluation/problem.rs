//! The problems `combination-lock-1d`, `combination-lock-2d` and `endless-lock`, and their run.
//!
//! 2,000 logged transitions of either latent state for every fit, 10,000 draws for the score: the total variation between
//! histograms of draws from the fitted and from the true law of the return, from latent state 0 with action 0, the mean over the
//! fits so far; for the endless lock that of the last fit alone. The code of the paper has 10,000 transitions of either state.

use std::sync::Arc;

use quire_core::{
    Artefact, Direction, Entry, Error, Evaluation, MethodCard, Metric, OptionMap, Problem, ProblemCard,
    Progress, Reason, Result, Rng, Run, RunSpec, Seeds, Trace, state,
};
use serde::{Deserialize, Serialize};

use super::combination_lock::Lock;
use super::distance::{Cells, total_variation, wasserstein};
use super::{Estimator, METHODS};

/// Logged transitions of either latent state for every fit.
const ROWS: usize = 2_000;
/// Draws for a score.
const DRAWS: usize = 10_000;
/// Gradient steps in one [`Run::step`].
const STEPS_AT_ONCE: u64 = 50;
/// The artefact's file: the estimator's state.
const ESTIMATOR: &str = "estimator.state";

/// A problem of this family.
pub struct EvaluationProblem {
    card: ProblemCard,
    methods: Vec<MethodCard>,
    lock: Lock,
}

/// The problems of this family.
pub fn problems() -> Vec<Arc<dyn Problem>> {
    let listed = [
        (
            "combination-lock-1d",
            "find the law of a policy's return on a combination lock, two normal laws on the line",
            Lock::Line,
        ),
        (
            "combination-lock-2d",
            "the same with rewards in the plane, whose law is a ring and a disc",
            Lock::Plane,
        ),
        (
            "endless-lock",
            "find the law of a discounted return on a lock that pays at every step, with many modes",
            Lock::Endless,
        ),
    ];
    let problem =
        |(name, summary, lock)| Arc::new(EvaluationProblem::new(name, summary, lock)) as Arc<dyn Problem>;
    listed.into_iter().map(problem).collect()
}

impl EvaluationProblem {
    fn new(name: &str, summary: &str, lock: Lock) -> Self {
        let metric = |name, direction, summary| Metric { name, unit: "", direction, summary };
        let tv = match lock {
            Lock::Endless => "total variation from the true law, of the last fit",
            _ => "total variation from the true law, the mean over the stages so far",
        };
        let mut metrics = vec![
            metric("tv", Direction::Lower, tv),
            metric("worst_tv", Direction::Lower, "the greatest total variation so far"),
            metric("last_tv", Direction::Lower, "total variation of the last fit"),
        ];
        if lock.dimensions() == 1 {
            metrics.push(metric(
                "wasserstein",
                Direction::Lower,
                "Wasserstein distance of the last fit from the true law",
            ));
            metrics.push(metric(
                "mean_error",
                Direction::Lower,
                "distance of the last fit's mean from the true one",
            ));
        }
        EvaluationProblem {
            card: ProblemCard {
                name: name.to_owned(),
                summary: summary.to_owned(),
                wing: "mdp",
                metrics,
                optimum: Some(0.0),
                budget: lock.fits() as u64,
                budget_unit: "fits",
                source: "Wu, Uehara & Sun 2023, arXiv:2302.09456".to_owned(),
                tags: vec!["offline", "evaluation", "distribution"],
            },
            methods: METHODS
                .iter()
                .filter(|entry| entry.make.dimensions >= lock.dimensions())
                .map(|entry| (entry.card)())
                .collect(),
            lock,
        }
    }

    fn estimator(&self, method: &str, options: &OptionMap, seed: u64) -> Result<Box<dyn Estimator>> {
        let setting = self.lock.setting(ROWS, Seeds::new(seed));
        (Entry::find(METHODS, self, method)?.make.estimator)(setting, options)
    }

    fn run(&self, spec: &RunSpec) -> Result<EvaluationRun> {
        Ok(EvaluationRun {
            options: self.method(&spec.method)?.options.with(&[&spec.options])?,
            estimator: self.estimator(&spec.method, &spec.options, spec.seed)?,
            lock: self.lock,
            budget: self.card.length(spec)?.min(self.lock.fits() as u64),
            place: Place { fit: 0, begun: false, steps: 0, sum: 0.0, worst: 0.0 },
            spec: spec.clone(),
        })
    }
}

impl Problem for EvaluationProblem {
    fn card(&self) -> &ProblemCard {
        &self.card
    }

    fn methods(&self) -> &[MethodCard] {
        &self.methods
    }

    fn start(&self, spec: &RunSpec) -> Result<Box<dyn Run>> {
        Ok(Box::new(self.run(spec)?))
    }

    /// Total variation of the last fit with fresh draws.
    fn evaluate(&self, artefact: &Artefact, repetitions: usize, seed: u64) -> Result<Evaluation> {
        let mut estimator = self.estimator(&artefact.method, &artefact.options, artefact.seed)?;
        estimator.restore(artefact.file(ESTIMATOR)?)?;
        let Some(fit) = (artefact.steps as usize).checked_sub(1) else {
            return Err(Error::Failed("the run had not finished its first fit".into()));
        };
        let scores = (0..repetitions as u64).map(|n| {
            let mut rng = Seeds::new(seed).nth("draws", n).stream("draws");
            score(self.lock, &mut *estimator, fit, &mut rng).tv
        });
        Ok(Evaluation { metric: "last_tv".into(), scores: scores.collect() })
    }
}

/// How far a fit is from the truth.
struct Score {
    tv: f64,
    /// Wasserstein distance and error of the mean, on the line.
    line: Option<(f64, f64)>,
}

fn score(lock: Lock, estimator: &mut dyn Estimator, fit: usize, rng: &mut Rng) -> Score {
    let d = lock.dimensions();
    let (mut inputs, mut drawn, mut truth) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..DRAWS {
        lock.observe(0, lock.stage(fit), rng, &mut inputs);
        inputs.push(0.0);
        lock.truth(fit, rng, &mut truth);
    }
    estimator.sample(fit, &inputs, rng, &mut drawn);
    let cells = match lock {
        Lock::Plane => Cells { count: 30, greatest: 4.0, dimensions: 2 },
        _ => Cells { count: 70, greatest: 1.5, dimensions: 1 },
    };
    let tv = total_variation(&cells.histogram(&drawn), &cells.histogram(&truth));
    let mean = |draws: &[f64]| draws.iter().sum::<f64>() / draws.len() as f64;
    let line = (d == 1).then(|| {
        let error = (mean(&drawn) - mean(&truth)).abs();
        (wasserstein(&mut drawn, &mut truth), error)
    });
    Score { tv, line }
}

/// An estimator at work.
struct EvaluationRun {
    spec: RunSpec,
    budget: u64,
    options: OptionMap,
    lock: Lock,
    estimator: Box<dyn Estimator>,
    place: Place,
}

#[derive(Serialize, Deserialize)]
struct Place {
    fit: u64,
    /// Whether the current fit has begun.
    begun: bool,
    /// Its gradient steps.
    steps: u64,
    sum: f64,
    worst: f64,
}

impl EvaluationRun {
    fn kind(&self) -> String {
        self.spec.kind(self.budget, "fits")
    }

    fn record(&mut self, trace: &mut Trace) {
        let fit = self.place.fit;
        let mut rng = Seeds::new(self.spec.seed).nth("score", fit).stream("draws");
        let Score { tv, line } = score(self.lock, &mut *self.estimator, fit as usize, &mut rng);
        self.place.sum += tv;
        self.place.worst = self.place.worst.max(tv);
        let mean = self.place.sum / (fit + 1) as f64;
        trace.record(fit + 1, "tv", if self.lock == Lock::Endless { tv } else { mean });
        trace.record(fit + 1, "worst_tv", self.place.worst);
        trace.record(fit + 1, "last_tv", tv);
        if let Some((distance, error)) = line {
            trace.record(fit + 1, "wasserstein", distance);
            trace.record(fit + 1, "mean_error", error);
        }
    }
}

impl Run for EvaluationRun {
    fn step(&mut self, trace: &mut Trace) -> Result<Progress> {
        if !self.place.begun {
            self.estimator.begin()?;
            self.place.begun = true;
            self.place.steps = 0;
        }
        for _ in 0..STEPS_AT_ONCE {
            self.place.steps += 1;
            if !self.estimator.step() {
                self.record(trace);
                self.place.begun = false;
                self.place.fit += 1;
                break;
            }
        }
        Ok(if self.place.fit == self.budget { Progress::Done(Reason::Budget) } else { Progress::Continue })
    }

    fn progress(&self) -> (u64, u64) {
        (self.place.fit, self.budget)
    }

    fn save(&self) -> Vec<u8> {
        state::encode(&self.kind(), &(&self.place, self.estimator.save()))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<()> {
        let (place, estimator): (Place, Vec<u8>) = state::decode(&self.kind(), saved)?;
        self.place = place;
        self.estimator.restore(&estimator)?;
        Ok(())
    }

    fn artefact(&self) -> Option<Artefact> {
        let estimator = self.estimator.save();
        Some(self.spec.artefact("return-law", &self.options, self.place.fit, [(ESTIMATOR, estimator)]))
    }
}
